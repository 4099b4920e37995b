"""Chromium's own DevTools import the archive that `hstssim trace --har` writes."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hstssim import Browser, HSTSStore, ScriptedNetwork
from hstssim.lab import Lab
from hstssim.traces import har
from tests.oracle.chromium import Chromium, need_chromium

pytestmark = [pytest.mark.oracle, pytest.mark.allow_hosts(["127.0.0.1"])]

IMPORT = """(async () => {
    const {Importer, HARFormat} = await import("devtools://devtools/bundled/models/har/har.js")
    const root = new HARFormat.HARRoot(ARCHIVE)
    return Importer.Importer.requestsFromHARLog(root.log).map(request => [
        request.requestMethod, request.url(), request.statusCode, request.statusText, request.requestFormData
    ].slice(0, 4))
})()"""


def test_devtools_import_every_hop() -> None:
    need_chromium()
    network = ScriptedNetwork()
    network.site("known.test", sts="max-age=100")
    network.site("expired.test", certificate="expired")
    store = HSTSStore()
    store.add("known.test")
    browser = Browser(store=store, network=network)
    asked = (("http://known.test/a?b=c", "POST", "d=e"), ("https://expired.test/", "GET", None))
    archive = har(*(browser.navigate(url, method, body) for url, method, body in asked))
    with Lab() as lab, Chromium(lab.client_args("chromium"), lab.client_env("chromium")) as chromium:
        tab = chromium.tab(url="devtools://devtools/bundled/devtools_app.html")
        script = IMPORT.replace("ARCHIVE", json.dumps(archive))
        imported: list[list[Any]] | None = None
        until = time.monotonic() + 30
        while imported is None:
            try:
                imported = tab.evaluate(script)
            except RuntimeError:  # the page is not there yet
                assert time.monotonic() < until
                time.sleep(0.1)
    assert imported == [
        ["POST", "http://known.test/a?b=c", 307, "Internal Redirect"],
        ["POST", "https://known.test/a?b=c", 200, "OK"],
        ["GET", "https://expired.test/", 0, ""],
    ]
