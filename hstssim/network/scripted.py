"""A network in memory: sites in a few lines, no sockets, no waiting; for tests and teaching.

```python
network = ScriptedNetwork()
shop = network.site("shop.test", sts="max-age=31536000")
shop.on("/", scheme="http", redirect=to_https, status=301)
```
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from hstssim.errors import LabError, short
from hstssim.host import is_ip_address
from hstssim.network.message import CertificateFault, NetError, Request, Response, certificate_error
from hstssim.script import Kind, Script, find, site_name

_FAULTS: dict[Kind, CertificateFault] = {
    "expired": "expired",
    "not-yet-valid": "not-yet-valid",
    "wrong-name": "wrong-name",
    "self-signed": "self-signed",
    "unknown-issuer": "unknown-issuer",
    "ip-address": "wrong-name",
}
_ADDRESS = "192.0.2.1"  # of documentation (RFC 5737)
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class ScriptedSite(Script):
    """A name of a scripted network, which answers for itself and the names below it that have no site."""

    def __init__(self, name: str, network: ScriptedNetwork, **options: object) -> None:
        super().__init__(name, **options)  # type: ignore[arg-type]
        self.down: str | None = None
        self._network = network

    @property
    def requests(self) -> list[Request]:
        """Every request that reached this site."""
        return [request for request, site in self._network.log if site is self]

    @property
    def plaintext_requests(self) -> list[Request]:
        """Those that travelled in the clear."""
        return [request for request in self.requests if request.plaintext]

    def __repr__(self) -> str:
        return f"<ScriptedSite {self.name}, {self.certificate} certificate, {self.sts or 'no policy'}>"


class ScriptedNetwork:
    """Sites in memory, scripted as those of the lab (`Script.on`). A name without a site does not resolve."""

    def __init__(self) -> None:
        self.sites: dict[str, ScriptedSite] = {}
        self.log: list[tuple[Request, ScriptedSite]] = []
        """Each request that arrived, and the site that it reached."""

    def site(
        self,
        name: str,
        *,
        sts: str | bytes | Sequence[str | bytes] = (),
        certificate: str = "valid",
        subdomains: bool = True,
        refuse_tls: bool = False,
        down: str | None = None,
    ) -> ScriptedSite:
        """Make a site.

        Args:
            name: a host, or an IP address.
            sts: the Strict-Transport-Security fields of its answers over https, one or several.
            certificate: its kind, as in the lab: valid, expired, wrong-name …
            subdomains: whether it also answers for the names below it that have no site of their own.
            refuse_tls: fail every TLS handshake.
            down: the net error that meets every request instead of an answer, `ERR_CONNECTION_REFUSED`.

        Raises:
            LabError: the name is no host or is taken, or the rest could not be sent.
        """
        domain = site_name(name)
        if domain in self.sites:
            raise LabError(
                f"a name has one site, which `on` and its attributes change; seen a second {short(name)}"
            )
        if down is not None and not (isinstance(down, str) and down.startswith("ERR_")):
            raise LabError(f"a net error has Chromium's name, as ERR_CONNECTION_REFUSED; seen {short(down)}")
        site = ScriptedSite(
            domain, self, sts=sts, certificate=certificate, subdomains=subdomains, refuse_tls=refuse_tls
        )
        site.down = down
        self.sites[domain] = site
        return site

    @property
    def requests(self) -> list[Request]:
        """Every request that arrived, in order."""
        return [request for request, _ in self.log]

    @property
    def plaintext_requests(self) -> list[Request]:
        """Those that travelled in the clear."""
        return [request for request in self.requests if request.plaintext]

    def send(self, request: Request, *, verify: bool = True, timeout: float | None = None) -> Response | NetError:
        """Answer a request by the script of its site; a delay longer than `timeout` is ERR_TIMED_OUT."""
        host = request.host
        site = find(self.sites, host)
        if site is None:
            return NetError("ERR_NAME_NOT_RESOLVED", f"the network has no site for this name; seen {host}")
        if site.down is not None:
            return NetError(site.down, f"{site.name} is scripted so")
        secure = not request.plaintext
        if secure:
            if site.refuse_tls:
                return NetError("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", f"{site.name} refuses TLS")
            fault = _fault(site, host)
            if fault is not None and verify:
                return certificate_error(fault, host)
        self.log.append((request, site))
        reply = site.reply(request)
        if timeout is not None and reply.delay > timeout:
            return NetError("ERR_TIMED_OUT", f"an answer within {timeout:g} s; seen none from {site.name}")
        if reply.drop:
            return NetError("ERR_EMPTY_RESPONSE", f"{site.name} closed the connection without an answer")
        body = b"" if request.method == "HEAD" else reply.body
        return Response(
            reply.status,
            _PHRASES.get(reply.status, ""),
            tuple(reply.headers),
            body,
            verified=secure and verify and fault is None,
            address=host if is_ip_address(host) else _ADDRESS,
        )

    def __repr__(self) -> str:
        return f"<ScriptedNetwork, {len(self.sites)} sites>"


def _fault(site: ScriptedSite, host: str) -> CertificateFault | None:
    if site.certificate == "ip-address" and host == "127.0.0.1":
        return None
    if site.certificate == "wildcard":
        name = host.removesuffix(".")
        return None if name == site.name or name.partition(".")[2] == site.name else "wrong-name"
    return _FAULTS.get(site.certificate)
