"""State files of other programs: which format one has, and what it knows.

A file with bad lines yields its good entries and the complaints.
"""

from __future__ import annotations

from hstssim.errors import FormatError, InvalidHost
from hstssim.formats import curl, wget
from hstssim.store import HSTSStore

_MAX_BYTES = 256 * 1024 * 1024


def read_into(store: HSTSStore, path: str) -> list[FormatError]:
    """Add the entries of a state file to `store`, and give the complaints about the others.

    The format is recognised by content: curl's, wget's, or wget2's.

    Raises:
        FormatError: the file cannot be read, or has none of these formats.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(f"a state file must be readable; {reason}", path=path) from error
    if len(data) > _MAX_BYTES:
        raise FormatError(f"a state file has at most {_MAX_BYTES} bytes", path=path)
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    form = next((form for form in (curl, wget) if form.recognises(lines)), None)
    if form is None:
        raise FormatError("a state file of curl, wget or wget2 is required; this is none of them", path=path)
    complaints = []
    for number, line in enumerate(lines, 1):
        text = line.strip(" \t\r")
        if not text or text.startswith("#"):
            continue
        try:
            entry = form.entry(text)
            known = store.get(entry.domain)
            if known is not None:
                entry = form.merged(known, entry)
            store.add(
                entry.domain,
                include_subdomains=entry.include_subdomains,
                expiry=entry.expiry,
                last_observed=entry.last_observed,
            )
        except (FormatError, InvalidHost) as error:
            complaints.append(FormatError(str(error), format=form.__name__, path=path, line=number))
    return complaints
