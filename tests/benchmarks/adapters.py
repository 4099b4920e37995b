"""What HSTS costs a client: `python tests/benchmarks/adapters.py` prints one table.

CPU time a request, over the same client with the same inner transport, which answers at once and does no more:
the median of nine rounds, by turns. The store has 10,000 entries and the bundled list. Speed is measured here, not
asserted.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import httpx
import requests
import urllib3
from requests.adapters import BaseAdapter

from hstssim import HSTSStore, PreloadList
from hstssim.adapters.httpx import mount as mount_httpx
from hstssim.adapters.requests import mount as mount_requests
from tests.benchmarks.run import Row, as_line

ROUNDS = 9
MOST = 15.0  # µs
PLAIN = {"Content-Type": "text/html"}
STS = PLAIN | {"Strict-Transport-Security": "max-age=31536000"}
ASKED = {
    "http, unknown host": ("http://www.unknown-{}.example/a?b=c", PLAIN),
    "https, no header": ("https://www.unknown-{}.example/a?b=c", PLAIN),
    "https, learns": ("https://www.host-{}.example/a?b=c", STS),
}
Get = Callable[[str], object]


class Null(BaseAdapter):
    """Answers at once."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__()
        self.answer = headers

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url or "", request
        response.headers = requests.structures.CaseInsensitiveDict(self.answer)
        headers = urllib3.HTTPHeaderDict(self.answer)
        response.raw = urllib3.HTTPResponse(io.BytesIO(), headers, 200, preload_content=False)
        return response

    def close(self) -> None:
        """There is nothing to close."""


def by_requests(store: HSTSStore | None, headers: dict[str, str]) -> Get:
    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, Null(headers))
    return (session if store is None else mount_requests(session, store)).get


def by_httpx(store: HSTSStore | None, headers: dict[str, str]) -> Get:
    inner = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers))
    client = httpx.Client(transport=inner, trust_env=False)
    return (client if store is None else mount_httpx(client, store)).get


def rows(count: int) -> Iterator[Row]:
    store = HSTSStore(preload=PreloadList.bundled())
    for number in range(10_000):
        store.note(f"host-{number}.example", "max-age=31536000; includeSubDomains")
    for name, make in (("requests", by_requests), ("httpx", by_httpx)):
        for what, (url, headers) in ASKED.items():
            bare, guarded = make(None, headers), make(store, headers)
            urls = [url.format(number) for number in range(count)]
            costs = []
            for _ in range(ROUNDS):
                before = spent(bare, urls)
                costs.append((before, spent(guarded, urls)))
            bare_cost = median(cost for cost, _ in costs)
            added = median(after - before for before, after in costs)
            yield Row(f"{name}: {what}", added, "µs", note=f"beside {bare_cost:.0f} µs").judged(most=MOST)


def spent(get: Get, urls: list[str]) -> float:
    """Microseconds of CPU a request."""
    begin = time.process_time()
    for url in urls:
        get(url)
    return (time.process_time() - begin) / len(urls) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what HSTS costs a client.")
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="one JSON object a line (JSON Lines)")
    options = parser.parse_args()
    if not options.json:
        print(f"{'':<42}{'measured':<15}{'ratio':>8}  {'target':<26}reached")
    for row in rows(150 if options.quick else 1500):
        print(json.dumps(row._asdict()) if options.json else as_line(row), flush=True)


if __name__ == "__main__":
    main()
