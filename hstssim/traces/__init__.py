"""A navigation as people read it: as text (`text.py`), as an HTTP Archive (`har.py`)."""

from hstssim.traces.har import har
from hstssim.traces.text import beside, explained, lessons, lines

__all__ = ["beside", "explained", "har", "lessons", "lines"]
