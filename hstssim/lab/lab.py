"""The lab: real TLS on loopback, any host name, every certificate fault, and a log of what travelled in the clear.

```python
with Lab() as lab:
    shop = lab.site("shop.test", sts="max-age=31536000; includeSubDomains")
    crawl(lab)                              # learns over https, then asks http://cart.shop.test/
    assert shop.plaintext_requests == []
```
"""

from __future__ import annotations

import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from hstssim import host as hosts
from hstssim.errors import LabError, short
from hstssim.lab import clients
from hstssim.lab.authority import Authority
from hstssim.lab.log import Log, Request, assert_no_plaintext
from hstssim.lab.resolve import resolving
from hstssim.lab.server import LOOPBACK, Server
from hstssim.lab.site import Site
from hstssim.lab.trust import trusting
from hstssim.script import EVERYTHING, find, site_name

if TYPE_CHECKING:
    from hstssim.lab.sealed import Room


class Lab:
    """Sites on loopback, which real clients reach over real sockets.

    Args:
        http_port: where plaintext is expected; 0 for any that is free.
        https_port: where TLS is expected. Both ports understand both, and serve every name.
        clock: POSIX seconds for the log and the Date header; None means `time.time`, looked up at each call.
        idle_timeout: seconds after which a client that hangs is cut off.

    Raises:
        LabError: a port or the time-out is none.
    """

    def __init__(
        self,
        *,
        http_port: int = 0,
        https_port: int = 0,
        clock: Callable[[], float] | None = None,
        idle_timeout: float = 30.0,
    ) -> None:
        if not isinstance(idle_timeout, int | float) or not 0 < idle_timeout < 1e6:
            raise LabError(f"a time-out is a number of seconds above 0; seen {short(idle_timeout)}")
        for port in (http_port, https_port):
            if not isinstance(port, int) or not 0 <= port <= 65535:
                raise LabError(f"a port is a number from 0, for any that is free, to 65535; seen {short(port)}")
        self._ports = {"http": http_port, "https": https_port}
        self._idle = idle_timeout
        self._sites: dict[str, Site] = {}
        self._server: Server | None = None
        self._rooms: list[Room] = []
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self.log = Log(clock, self.catch_up)

    # ── opening and closing

    def open(self) -> Lab:
        """Make the authority and listen.

        Raises:
            LabError: a port is in use.
        """
        if self._server is not None:
            raise LabError("a lab is opened once, and again only after close()")
        self._directory = tempfile.TemporaryDirectory(prefix="hstssim-lab-")
        try:
            self._authority = Authority(self._directory.name)
            server = Server(dict(self._ports), self._authority, self.log, self._find, self._idle)
            server.open()
        except BaseException as error:
            self._directory.cleanup()
            if isinstance(error, OSError):
                asked = " and ".join(f"{name}_port={port}" for name, port in self._ports.items() if port)
                message = f"a lab needs free ports on {LOOPBACK} (0 takes any that is free); seen {asked}: {error}"
                raise LabError(message) from None
            raise
        self._server = server
        return self

    def close(self) -> None:
        """Close the rooms and every connection, end the thread, remove the files. The log stays."""
        while self._rooms:
            self._rooms.pop().close()
        if self._server is not None and self._directory is not None:
            self._server.close()
            self._directory.cleanup()
            self._server = None

    def __enter__(self) -> Lab:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def reset(self) -> None:
        """Close the connections, forget sites and log: a new lab at the old ports, with the old authority."""
        if self._server is not None:
            self._server.cut()
        self._sites.clear()
        self.log.clear()

    def cut(self, host: str) -> None:
        """Close the connections that were begun with this name, so that its certificate is looked at anew."""
        if self._server is not None:
            self._server.cut(host)

    # ── sites

    def site(
        self,
        name: str,
        *,
        sts: str | bytes | Sequence[str | bytes] = (),
        certificate: str = "valid",
        subdomains: bool = True,
        refuse_tls: bool = False,
    ) -> Site:
        """Make a site.

        Args:
            name: a host, or an IP address, or `*`: whatever no other site answers for.
            sts: the Strict-Transport-Security fields of its answers over https, raw, one or several.
            certificate: its kind: valid, expired, not-yet-valid, wrong-name, self-signed, unknown-issuer,
                wildcard, ip-address.
            subdomains: whether it also answers for the names below it that have no site of their own.
            refuse_tls: answer a ClientHello with an alert.

        Raises:
            LabError: the name is no host or is taken, or the rest could not be sent.
        """
        domain = name if name == EVERYTHING else site_name(name)
        if domain in self._sites:
            raise LabError(
                f"a name has one site, which `on` and its attributes change; seen a second {short(name)}"
            )
        site = Site(
            domain, self.log, sts=sts, certificate=certificate, subdomains=subdomains, refuse_tls=refuse_tls
        )
        self._sites[domain] = site
        return site

    @property
    def sites(self) -> list[Site]:
        """All sites."""
        return list(self._sites.values())

    def site_of(self, host: str) -> Site:
        """The site that answers for a host.

        Raises:
            LabError: none does.
        """
        site = self._find(site_name(host))
        if site is None:
            known = ", ".join(list(self._sites)[:10]) or "none"
            raise LabError(
                f"a host is a site's or below one (there are: {known}), lab.site makes one; seen {short(host)}"
            )
        return site

    def answers_for(self, host: str) -> bool:
        """Whether a canonical host is a site's, or below one."""
        return self._find(host) is not None

    def _find(self, host: str) -> Site | None:
        if not host:  # no name is sent for an address (RFC 6066 §3): take it for the newest site that has one
            addresses = (site for site in reversed(self.sites) if hosts.is_ip_address(site.name))
            return next(addresses, self._sites.get(EVERYTHING))
        return find(self._sites, host) or self._sites.get(EVERYTHING)

    # ── what was seen

    @property
    def requests(self) -> list[Request]:
        """Every request, in the order in which it came."""
        return self.log.requests

    @property
    def plaintext_requests(self) -> list[Request]:
        """Those to sites of the lab that travelled in the clear."""
        return [request for request in self.requests if request.plaintext and request.site is not None]

    @property
    def unknown_requests(self) -> list[Request]:
        """Those for a name that no site answers for."""
        return [request for request in self.requests if request.site is None]

    def assert_no_plaintext(self) -> None:
        """Fail if a request to any site travelled in the clear (RFC 6797 §8.3).

        Raises:
            AssertionError: one did; it says what was required, expected and seen.
        """
        assert_no_plaintext(
            [request for request in self.requests if request.site is not None], "any site of the lab"
        )

    def catch_up(self) -> None:
        """Wait until the server has dealt with every byte that had arrived."""
        if self._server is not None:
            self._server.catch_up()

    # ── getting there

    @property
    def http_port(self) -> int:
        """The port where plaintext is expected."""
        return self._open().ports["http"]

    @property
    def https_port(self) -> int:
        """The port where TLS is expected."""
        return self._open().ports["https"]

    @property
    def proxy_url(self) -> str:
        """The forward proxy that leads to the lab's sites and nowhere else."""
        return self._way().proxy_url

    @property
    def authority(self) -> Authority:
        """Who makes the certificates."""
        self._open()
        return self._authority

    @property
    def ca_file(self) -> str:
        """The PEM file of the lab's authority."""
        return self.authority.file

    def ssl_context(self) -> ssl.SSLContext:
        """A client's context that trusts the lab's authority, and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.ca_file)
        return context

    def client_env(self, client: str | None = None) -> dict[str, str]:
        """The environment that brings a child process to the lab, to add to its own: proxy and authority.

        `client="chromium"` adds a HOME where Chromium finds an NSS database that trusts the authority,
        `client="wget"` a WGETRC.

        Raises:
            LabError: we do not know the client, or certutil is missing.
        """
        return clients.environment(self._way(), client)

    def client_args(self, client: str) -> list[str]:
        """The arguments that bring `curl`, `wget`, `chromium` or `firefox` to the lab.

        Raises:
            LabError: we do not know the client, or certutil is missing.
        """
        return clients.arguments(self._way(), client)

    @contextmanager
    def in_process(self) -> Iterator[Lab]:
        """While it lasts, Python code in this process reaches the lab's names at every port (`resolve.py`).

        The environment points to the lab's authority, and to no proxy (`trust.py`). So requests, urllib3 and
        urllib.request work without a word, also by a Session or PoolManager made before; aiohttp (3.10 or later)
        by a session made before, too; httpx by a Client made inside, for it reads the environment when it is made.

        What has a TLS context, a CA file or a proxy of its own keeps it, and what leaves the environment unread
        (`trust_env=False` of requests and httpx; a prepared request sent by `Session.send`; aiohttp before 3.10,
        whose context is that of its first request) trusts the lab only if given `ssl_context()` or `ca_file`.
        """
        with trusting(self.ca_file), resolving(self):
            yield self

    def sealed(self, *, ports: Sequence[int] = (80, 443, 8080, 8443), fresh_home: bool = False) -> Room:
        """A room where programs run unchanged and reach the lab, under every name, and nothing else (Linux).

        ```python
        with lab.sealed() as room:
            room.run(["wget", "http://shop.test/"])
        ```

        Args:
            ports: where the lab listens in there; each understands plaintext and TLS.
            fresh_home: give programs an empty HOME, which goes with the lab, so that they know nothing and keep
                nothing. Otherwise they use the user's settings and state files, as they do outside.

        Raises:
            LabError: the system has no namespaces for us, or a port is none.
        """
        if not sys.platform.startswith("linux"):
            raise LabError(f"a sealed room needs the namespaces of Linux: {clients.INSTEAD}; seen {sys.platform}")
        from hstssim.lab.sealed import Room

        room = Room(self._open(), self._authority, os.path.dirname(self.ca_file), ports, fresh_home)
        self._rooms.append(room)
        return room

    def _way(self) -> clients.Way:
        server = self._open()
        return clients.Way(
            server.ports["http"], server.ports["https"], self.ca_file, os.path.dirname(self.ca_file)
        )

    def _open(self) -> Server:
        if self._server is None:
            raise LabError("a lab has ports and files while it is open: `with Lab() as lab`, or lab.open()")
        return self._server

    def __repr__(self) -> str:
        where = f"ports {self.http_port} and {self.https_port}" if self._server else "closed"
        return f"<Lab {where}, {len(self._sites)} sites>"
