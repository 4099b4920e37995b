"""A whole navigation: internal and server redirects together. Begin reading with `browser.py`."""

from hstssim.navigation.browser import Browser, Hop, Navigation

__all__ = ["Browser", "Hop", "Navigation"]
