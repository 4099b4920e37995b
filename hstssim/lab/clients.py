"""How the clients we know are told to reach the lab and to trust it: by environment, by arguments.

Each was seen to work; what else a client honours, or ignores, stands beside it. Nothing here starts a client.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from typing import NamedTuple

from hstssim.errors import LabError, short


class Way(NamedTuple):
    """What a client must be told."""

    http_port: int
    https_port: int
    ca_file: str
    directory: str
    """For files that a client wants, removed with the lab."""

    @property
    def proxy_url(self) -> str:
        """The forward proxy."""
        return f"http://127.0.0.1:{self.http_port}"


def trust_environment(ca_file: str) -> dict[str, str]:
    """The variables that make clients trust the lab's authority, and only it."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return dict.fromkeys(names, ca_file)


PROXY_VARIABLES = tuple(
    variant for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for variant in (name, name.upper())
)
"""What leads a client to a proxy or away from it. curl heeds no HTTP_PROXY, wget only the lower case."""


def environment(way: Way, client: str | None = None) -> dict[str, str]:
    """The variables that bring a child process to the lab: its proxy, and its authority.

    Chromium and wget heed none that says whom to trust: `client="chromium"` adds a HOME whose NSS database trusts
    the authority, `client="wget"` a WGETRC that does, in place of the user's own.
    """
    if client is not None and client not in ARGUMENTS:
        raise _unknown(client)
    proxies = {name: "" if name.lower() == "no_proxy" else way.proxy_url for name in PROXY_VARIABLES}
    own = ENVIRONMENTS[client](way) if client in ENVIRONMENTS else {}
    return proxies | trust_environment(way.ca_file) | own


def arguments(way: Way, client: str) -> list[str]:
    """The arguments that bring a client to the lab without a proxy variable.

    Raises:
        LabError: we do not know the client, or it needs a program that is missing.
    """
    if client not in ARGUMENTS:
        raise _unknown(client)
    return ARGUMENTS[client](way)


def _curl(way: Way) -> list[str]:
    # The upgraded request is looked up again and takes the mapping of 443. The last mapping is for other ports.
    maps = [(":80:", way.http_port), (":443:", way.https_port), ("::", way.http_port)]
    connect = [word for asked, port in maps for word in ("--connect-to", f"{asked}127.0.0.1:{port}")]
    return [*connect, "--cacert", way.ca_file, "--noproxy", "*"]


def _wget(way: Way) -> list[str]:
    settings = ("use_proxy=yes", f"http_proxy={way.proxy_url}", f"https_proxy={way.proxy_url}", "no_proxy=")
    return [*(word for setting in settings for word in ("-e", setting)), f"--ca-certificate={way.ca_file}"]


def _chromium(way: Way) -> list[str]:
    # A fresh profile: what one run learned must not answer in the next. An --ignore-certificate-errors of any kind
    # would hide the faults that are to be noticed: trust comes with `environment(way, "chromium")`.
    maps = (f"MAP *:80 127.0.0.1:{way.http_port}", f"MAP *:443 127.0.0.1:{way.https_port}")
    return [
        f"--host-resolver-rules={', '.join(maps)}, MAP * 127.0.0.1:{way.http_port}",
        "--no-proxy-server",
        f"--user-data-dir={tempfile.mkdtemp(prefix='chromium-', dir=way.directory)}",
        "--no-first-run",
        "--disable-features=HttpsUpgrades",  # its own way to https, which is not HSTS
    ]


def _firefox(way: Way) -> list[str]:
    # network.dns.forceResolve maps no ports, so Firefox goes through the proxy.
    profile = tempfile.mkdtemp(prefix="firefox-", dir=way.directory)
    _trust(profile, way.ca_file)
    port = way.http_port
    preferences: dict[str, bool | int | str] = {
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": port,
        "network.proxy.no_proxies_on": "",
        # Its own ways to https, which are not HSTS.
        "dom.security.https_first": False,
        "dom.security.https_first_schemeless": False,
    }
    with open(os.path.join(profile, "user.js"), "w", encoding="utf-8") as file:
        for name, value in preferences.items():
            file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
    return ["--profile", profile, "--no-remote"]


ARGUMENTS: dict[str, Callable[[Way], list[str]]] = {
    "chromium": _chromium,
    "curl": _curl,
    "firefox": _firefox,
    "wget": _wget,
}
"""The clients we know."""


ENVIRONMENTS: dict[str, Callable[[Way], dict[str, str]]] = {
    "chromium": lambda way: {"HOME": _nss_home(way)},
    "wget": lambda way: {"WGETRC": _wgetrc(way)},
}
"""What some want besides."""


def _unknown(client: str) -> LabError:
    known = ", ".join(ARGUMENTS)
    return LabError(
        f"the clients we have arguments for are {known}; others take client_env(); seen {short(client)}"
    )


def _nss_home(way: Way) -> str:
    home = os.path.join(way.directory, "home")
    database = os.path.join(home, ".pki", "nssdb")
    if not os.path.exists(database):
        os.makedirs(database)
        _trust(database, way.ca_file)
    return home


def _wgetrc(way: Way) -> str:
    path = os.path.join(way.directory, "wgetrc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"ca_certificate = {way.ca_file}\n")
    return path


def _trust(database: str, ca_file: str) -> None:
    """Make an NSS database that trusts an authority for servers (C)."""
    if shutil.which("certutil") is None:
        raise LabError(
            "browsers trust what NSS's certutil tells them: install it (Debian: libnss3-tools); seen none"
        )
    create = ["-N", "--empty-password"]
    add = ["-A", "-t", "C,,", "-n", "hstssim lab", "-i", ca_file]
    for words in (create, add):
        subprocess.run(["certutil", "-d", f"sql:{database}", *words], check=True, capture_output=True)  # noqa: S603, S607
