"""The shapes of a field value that nearly every server sends, read at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hstssim.header.directives import Directives, Problem, unknown

# RFC 9110 §5.6.2. RFC 6797 borrows `token` from RFC 2616 §2.2, which allows the same characters.
TCHARS = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PLAIN_UNKNOWN = re.compile(rf'[ \t]*{TCHARS}[ \t]*(?:=[ \t]*(?:{TCHARS}|"[ !#-:<-\[\]-~]*")[ \t]*)?')

_new = tuple.__new__  # half the time of a NamedTuple's own
_FEW = 8  # directives that are not known, before a scan, which keeps them in a set, is quicker


def quick(value: str, cap: int | None) -> Directives | None:
    """The value if it is free of the unusual, else None.

    Where it answers, every strict grammar says the same. Its only remarks are on directives that are not known.
    """
    max_age = None
    include_subdomains = preload = False
    strange: tuple[str, ...] = ()
    pieces = value.split(";")
    for piece in pieces:
        name, equals, argument = piece.partition("=")
        name = name.strip(" \t").lower()
        if name == "max-age":
            argument = argument.strip(" \t")
            if argument[:1] == '"' == argument[-1:]:
                argument = argument[1:-1]
            if max_age is not None or not argument.isdigit() or not argument.isascii() or len(argument) > 18:
                return None
            max_age = int(argument)
        elif name == "includesubdomains":
            if equals or include_subdomains:
                return None
            include_subdomains = True
        elif name == "preload":
            if equals or preload:
                return None
            preload = True
        elif name or equals:
            if name in strange or not _PLAIN_UNKNOWN.fullmatch(piece):
                return None
            strange += (name,)
            if len(strange) > _FEW:
                return None
    if max_age is None or (cap is not None and max_age > cap):
        return None
    remarks = tuple(_remarks(pieces, strange)) if strange else ()
    return _new(Directives, (max_age, include_subdomains, preload, max_age, remarks))


def _remarks(pieces: list[str], strange: tuple[str, ...]) -> Iterator[Problem]:
    begin = 0
    for piece in pieces:
        name = piece.partition("=")[0].strip(" \t")
        if name.lower() in strange:
            yield unknown(name, begin + len(piece) - len(piece.lstrip(" \t")))
        begin += len(piece) + 1
