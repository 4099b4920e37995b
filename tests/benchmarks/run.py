"""How fast hstssim is, beside its peers: `python tests/benchmarks/run.py` prints one table.

CPU time, best of five rounds, each round with `str` objects that nothing has seen or hashed. All rounds of one
candidate run before those of its peer, which reads its file at each call and so empties the processor's caches.
Speed is measured here, not asserted: a missed target is a `no` in the table, a missing peer a note.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count, islice
from typing import Any, NamedTuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)  # what is measured is this checkout, here and in the processes started below

import hstssim  # noqa: E402
from hstssim import CHROME, PROFILES, HSTSStore, Interceptor, PreloadList, parse_header  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
ROUNDS = 5

MISSES = ("{}.com", "www.{}.com", "cdn.img.{}.com", "{}.net", "www.{}.net", "{}.co.uk", "www.{}.co.uk")
TYPICAL = (
    "max-age={}",
    "max-age={}; includeSubDomains",
    "max-age={}; includeSubDomains; preload",
    "max-age={};includeSubdomains;preload",
    "max-age={}; preload",
)
UNUSUAL = (
    'max-age="{}"',
    'MAX-AGE = "{}" ; includeSubDomains',
    "max-age={}; includeSubDomains; report-uri=example",
    'max-age={}; note="a;b, \\"c\\""; includeSubDomains',
    "max-age={}; includeSubDomains; always",
)

COLD = "PreloadList.bundled().match('www.github.com')"
LOAD = "PreloadList.bundled().load()"
SECONDS = """
import time
from hstssim import PreloadList
begin = time.process_time()
{}
print(time.process_time() - begin)
"""
PYTHON_BYTES = """
import tracemalloc
from hstssim import PreloadList
tracemalloc.start()
kept = {}
print(tracemalloc.get_traced_memory()[1])
"""
PRIVATE_BYTES = """
from hstssim import PreloadList
def private():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))
private()
before = private()
kept = {}
print(private() - before)
"""

# On Linux a child's peak begins at the size of the process that starts it, so a small one does.
LAUNCHER = """
import os, sys, time
stdin, *command = sys.argv[1:]
streams = [(os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0)]
streams += [(os.POSIX_SPAWN_OPEN, output, os.devnull, os.O_WRONLY, 0) for output in (1, 2)]
begin = time.perf_counter()
child = os.posix_spawn(command[0], command, os.environ, file_actions=streams)
used = os.wait4(child, 0)[2]
wall = time.perf_counter() - begin
print(used.ru_utime + used.ru_stime, wall, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


class Row(NamedTuple):
    name: str
    measured: float | None = None
    unit: str = ""
    ratio: float | None = None
    target: str = ""
    reached: bool | None = None
    note: str = ""

    def judged(self, *, least: float | None = None, most: float | None = None, of: str = "") -> Row:
        """With a target, for the ratio to `of` if there is one, else for what was measured."""
        value = self.ratio if of else self.measured
        target = f">= {least:,}" if least is not None else f"<= {most:,}"
        reached = None if value is None else value >= least if least is not None else value <= (most or 0)
        return self._replace(target=f"{target} {'x ' + of if of else self.unit}", reached=reached)


class Usage(NamedTuple):
    cpu: float
    wall: float
    peak: int


# In one process


def seconds(call: Callable[[Any], object], batches: Iterable[list[Any]]) -> float:
    """CPU seconds of one call, in the best of the batches."""
    best = float("inf")
    for batch in batches:
        begin = time.process_time()
        for item in batch:
            call(item)
        best = min(best, (time.process_time() - begin) / len(batch))
    return best


def rounds(items: Iterator[str], size: int) -> Iterator[list[str]]:
    return (list(islice(items, size)) for _ in range(ROUNDS))


def empty(item: object) -> None:
    pass


def empty_call(size: int) -> float:
    """The unit, CPU seconds: measured again and again, since a shared machine changes its speed."""
    return seconds(empty, [[None] * size] * ROUNDS)


def peer(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def versus(name: str, own: float, peer_name: str, theirs: float | None, least: float) -> list[Row]:
    if theirs is None:
        return [
            Row(f"  {peer_name}", note=f"{peer_name.partition('.')[0]} is not installed"),
            Row(name, own * 1e6, "us").judged(least=least, of="faster"),
        ]
    return [
        Row(f"  {peer_name}", theirs * 1e6, "us"),
        Row(name, own * 1e6, "us", theirs / own).judged(least=least, of="faster"),
    ]


def mixed_hosts(names: list[bytes], seed: str) -> Iterator[str]:
    """Hosts that differ: 4 of 10 are listed names, with www., or below one; the others are on no list."""
    chance = random.Random(seed)
    as_listed = iter(names)
    with_www = reversed(names)
    for serial in count():
        label = f"{seed}{chance.randrange(36**4):x}-{serial:x}"
        kind = chance.randrange(15)
        if kind < 2 and (name := next(as_listed, None)):
            yield name.decode()
        elif kind < 4 and (name := next(with_www, None)):
            yield f"www.{name.decode()}"
        elif kind < 6:
            yield f"{label}.{chance.choice(names).decode()}"
        else:
            yield chance.choice(MISSES).format(label)


def deep_hosts(names: list[bytes], labels: int) -> Iterator[str]:
    """Hosts of so many labels, 4 of 10 below a listed name of two."""
    chance = random.Random(labels)
    names = [name for name in names if name.count(b".") == 1]
    for serial in count():
        before = "".join(f"{letter}{chance.randrange(999)}." for letter in "stuvwxyz"[: labels - 2])
        yield before + (chance.choice(names).decode() if chance.random() < 0.4 else f"n{serial:x}.com")


def field_values(shapes: tuple[str, ...]) -> Iterator[str]:
    return (shapes[number % len(shapes)].format(number) for number in count(86_400))


def listed_names() -> list[bytes]:
    """Names of the list in a fixed random order, but those below which a host would be taken for an address."""
    with open(PreloadList.bundled().path, "rb") as file:
        names = [line.split()[0] for line in file if line[:1] != b"#" and b".1\n" not in line]
    random.Random(0).shuffle(names)
    return names


def look_ups(size: int) -> Iterator[Row]:
    names = listed_names()
    match = PreloadList.bundled().load().match
    own = seconds(match, rounds(mixed_hosts(names, "a"), size))
    three = seconds(match, rounds(deep_hosts(names, 3), size))
    six = seconds(match, rounds(deep_hosts(names, 6), size))
    hstspreload = peer("hstspreload")
    theirs = hstspreload and seconds(
        hstspreload.in_hsts_preload, rounds(mixed_hosts(names, "b"), max(size // 50, 20))
    )
    yield from versus("PreloadList.match, first-seen hosts", own, "hstspreload.in_hsts_preload", theirs, 400)
    yield Row("  of 3 labels", three * 1e6, "us")
    yield Row("  of 6 labels", six * 1e6, "us", six / three).judged(most=1.5, of="3 labels")


def requests(size: int, units: list[float]) -> Iterator[Row]:
    store = HSTSStore(preload=PreloadList.bundled().load())
    dynamic = [b"known-%x.example" % number for number in range(10_000)]
    for number, name in enumerate(dynamic):
        store.add(name.decode(), include_subdomains=number % 2 == 0)
    names = random.Random(1).sample([*listed_names()[:10_000], *dynamic], 20_000)
    request = Interceptor(store).request

    def urls(scheme: str) -> Iterator[str]:
        hosts = mixed_hosts(names, scheme[4:] or "c")
        return (f"{scheme}://{host}/a/{number}?page=2" for number, host in enumerate(hosts))

    http = seconds(request, rounds(urls("http"), size))
    https = seconds(request, rounds(urls("https"), size))
    with_location = seconds(lambda url: request(url).location, rounds(urls("http"), size))
    units.append(empty_call(size))
    unit = min(units[-2:])
    yield Row("Interceptor.request, http URLs", http * 1e6, "us", http / unit).judged(most=130, of="empty call")
    yield Row("  and its location", with_location * 1e6, "us", with_location / unit)
    yield Row("Interceptor.request, https URLs", https * 1e6, "us", https / unit).judged(most=8, of="empty call")


def headers(size: int) -> Iterator[Row]:
    hstsheader = peer("hstsheader")
    for title, shapes in (("typical", TYPICAL), ("unusual", UNUSUAL)):
        own = seconds(parse_header, rounds(field_values(shapes), size // 4))
        theirs = hstsheader and seconds(hstsheader.parse, rounds(field_values(shapes), size // 4))
        yield from versus(f"parse_header, {title} values", own, "hstsheader.parse", theirs, 10)


def profiles(size: int) -> Iterator[Row]:
    """Each profile beside Chrome's, on the same questions, taken in turns."""
    stores = {}
    dynamic = [f"known-{number:x}.example" for number in range(2000)]
    for profile in PROFILES.values():
        stores[profile.name] = HSTSStore(profile=profile, preload=PreloadList.bundled().load())
        for number, name in enumerate(dynamic):
            stores[profile.name].add(name, include_subdomains=number % 2 == 0)
    names = random.Random(1).sample([*listed_names()[:2000], *(name.encode() for name in dynamic)], 4000)
    asked = [f"http://{host}/a/1?page=2" for host in islice(mixed_hosts(names, "d"), size // 4)]
    values = list(islice(field_values(TYPICAL), size // 4))
    calls: dict[str, dict[str, tuple[Any, list[str]]]] = {"Interceptor.request": {}, "parse_header": {}}
    for name, store in stores.items():
        calls["Interceptor.request"][name] = (Interceptor(store).request, asked)
        calls["parse_header"][name] = (partial(parse_header, profile=store.profile), values)
    for title, by_profile in calls.items():
        took = dict.fromkeys(by_profile, float("inf"))
        for _ in range(ROUNDS):
            for name, (call, items) in by_profile.items():
                took[name] = min(took[name], seconds(call, [items]))
        chrome = took.pop(CHROME.name)
        for name, own in took.items():
            yield Row(f"{title}, {name}", own * 1e6, "us", own / chrome).judged(most=1.5, of="chrome")


# In processes of their own


def inside(code: str, expression: str) -> float | None:
    """What a fresh interpreter prints of `expression`; the least of five."""
    command = [sys.executable, "-c", code.format(expression)]
    seen = [subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False) for _ in range(ROUNDS)]
    return min(float(run.stdout) for run in seen) if all(run.stdout for run in seen) else None


def list_costs() -> Iterator[Row]:
    for title, expression, milliseconds, megabytes in (
        ("one cold question", COLD, 2, 1),
        ("PreloadList.load", LOAD, 40, 20),
    ):
        took = inside(SECONDS, expression)
        yield Row(f"{title}, CPU after import", took and took * 1e3, "ms").judged(most=milliseconds)
        for kind, code in (("peak of Python's memory", PYTHON_BYTES), ("private memory", PRIVATE_BYTES)):
            used = inside(code, expression)
            note = "no /proc/self/smaps_rollup" if used is None else ""
            yield Row(f"  {kind}", used and used / 1e6, "MB", note=note).judged(most=megabytes)
    with open(PreloadList.bundled().path, "rb") as file:
        yield Row("the list in a wheel", len(zlib.compress(file.read(), 6)), "bytes").judged(most=600_000)


def usage(command: list[str], stdin: str = os.devnull) -> Usage:
    launch = [sys.executable, "-I", "-S", "-c", LAUNCHER, stdin, *command]
    said = subprocess.run(launch, env=ENVIRONMENT, stdout=subprocess.PIPE, check=True).stdout.split()
    return Usage(float(said[0]), float(said[1]), int(said[2]))


def command_line() -> list[str]:
    script = os.path.join(os.path.dirname(sys.executable), "hstssim")
    if os.access(script, os.X_OK):
        return [script]
    return [sys.executable, "-c", "import sys; from hstssim.cli import main; sys.exit(main())"]


def complaint(query: list[str]) -> str:
    """Why the command line cannot be measured; empty if it can."""
    run = subprocess.run([*query, "github.com"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if run.stdout:
        return ""
    return f"does not run: {(run.stderr.strip() or f'exit status {run.returncode}').splitlines()[-1]}"


def whole_process(query: list[str], each: int) -> Iterator[Row]:
    def cpu(command: list[str]) -> float:
        return min(sum(usage(command).cpu for _ in range(each)) / each for _ in range(ROUNDS)) * 1e3

    nothing = cpu([sys.executable, "-c", "pass"])
    own = cpu([*query, "github.com"])
    yield Row("  python -c pass", nothing, "ms")
    row = Row("hstssim query github.com", own, "ms", own / nothing)
    yield row.judged(most=3.5, of="python -c pass")
    if peer("hstspreload") is None:
        yield Row("  hstspreload, one host", note="hstspreload is not installed")
        return
    code = "import hstspreload; print(hstspreload.in_hsts_preload('github.com'))"
    theirs = cpu([sys.executable, "-c", code])
    yield Row("  hstspreload, one host", theirs, "ms")
    yield row._replace(name="hstssim query github.com", ratio=own / theirs).judged(most=1, of="hstspreload")


def many_hosts(query: list[str], size: int) -> Iterator[Row]:
    names = listed_names()
    used = []
    for number in (size, 10 * size):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.writelines(f"{host}\n" for host in islice(mixed_hosts(names, "q"), number))
            file.flush()
            used.append(usage([*query, "-"], stdin=file.name))
    few, many = used
    limit = 12 * size / 100_000
    yield Row(f"hstssim query -, {10 * size:,} hosts, wall", many.wall, "s").judged(most=limit)
    yield Row("  CPU", many.cpu, "s")
    yield Row(f"  peak memory, {size:,} hosts", few.peak / 1e6, "MB")
    row = Row(f"  peak memory, {10 * size:,} hosts", many.peak / 1e6, "MB", many.peak / few.peak)
    yield row.judged(most=1.1, of="a tenth of them")


# The table


def all_rows(size: int) -> Iterator[Row]:
    query = [*command_line(), "query"]
    wrong = complaint(query)
    if wrong:
        yield Row("hstssim query", note=wrong)
    else:
        yield from many_hosts(query, size)
        yield from whole_process(query, max(size // 10_000, 1))
    yield from list_costs()
    units = [empty_call(size)]
    yield from look_ups(size)
    units.append(empty_call(size))
    yield from requests(size, units)
    yield from headers(size)
    yield from profiles(size)
    units.append(empty_call(size))
    unsteady = f"up to {max(units) * 1e9:.3g}: the machine changed speed, run again"
    note = unsteady if max(units) > 1.2 * min(units) else ""
    yield Row("an empty Python call", min(units) * 1e9, "ns", note=note)


def measured_with() -> dict[str, str]:
    versions = {"Python": f"{platform.python_implementation()} {platform.python_version()}"}
    versions["hstssim"] = hstssim.__version__
    for name in ("hstspreload", "hstsheader"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    bundled = PreloadList.bundled()
    versions["list"] = f"Chromium {bundled.version}, {len(bundled):,} names"
    versions["processors"] = str(os.cpu_count())
    return versions


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def as_line(row: Row) -> str:
    reached = {None: "", True: "yes", False: "no"}[row.reached]
    measured = f"{number(row.measured):>8} {row.unit}" if row.measured is not None else ""
    return f"{row.name:<42}{measured:<15}{number(row.ratio):>8}  {row.target:<26}{reached:<4}{row.note}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure hstssim beside its peers.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--size", type=int, metavar="HOSTS", help="hosts in a round (100,000)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")
    options = parser.parse_args()
    rows = all_rows(options.size or (10_000 if options.quick else 100_000))
    versions = measured_with()
    if options.json:
        print(json.dumps({"measured_with": versions}))
        for row in rows:
            print(json.dumps(row._asdict()), flush=True)
        return
    print(", ".join(f"{name} {version}" for name, version in versions.items()), end="\n\n")
    print(f"{'':<42}{'measured':<15}{'ratio':>8}  {'target':<26}reached")
    for row in rows:
        print(as_line(row), flush=True)


if __name__ == "__main__":
    main()
