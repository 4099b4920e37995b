"""What is one library's own: its arguments, its history, its objects, and what there is when it is missing."""

from __future__ import annotations

import asyncio
import copy
import io
import os
import pickle
import subprocess
import sys
import urllib.request
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter

from hstssim import HSTSStore, InvalidHost, InvalidURL, PreloadList
from hstssim.adapters import Guard, internal_redirect
from hstssim.adapters.aiohttp import HSTSMiddleware
from hstssim.adapters.httpx import HSTSTransport
from hstssim.adapters.httpx import mount as mount_httpx
from hstssim.adapters.httpx import unmount as unmount_httpx
from hstssim.adapters.requests import HSTSAdapter, mount, unmount
from hstssim.adapters.urllib import HSTSHandler
from hstssim.adapters.urllib3 import HSTSPoolManager
from hstssim.lab import Lab

if TYPE_CHECKING:
    from tests.conftest import Clock

STS = "max-age=31536000; includeSubDomains"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def known(store: HSTSStore) -> HSTSStore:
    """A store that knows shop.test."""
    store.note("shop.test", STS)
    return store


# ── the guard


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"hsts": "store"}, TypeError),
        ({"mode": "upgrade"}, TypeError),
        ({"bypass": "app"}, TypeError),
        ({"bypass": ["a b"]}, InvalidHost),
        ({"bypass": ["*."]}, InvalidHost),
        ({"bypass": ["http://app"]}, InvalidHost),
    ],
    ids=str,
)
def test_what_is_no_guard_is_refused_at_once(options: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Guard(**options)


def test_each_shows_its_store(known: HSTSStore) -> None:
    shown = "<Guard <HSTSStore chrome, 1 known hosts, no preload list>>"
    adapters: list[Any] = [HSTSAdapter(hsts=known), HSTSTransport(answering()[0], hsts=known)]
    others = [HSTSMiddleware(known), HSTSHandler(known)]
    assert [repr(each) for each in (*adapters, *others) if shown not in repr(each)] == []
    for each in adapters:
        each.close()


def test_an_address_on_a_link_is_left_to_the_library(store: HSTSStore) -> None:
    guard = Guard(store)
    assert guard.upgrade("http://[fe80::1%25eth0]/", {}) is None
    assert repr(guard.learn("https://[fe80::1%25eth0]/", [STS], verified=True)).startswith("<Ignored")
    with pytest.raises(InvalidURL):
        guard.upgrade("http://a^b.test/[%25]", {})
    assert len(store) == 0


# ── requests


class Recorder(BaseAdapter):
    """Answers 200 and keeps what it was given."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        super().__init__()
        self.given: list[tuple[str | None, dict[str, Any]]] = []
        self.headers = headers or {}
        self.closed = False

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.given.append((request.url, options))
        response = requests.Response()
        response.status_code, response.url, response.request = 200, request.url or "", request
        response.headers = requests.structures.CaseInsensitiveDict(self.headers)
        response.raw = io.BytesIO()  # as adapters do that are not urllib3's
        return response

    def close(self) -> None:
        self.closed = True


def test_requests_forwards_every_argument(known: HSTSStore) -> None:
    recorder = Recorder()
    with requests.Session() as session:
        session.mount("http://", recorder)
        session.mount("https://", recorder)
        mount(session, known)
        options: dict[str, Any] = {"timeout": (1, 2), "cert": ("a", "b"), "stream": True, "verify": "/a/bundle"}
        session.get("http://shop.test/", proxies={"https": "http://proxy.test:1"}, **options)
        session.get("http://news.test/", verify=False)
    [(url, given), (other, unchecked)] = recorder.given
    assert url == "https://shop.test/"
    assert {name: given[name] for name in options} == options
    assert given["proxies"]["https"] == "http://proxy.test:1"
    assert (other, unchecked["verify"]) == ("http://news.test/", False)
    assert recorder.closed


def test_requests_learns_through_adapters_that_are_not_urllib3s(store: HSTSStore) -> None:
    with requests.Session() as session:
        session.mount("https://", Recorder({"strict-transport-security": STS}))
        mount(session, store).get("https://shop.test/")
    assert "shop.test" in store


def test_requests_learns_nothing_where_it_was_told_not_to_verify(store: HSTSStore) -> None:
    with requests.Session() as session:
        session.mount("https://", Recorder({"strict-transport-security": STS}))
        mount(session, store).get("https://shop.test/", verify=False)
    assert len(store) == 0


def test_requests_keeps_its_adapters_and_gets_them_back(known: HSTSStore) -> None:
    with requests.Session() as session:
        session.mount("https://shop.test/", HTTPAdapter(max_retries=7))
        before = dict(session.adapters)
        mount(mount(session, known), known)
        assert list(session.adapters) == list(before)
        ours = session.get_adapter("https://shop.test/")
        assert isinstance(ours, HSTSAdapter)
        assert isinstance(ours, HTTPAdapter)
        assert ours.inner is before["https://shop.test/"]
        assert ours.max_retries.total == 7
        assert dict(unmount(session).adapters) == before


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))  # noqa: S301


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled])
def test_requests_sessions_may_be_copied_and_pickled(lab: Lab, copied: Any) -> None:
    lab.site("shop.test")
    store = HSTSStore()  # a test's clock is not to be pickled
    store.note("shop.test", STS)
    with requests.Session() as session, copied(mount(session, store)) as other:
        assert other.get("http://shop.test/").url == "https://shop.test/"
    assert lab.plaintext_requests == []


def test_requests_hooks_see_the_hop(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    seen: list[tuple[int, str]] = []
    with mount(requests.Session(), known) as session:
        session.hooks["response"].append(lambda got, **options: seen.append((got.status_code, got.url)))
        got = session.get("http://shop.test/")
    assert seen == [(307, "http://shop.test/"), (200, "https://shop.test/")]
    [hop] = got.history
    assert (hop.status_code, hop.reason, hop.url) == (307, "Internal Redirect", "http://shop.test/")
    assert list(hop.headers.items()) == [
        ("Location", "https://shop.test/"),
        ("Cross-Origin-Resource-Policy", "Cross-Origin"),
        ("Non-Authoritative-Reason", "HSTS"),
    ]
    assert (hop.content, hop.is_redirect, hop.elapsed.total_seconds() < 1) == (b"", True, True)


def test_requests_tells_the_next_request_where_it_does_not_follow(known: HSTSStore, lab: Lab) -> None:
    lab.site("shop.test")
    with mount(requests.Session(), known) as session:
        hop = session.post("http://shop.test/", data=b"body", allow_redirects=False)
        assert hop.next is not None
        assert (hop.next.method, hop.next.url, hop.next.body) == ("POST", "https://shop.test/", b"body")
        assert session.send(hop.next, verify=lab.ca_file).status_code == 200
    assert [request.body_size for request in lab.requests] == [4]


def test_requests_counts_the_hop_as_any_redirect(known: HSTSStore) -> None:
    with mount(requests.Session(), known) as session:
        session.max_redirects = 0
        with pytest.raises(requests.TooManyRedirects):
            session.get("http://shop.test/")


def test_requests_sends_a_file_and_a_pipe_whole(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    with mount(requests.Session(), known) as session:
        session.post("http://shop.test/file", data=io.BytesIO(b"12345"))
        reading, writing = os.pipe()
        os.write(writing, b"1234567")
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            got = session.post("http://shop.test/pipe", data=pipe)
    assert [(request.target, request.body_size) for request in lab.requests] == [("/file", 5), ("/pipe", 7)]
    assert [hop.status_code for hop in got.history] == [307]


def test_requests_digest_authentication_goes_on_over_https(lab: Lab, known: HSTSStore) -> None:
    shop = lab.site("shop.test")
    challenge = 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
    shop.on("/", status=401, headers=[("WWW-Authenticate", challenge)])
    with mount(requests.Session(), known) as session:
        session.get("http://shop.test/", auth=requests.auth.HTTPDigestAuth("u", "p"))
    assert [bool(request.values("Authorization")) for request in shop.requests] == [False, True]
    assert shop.plaintext_requests == []


# ── httpx


def answering(headers: Any = ()) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, headers=headers)

    return httpx.MockTransport(answer), asked


def test_httpx_takes_the_transport_by_hand(known: HSTSStore) -> None:
    inner, asked = answering([("Strict-Transport-Security", STS), ("Strict-Transport-Security", "max-age=0")])
    with httpx.Client(transport=HSTSTransport(inner, hsts=known), follow_redirects=True) as client:
        got = client.get("http://shop.test/")
        client.get("https://news.test/")
        client.get("http://a.news.test/")
    assert [str(request.url) for request in asked] == [
        "https://shop.test/",
        "https://news.test/",
        "https://a.news.test/",
    ]
    [hop] = got.history
    assert (hop.status_code, hop.reason_phrase, hop.http_version) == (307, "Internal Redirect", "HTTP/1.1")
    assert hop.headers.multi_items() == [
        ("location", "https://shop.test/"),
        ("cross-origin-resource-policy", "Cross-Origin"),
        ("non-authoritative-reason", "HSTS"),
    ]


def test_httpx_keeps_its_transports_and_gets_them_back(known: HSTSStore) -> None:
    inner, _ = answering()
    with httpx.Client(mounts={"http://": inner, "https://no.test": None}) as client:
        before = client._transport, dict(client._mounts)
        mount_httpx(mount_httpx(client, known), known)
        assert (client._transport, dict(client._mounts)) != before
        unmount_httpx(client)
        assert (client._transport, dict(client._mounts)) == before


def test_httpx_sends_a_rewritten_request_by_the_transport_for_https(known: HSTSStore) -> None:
    plain, asked_plain = answering()
    secure, asked_secure = answering()
    with httpx.Client(mounts={"http://": plain, "https://": secure}) as client:
        mount_httpx(client, known, mode="rewrite")
        got = client.get("http://shop.test/")
    assert (asked_plain, len(asked_secure)) == ([], 1)
    assert str(got.url) == "https://shop.test/"
    redirect = internal_redirect(got)
    assert redirect is not None
    assert redirect.location == "https://shop.test/"


def test_httpx_hooks_see_the_hop_and_the_same_request_may_be_sent_again(known: HSTSStore, clock: Clock) -> None:
    inner, asked = answering()
    seen: list[int] = []
    hooks = {"response": [lambda got: seen.append(got.status_code)]}
    with httpx.Client(transport=inner, follow_redirects=True, event_hooks=hooks) as client:
        mount_httpx(client, known)
        request = client.build_request("GET", "http://shop.test/", headers={"Host": "other.test"})
        client.send(request)
        client.send(request)
        clock.now += 10**8
        client.send(request)
    assert seen == [307, 200, 307, 200, 200]
    assert [str(each.url) for each in asked] == ["https://shop.test/", "https://shop.test/", "http://shop.test/"]
    assert [each.headers["Host"] for each in asked] == ["other.test"] * 3


def test_httpx_under_another_name_is_served_as_well(tmp_path: Path) -> None:
    """The same interface in a package of another name, whose objects httpx's client would not take."""
    source, target = Path(httpx.__file__).parent, tmp_path / "httpx2"
    target.mkdir()
    for path in source.rglob("*.py"):
        text = path.read_text("utf-8").replace('"__module__", "httpx"', '"__module__", "httpx2"')
        (target / path.relative_to(source)).parent.mkdir(exist_ok=True)
        (target / path.relative_to(source)).write_text(text, "utf-8")
    program = """
import sys
import httpx2
from hstssim.adapters.httpx import mount
inner = httpx2.MockTransport(lambda request: httpx2.Response(200, text=str(request.url)))
with mount(httpx2.Client(transport=inner, follow_redirects=True)) as client:
    got = client.get("http://github.com/")
    print(got.text, got.history[0].status_code, type(got.history[0]).__module__)
print("httpx" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["https://github.com/ 307 httpx2", "False"], "")


def test_httpx_upgrades_a_hundred_preloaded_hosts_at_once(lab: Lab) -> None:
    store = HSTSStore(preload=PreloadList.bundled())
    entries = [entry.domain for entry in islice(PreloadList.bundled(), 0, None, 900)]
    names = [name for name in entries if store.preload and store.preload.match(name)][:100]
    for name in names:
        lab.site(name)

    async def ask() -> list[httpx.Response]:
        async with mount_httpx(httpx.AsyncClient(follow_redirects=True), store) as client:
            return await asyncio.gather(*(client.get(f"http://{name}/") for name in names))

    got = asyncio.run(ask())
    assert len(got) == 100
    assert {each.history[0].status_code for each in got} == {307}
    assert {each.url.scheme for each in got} == {"https"}
    assert len(lab.requests) == 100
    lab.assert_no_plaintext()


# ── urllib3


def test_urllib3_spends_a_redirect_on_the_hop(known: HSTSStore, lab: Lab) -> None:
    lab.site("shop.test")
    with HSTSPoolManager(hsts=known, headers={"X-Own": "1"}) as manager:
        with pytest.raises(urllib3.exceptions.MaxRetryError, match="too many redirects"):
            manager.request("GET", "http://shop.test/", retries=urllib3.Retry(redirect=0))
        assert lab.requests == []
        unraised = manager.request(
            "GET", "http://shop.test/", retries=urllib3.Retry(redirect=0, raise_on_redirect=False)
        )
        assert (unraised.status, unraised.headers["Location"]) == (307, "https://shop.test/")
        got = manager.request("GET", "http://shop.test/")
    assert got.retries is not None
    assert [tuple(hop) for hop in got.retries.history] == [
        ("GET", "http://shop.test/", None, 307, "https://shop.test/")
    ]
    assert lab.requests[0].values("X-Own") == ["1"]


@pytest.mark.parametrize(
    ("options", "learned"),
    [
        ({}, True),
        ({"cert_reqs": "CERT_NONE"}, False),
        ({"assert_hostname": False}, False),
        ({"cert_reqs": "CERT_REQUIRED"}, True),
    ],
)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_urllib3_learns_where_it_checks(lab: Lab, store: HSTSStore, options: Any, learned: bool) -> None:
    lab.site("shop.test", sts=STS)
    with HSTSPoolManager(hsts=store, **options) as manager:
        manager.request("GET", "https://shop.test/")
    assert ("shop.test" in store) is learned


@pytest.mark.filterwarnings("ignore:URLs without a scheme")
def test_urllib3_takes_and_refuses_the_urls_that_it_always_did(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    with HSTSPoolManager(hsts=known) as manager:
        assert manager.request("GET", "shop.test/a").status == 200
        for url in ("http:/shop.test/", "http:shop.test/", "/shop.test"):
            with pytest.raises(urllib3.exceptions.LocationValueError):
                manager.request("GET", url)
    assert [request.url for request in lab.requests] == ["https://shop.test/a"]


# ── aiohttp


def test_aiohttp_upgrades_websockets_and_stands_among_other_middlewares(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    seen: list[str] = []

    async def watch(request: aiohttp.ClientRequest, handler: Any) -> Any:
        seen.append(str(request.url))
        return await handler(request)

    async def ask() -> None:
        connector = aiohttp.TCPConnector(ssl=lab.ssl_context())
        middlewares: list[Any] = [watch, HSTSMiddleware(known), watch]
        async with aiohttp.ClientSession(connector=connector, middlewares=middlewares) as session:
            async with session.get("http://shop.test/a") as got:
                assert str(got.url) == "https://shop.test/a"
            with pytest.raises(aiohttp.WSServerHandshakeError):  # the lab speaks HTTP only
                await session.ws_connect("ws://shop.test/b")
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(ask())
    assert seen == ["http://shop.test/a", "https://shop.test/a", "ws://shop.test/b", "wss://shop.test/b"]
    assert [request.url for request in lab.requests] == ["https://shop.test/a", "https://shop.test/b"]


def test_aiohttp_takes_the_environments_proxy_for_https(
    lab: Lab, known: HSTSStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.site("shop.test")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", lab.proxy_url)

    async def ask() -> None:
        connector = aiohttp.TCPConnector(ssl=lab.ssl_context())
        middlewares = [HSTSMiddleware(known)]
        async with (
            aiohttp.ClientSession(connector=connector, middlewares=middlewares, trust_env=True) as session,
            session.get("http://shop.test/"),
        ):
            pass
        for _ in range(20):
            await asyncio.sleep(0)

    asyncio.run(ask())
    [request] = lab.requests
    assert (request.plaintext, request.connection.tunnel) == (False, ("shop.test", 443))


# ── urllib.request


def test_urllib_leaves_the_callers_request_as_it_is(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    asked = urllib.request.Request("http://shop.test/", headers={"X-Own": "1"}, method="PUT", data=b"body")
    with urllib.request.build_opener(HSTSHandler(known)).open(asked) as got:
        assert got.url == "https://shop.test/"
    assert (asked.full_url, asked.type) == ("http://shop.test/", "http")
    [request] = lab.requests
    assert (request.method, request.body_size, request.values("X-Own")) == ("PUT", 4, ["1"])


def test_urllib_serves_the_whole_process_by_install_opener(lab: Lab, known: HSTSStore) -> None:
    lab.site("shop.test")
    try:
        urllib.request.install_opener(urllib.request.build_opener(HSTSHandler(known)))
        with urllib.request.urlopen("http://shop.test/") as got:
            assert got.url == "https://shop.test/"
    finally:
        urllib.request.install_opener(None)


# ── what is missing


@pytest.mark.parametrize("name", ["requests", "urllib3", "aiohttp"])
def test_a_missing_library_is_named_with_the_command_that_brings_it(name: str) -> None:
    program = f"""
import sys
sys.modules[{name!r}] = None
import hstssim, hstssim.adapters
try:
    import hstssim.adapters.{name}
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("MissingExtra ")
    assert f"pip install 'hstssim[{name}]'" in done.stdout


def test_no_library_is_imported_before_its_adapter() -> None:
    libraries = ["requests", "httpx", "urllib3", "aiohttp", "yarl"]
    imports = "import sys, hstssim.adapters, hstssim.adapters.httpx"
    program = f"{imports}; print([name for name in {libraries} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
