from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_benchmarks_print_their_rows() -> None:
    script = Path(__file__).with_name("run.py")
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--json"], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 15
