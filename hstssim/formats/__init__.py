"""State files of other programs: which format one has, and what it knows.

A file with bad lines yields its good entries and the complaints.
"""

from __future__ import annotations

from hstssim.errors import FormatError, InvalidHost
from hstssim.formats import curl, wget
from hstssim.store import HSTSStore

FORMATS = (curl, wget)

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
    lines = [line.strip(" \t\r") for line in data.decode("utf-8", "surrogateescape").split("\n")]
    heading = "\n".join(line for line in lines if line.startswith("#"))
    entries = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    form = next((form for form in FORMATS if form.HEADING in heading), None) or next(
        (form for form in FORMATS for _, line in entries if form.LINE.fullmatch(line)), None
    )
    if form is None and not entries:
        return []
    if form is None:
        raise FormatError("a state file of curl, wget or wget2 is required; this is none of them", path=path)
    complaints = []
    added: set[tuple[str, int]] = set()
    now = store.now()
    for number, line in entries:
        try:
            entry = form.entry(line, heading)
            if entry.port and store.profile.key != "domain and port":
                raise FormatError(f"port {entry.port}: only wget keeps HSTS by port; this entry is left out")
            known = store.get(entry.domain, port=entry.port)
            if known is not None and known.expiry > now:
                entry = form.merged(known, entry) if entry.expiry > now else known
            store.add(
                entry.domain,
                include_subdomains=entry.include_subdomains,
                expiry=entry.expiry,
                last_observed=entry.last_observed,
                port=entry.port,
            )
            added.add((entry.domain, entry.port))
        except (FormatError, InvalidHost) as error:
            complaints.append(FormatError(str(error), format=form.NAME, path=path, line=number))
    lost = sum(store.get(domain, port=port) is None for domain, port in added)
    if lost:
        limit = f"{store.profile.name} keeps at most {store.profile.max_entries} entries; {lost} are left out"
        complaints.append(FormatError(limit, format=form.NAME, path=path))
    return complaints
