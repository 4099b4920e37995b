"""What a navigation costs: `python tests/benchmarks/navigation.py` prints one table.

CPU time of scripted navigations in units of an empty Python call of the same run, the best of seven rounds; the
wall time of `hstssim trace` as a whole process against the lab. Speed is measured here, not asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from hstssim import CHROME, Browser, HSTSStore, PreloadList, ScriptedNetwork
from hstssim.lab import Lab, to_https
from tests.benchmarks.run import Row, as_line

ROUNDS = 7
MOST_CALLS = 5000
MOST_SECONDS = 0.4


def three_hops() -> Browser:
    network = ScriptedNetwork()
    shop = network.site("shop.test")
    shop.on("/", scheme="http", redirect=to_https, status=301)
    shop.on("/", scheme="https", redirect="https://www.shop.test/x", status=302)
    network.site("www.shop.test", sts="max-age=1000")
    profile = CHROME.replace(redirect_cache=False)
    return Browser(profile, HSTSStore(profile=profile, preload=PreloadList.bundled()), network)


def spent(call: Callable[[], object], count: int) -> float:
    """Seconds of CPU a call."""
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(count):
            call()
        best = min(best, (time.process_time() - begin) / count)
    return best


def rows(count: int) -> Iterator[Row]:
    browser = three_hops()
    empty = spent(lambda: None, count * 100)
    for name, url in (("http, https, www", "http://shop.test/"), ("internal 307, 200", "http://www.shop.test/")):
        browser.navigate("http://shop.test/")
        cost = spent(lambda url=url: browser.navigate(url), count)  # type: ignore[misc]
        yield Row(f"navigate: {name}", cost * 1e6, "µs", cost / empty).judged(most=MOST_CALLS, of="empty call")
    yield from whole_process()


def whole_process() -> Iterator[Row]:
    with Lab() as lab:
        lab.site("shop.test").on("/", scheme="http", redirect=to_https)
        environment = {**os.environ, **lab.client_env(), "PYTHONPATH": sys.path[0]}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        took = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            command = [sys.executable, "-m", "hstssim", "trace", "http://shop.test/"]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            took.append(time.perf_counter() - begin)
    yield Row("hstssim trace, two hops, wall", median(took), "s").judged(most=MOST_SECONDS)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a navigation costs.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")
    options = parser.parse_args()
    if not options.json:
        print(f"{'':<42}{'measured':<15}{'ratio':>8}  {'target':<26}reached")
    for row in rows(50 if options.quick else 500):
        print(json.dumps(row._asdict()) if options.json else as_line(row), flush=True)


if __name__ == "__main__":
    main()
