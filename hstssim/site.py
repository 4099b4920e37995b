"""Sites: the registrable domain of a host, by which some browsers partition what they keep.

The public suffix list is publicsuffixlist's; it is read at the first question.
"""

from __future__ import annotations

from functools import lru_cache

from hstssim import host as hosts
from hstssim import url as urls
from hstssim.errors import InvalidHost, MissingExtra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def site(top_level: str) -> str:
    """The site of a host or URL: one label below a public suffix; IP addresses and suffixes are their own.

    A trailing dot stays, so that `example.com.` is another site than `example.com`. Schemes and ports do not
    count (Firefox, OriginAttributes.cpp, PopulateTopLevelInfoFromURI, with https for http).

    Raises:
        InvalidHost, InvalidURL: no browser takes it.
        MissingExtra: publicsuffixlist is not installed, or ada-url is needed and is not.
    """
    if not isinstance(top_level, str):
        raise InvalidHost(top_level, f"a site is a str, not {type(top_level).__name__}")
    return _site(top_level)


@lru_cache(16_384)
def _site(top_level: str) -> str:
    host = urls.parse(top_level)[1] if "://" in top_level else hosts.canonical(top_level)
    if not host:
        raise InvalidHost(top_level, "a site has a host")
    return registrable_domain(host)


def registrable_domain(host: str) -> str:
    """The site of a canonical host.

    Raises:
        MissingExtra: publicsuffixlist is not installed.
    """
    if hosts.is_ip_address(host):
        return host
    name = host.removesuffix(".")
    return str(_public_suffixes().privatesuffix(name) or name) + host[len(name) :]


def has_public_suffix(name: str) -> bool:
    """Whether a canonical name ends in a suffix of the public suffix list, and is more than one label.

    Raises:
        MissingExtra: publicsuffixlist is not installed.
    """
    labels = name.removesuffix(".").split(".")
    if len(labels) < 2 or not all(labels):
        return False
    return _public_suffixes().publicsuffix(".".join(labels), accept_unknown=False) is not None


@lru_cache(1)
def _public_suffixes() -> PublicSuffixList:
    try:
        from publicsuffixlist import PublicSuffixList
    except ImportError as error:
        raise MissingExtra(
            "a profile that keeps entries by site needs publicsuffixlist: pip install publicsuffixlist"
        ) from error
    return PublicSuffixList()
