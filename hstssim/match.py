"""Matching a domain against entries: congruent match and superdomain match (RFC 6797 §8.2).

The walk from a domain up its superdomains is written here once; what differs between the dynamic store and
the preload list, and between browsers, comes in as an argument. Never here: where entries are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, NamedTuple

from hstssim.profile import Decides
from hstssim.times import iso

if TYPE_CHECKING:
    from typing import Protocol

    from hstssim.store import KnownHost

    class Entry(Protocol):
        """What the walk asks of an entry, dynamic or preload."""

        def match_or_reason(self, congruent: bool) -> Match | str:
            """The match with the host, or the code of the reason why the entry does not cover it."""


Record = Callable[[str, str], None]
"""Is told each domain that was asked for and the result."""

MATCH = "match"
UNKNOWN_HOST = "unknown-host"
EXPIRED = "expired"


class Match(NamedTuple):
    """An entry that applies to a host."""

    domain: str
    """The domain of the entry."""
    congruent: bool
    """Whether the entry is the host's own; else it is a superdomain's and includes subdomains."""
    include_subdomains: bool
    """Whether the entry covers the subdomains of its domain."""
    known: KnownHost | None = None
    """The entry itself where it is a dynamic one."""

    @property
    def match(self) -> str:
        """`congruent` or `superdomain`."""
        return "congruent" if self.congruent else "superdomain"

    @property
    def last_observed(self) -> float | None:
        """POSIX seconds; None for a preload entry."""
        return None if self.known is None else self.known.last_observed

    @property
    def expiry(self) -> float | None:
        """POSIX seconds; None for a preload entry."""
        return None if self.known is None else self.known.expiry

    def as_dict(self) -> dict[str, object]:
        """The match as `hstssim query --json` writes it; times in ISO 8601."""
        values: dict[str, object] = {
            "domain": self.domain,
            "match": self.match,
            "include_subdomains": self.include_subdomains,
        }
        if self.known is not None:
            values["last_observed"] = iso(self.known.last_observed)
            values["expiry"] = None if self.known.expiry == float("inf") else iso(self.known.expiry)
        return values


def walk(
    domain: str,
    get: Callable[[str], Entry | None],
    decides: Decides,
    congruent: bool = True,
    *,
    record: Record | None = None,
) -> Match | str:
    """Look for the entry that applies to `domain`, from the domain itself upward.

    Args:
        domain: the host's, or a superdomain of it, and then `congruent` is False.
        get: gives the entry of exactly a domain.
        decides: whether an entry that does not cover the host hides those above it.
        record: is told each domain asked for, with `no-entry`, `match` or the code of a reason.

    Returns:
        The match, or the code of the reason why there is none, that of the nearest entry.
    """
    missed = UNKNOWN_HOST
    while True:
        entry = get(domain)
        if entry is not None:
            found = entry.match_or_reason(congruent)
            if record is not None:
                record(domain, found if isinstance(found, str) else MATCH)
            if not isinstance(found, str) or decides == "nearest entry":
                return found
            if found is EXPIRED and decides == "nearest covering entry":
                return found
            if missed is UNKNOWN_HOST:
                missed = found
        elif record is not None:
            record(domain, "no-entry")
        domain = domain.partition(".")[2]
        if not domain:
            return missed
        congruent = False


def nearest(domain: str, names: Container[str]) -> str:
    """The first of `domain` and its superdomains, going up, that is among `names`; empty if none is.

    A walk may begin there: it would not have met an entry before.
    """
    while domain and domain not in names:
        domain = domain.partition(".")[2]
    return domain
