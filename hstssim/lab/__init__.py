"""The lab: real TLS on loopback, to see how an HTTP client handles HSTS. Begin reading with `lab.py`."""

from hstssim.lab.lab import Lab
from hstssim.lab.log import Connection, HandshakeFailure, Log, Request
from hstssim.lab.site import Site
from hstssim.script import KINDS, Kind, to_https

__all__ = ["KINDS", "Connection", "HandshakeFailure", "Kind", "Lab", "Log", "Request", "Site", "to_https"]
