"""DNS in a sealed room: every name is 127.0.0.1, and has nothing else (RFC 1035).

Never here: sockets.
"""

from __future__ import annotations

from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

ADDRESS = "127.0.0.1"


class Lookup(NamedTuple):
    """A question that was asked."""

    name: str
    """As asked, without a dot at its end."""
    type: str
    """`A`, `AAAA`, `HTTPS`, …"""


def answer(question: bytes) -> tuple[bytes, Lookup | None]:
    """What is sent for a message, nothing for one that is no question; and what was asked."""
    try:
        asked = dns.message.from_wire(question)
    except (dns.exception.DNSException, ValueError):
        return b"", None
    if asked.flags & dns.flags.QR:
        return b"", None
    reply = dns.message.make_response(asked, recursion_available=True)
    if len(asked.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)
        return reply.to_wire(), None
    [entry] = asked.question
    if entry.rdtype in (dns.rdatatype.A, dns.rdatatype.ANY) and entry.rdclass == dns.rdataclass.IN:
        reply.answer.append(dns.rrset.from_text(entry.name, 1, "IN", "A", ADDRESS))
    return reply.to_wire(), Lookup(entry.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(entry.rdtype))
