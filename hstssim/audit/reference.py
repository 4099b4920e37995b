"""The reference: our own browser, led to a lab. What it does by a profile's rules is what a profile expects.

Never here: verdicts.
"""

from __future__ import annotations

import os
import time

from hstssim.audit.subject import GAP, CallableSubject, Place
from hstssim.formats.kept import open_store
from hstssim.interceptor import Interceptor
from hstssim.navigation import Browser
from hstssim.network import LiveNetwork
from hstssim.preload import PreloadList
from hstssim.profile import RFC6797, Profile


class Reference:
    """A browser with a store that is kept in `workdir`, and a clock that it is told to put forward."""

    def __init__(self, place: Place, workdir: str, profile: Profile = RFC6797, *, preloaded: bool = True) -> None:
        self._ahead = 0.0
        ports = {80: place.lab.http_port, 8080: place.lab.http_port}
        self.store = open_store(
            os.path.join(workdir, "hsts.sqlite"),
            profile=profile,
            preload=PreloadList.bundled() if preloaded else None,
            clock=lambda: time.time() + self._ahead,
            watch=False,
        )
        self.network = LiveNetwork(
            ca_file=place.lab.ca_file,
            connect_to=lambda _host, port: ("127.0.0.1", ports.get(port, place.lab.https_port)),
            timeout=10,
        )
        self.browser = Browser(profile, self.store, self.network)

    def __call__(self, url: str) -> object:
        """Go to a URL."""
        return self.browser.navigate(self._upgraded(url))

    def post(self, url: str, body: str) -> object:
        """Send a form."""
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        return self.browser.navigate(self._upgraded(url), "POST", body, form)

    def _upgraded(self, url: str) -> str:
        """As the profile upgrades it: the browser would first write it as browsers do, without a port 80."""
        self.wait(GAP)  # as long as programs are given: some clocks have whole seconds
        return Interceptor(self.store).request(url).location or url

    def wait(self, seconds: float) -> None:
        """Let time pass, at once."""
        self._ahead += seconds

    def close(self) -> None:
        """End, and keep the store."""
        self.network.close()
        self.store.close()


def reference(profile: Profile = RFC6797) -> CallableSubject:
    """The client that does what a profile says; HTTPS-Upgrades, which are not HSTS, are left out."""
    rules = profile.replace(https_upgrades=False)
    return CallableSubject(
        lambda place, workdir: Reference(place, workdir, rules), f"hstssim ({profile.name})", posts=True
    )
