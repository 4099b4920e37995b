from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("name", "least"), [("run.py", 16), ("lab.py", 11), ("adapters.py", 6), ("navigation.py", 3), ("store.py", 4)]
)
def test_the_benchmarks_print_their_rows(name: str, least: int) -> None:
    script = Path(__file__).with_name(name)
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--json"], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) >= least
