"""What a store of a million entries costs, beside a JSON file that is rewritten whole, as Chrome does it.

`python tests/benchmarks/store.py` prints one table. Chromium puts its rewrite off by ten minutes, and loses
what it learned in them if it is killed; here each side has the entry in the file when it is done.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from statistics import median

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from hstssim import HSTSStore, Interceptor, KnownHost, open_store
from hstssim.formats import FORMATS, write
from tests.benchmarks.run import Row, as_line

OPENS = 3.0
ONE_MORE = 1.0
ROUNDS = 5


def entries(count: int) -> Iterator[KnownHost]:
    now = time.time()
    return (KnownHost(f"host{n}.example.com", bool(n & 1), now, now + 31_536_000) for n in range(count))


def spent(call: Callable[[], object], rounds: int) -> float:
    """Seconds of the clock on the wall for one call, the median."""
    took = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        took.append(time.perf_counter() - begin)
    return median(took)


def rows(count: int) -> Iterator[Row]:
    number = iter(range(10**9))
    with tempfile.TemporaryDirectory() as folder:
        ours, chromes = os.path.join(folder, "hsts.sqlite"), os.path.join(folder, "TransportSecurity")
        write(ours, entries(count), FORMATS["hstssim"], 0.0)
        begin = time.perf_counter()
        store = open_store(ours)
        yield Row(f"open {count:,} entries", time.perf_counter() - begin, "s").judged(most=OPENS)
        with store:
            ten = HSTSStore()
            ten.load(entries(10))
            asked = "http://host5.example.com/"
            of_many, of_ten = Interceptor(store), Interceptor(ten)
            many = spent(lambda: [of_many.request(asked).upgraded for _ in range(10_000)], ROUNDS) / 10_000
            few = spent(lambda: [of_ten.request(asked).upgraded for _ in range(10_000)], ROUNDS) / 10_000
            yield Row("a decision then", many * 1e6, "µs", many / few).judged(most=1.5, of="with ten")
            more = spent(lambda: store.note(f"new{next(number)}.test", "max-age=1000"), 100)
            write(chromes, entries(count), FORMATS["chrome"], 0.0)
            with open_store(chromes) as json_store:
                whole = spent(lambda: json_store.note(f"new{next(number)}.test", "max-age=1000"), 3)
            yield Row("one more entry", more * 1e3, "ms", whole / more).judged(most=ONE_MORE)
            yield Row("one more entry, JSON rewritten", whole * 1e3, "ms")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what a store in a file costs.")
    parser.add_argument("--quick", action="store_true", help="a hundredth of the size")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")
    options = parser.parse_args()
    if not options.json:
        print(f"{'':<42}{'measured':<15}{'ratio':>8}  {'target':<26}reached")
    for row in rows(10_000 if options.quick else 1_000_000):
        print(json.dumps(row._asdict()) if options.json else as_line(row), flush=True)


if __name__ == "__main__":
    main()
