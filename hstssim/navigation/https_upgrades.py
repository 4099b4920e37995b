"""HTTPS-Upgrades: Chrome's attempt to reach public names by https, whatever HSTS says, with a way back.

Told apart from HSTS by `Non-Authoritative-Reason: HttpsUpgrades`. As
chrome/browser/ssl/https_upgrades_interceptor.cc; which names it takes was observed on Chromium 156.
"""

from __future__ import annotations

import ipaddress

from hstssim import host as hosts
from hstssim.network import Request
from hstssim.site import has_public_suffix

PATIENCE = 3.0
"""Seconds after which an upgraded navigation goes back to http (kFallbackDelay)."""


class HTTPSUpgrades:
    """Which hosts are tried by https, and which were found to have none.

    One for each browser, for what failed once is left alone.
    """

    def __init__(self) -> None:
        self.plain_hosts: set[str] = set()
        """Hosts that had no https when they were tried."""

    def applies(self, request: Request) -> bool:
        """Whether a request of the main frame is tried by https first."""
        if request.method != "GET" or not request.plaintext or request.port != 80:
            return False
        host = request.host
        return host not in self.plain_hosts and _is_public(host)


def _is_public(host: str) -> bool:
    """Whether a host is one that anybody might reach: a name below a public suffix, a global IPv4 address."""
    if host[:1] == "[":
        return False
    if hosts.is_ip_address(host):
        address = ipaddress.ip_address(host.removesuffix("."))
        return address.is_global and not address.is_multicast
    return has_public_suffix(host)
