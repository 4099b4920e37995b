"""Programs that tests ask: where one is missing the test skips and names it, or fails if CI has installed all."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("HSTSSIM_REQUIRE_PROGRAMS") == "1":
        pytest.fail(what)
    pytest.skip(what)


def need(*commands: str) -> None:
    """See that programs are installed."""
    for command in commands:
        if shutil.which(command) is None:
            missing(f"{command} is not installed")
