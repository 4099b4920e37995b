"""Which programs there are to ask."""

from __future__ import annotations

import pytest

from tests import programs
from tests.oracle.programs import PROGRAMS, Program


@pytest.fixture(params=PROGRAMS, ids=[program.command for program in PROGRAMS])
def program(request: pytest.FixtureRequest) -> Program:
    """Each program in turn, if it is installed in the version that its profile is made after."""
    program: Program = request.param
    missing = program.missing()
    if missing is not None:
        programs.missing(missing)
    other = program.other_version()
    if other is not None:
        pytest.skip(f"profile {program.profile} is made after another version than {other}")
    return program
