"""What every adapter keeps: Chrome's HSTS, and everything else as the library does it by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hstssim import CURL, HSTSStore, PreloadList
from hstssim.lab import KINDS, Lab, to_https
from tests.adapters.clients import Client

if TYPE_CHECKING:
    from tests.adapters.conftest import Open
    from tests.conftest import Clock

STS = "max-age=31536000; includeSubDomains"


def urls(lab: Lab) -> list[str]:
    return [request.url for request in lab.requests]


# ── learning


def test_it_learns_over_https_and_upgrades_from_then_on(lab: Lab, client: Client) -> None:
    lab.site("shop.test", sts="max-age=300")
    assert client.get("http://shop.test/before").url == "http://shop.test/before"
    client.get("https://shop.test/")
    assert client.get("http://shop.test/after?a=b").url == "https://shop.test/after?a=b"
    assert urls(lab) == ["http://shop.test/before", "https://shop.test/", "https://shop.test/after?a=b"]


@pytest.mark.parametrize(("sts", "upgraded"), [("max-age=300", False), (STS, True)])
def test_subdomains_are_known_where_the_host_said_so(lab: Lab, client: Client, sts: str, upgraded: bool) -> None:
    lab.site("shop.test", sts=sts)
    client.get("https://shop.test/")
    client.get("http://a.cart.shop.test/")
    assert bool(lab.plaintext_requests) is not upgraded


def test_what_is_known_expires(lab: Lab, client: Client, clock: Clock) -> None:
    lab.site("shop.test", sts="max-age=300")
    client.get("https://shop.test/")
    clock.now += 300
    client.get("http://shop.test/in-time")
    lab.site_of("shop.test").sts = ()
    clock.now += 301
    client.get("http://shop.test/late")
    assert [request.target for request in lab.plaintext_requests] == ["/late"]


def test_max_age_0_forgets(lab: Lab, client: Client) -> None:
    shop = lab.site("shop.test", sts=STS)
    client.get("https://shop.test/")
    shop.on("/bye", sts="max-age=0")
    client.get("https://shop.test/bye")
    client.get("http://shop.test/again")
    assert [request.target for request in shop.plaintext_requests] == ["/again"]


def test_a_header_in_the_clear_counts_for_nothing(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test").on("/", sts=STS, scheme="http")
    client.get("http://shop.test/")
    assert len(store) == 0


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_header_over_a_connection_that_nobody_checked_counts_for_nothing(
    lab: Lab, opened: Open, store: HSTSStore
) -> None:
    lab.site("shop.test", sts=STS, certificate="self-signed")
    assert opened(verify=False).get("https://shop.test/").status == 200
    assert len(store) == 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("valid", "wildcard")])
def test_a_certificate_with_an_error_ends_it(lab: Lab, client: Client, store: HSTSStore, kind: str) -> None:
    lab.site("shop.test", sts=STS, certificate=kind)
    with pytest.raises(client.errors):
        client.get("https://shop.test/")
    assert len(store) == 0
    assert lab.requests == []


@pytest.mark.parametrize("kind", ["expired", "self-signed", "wrong-name"])
def test_an_upgraded_request_that_fails_is_not_sent_in_the_clear_instead(
    lab: Lab, client: Client, store: HSTSStore, kind: str
) -> None:
    lab.site("shop.test", certificate=kind)
    store.note("shop.test", STS)
    with pytest.raises(client.errors):
        client.get("http://shop.test/")
    assert lab.requests == []


@pytest.mark.parametrize("fields", [["max-age=0", STS], ["nonsense", STS]])
def test_only_the_first_field_counts(lab: Lab, client: Client, store: HSTSStore, fields: list[str]) -> None:
    lab.site("shop.test", sts=fields)
    client.get("https://shop.test/")
    assert len(store) == 0


@pytest.mark.parametrize(
    "script", [{"status": 404}, {"status": 500}, {"status": 301, "redirect": "https://news.test/"}]
)
def test_every_response_counts_errors_and_redirects_too(
    lab: Lab, client: Client, store: HSTSStore, script: dict[str, object]
) -> None:
    lab.site("shop.test", sts=STS).on("/", **script)  # type: ignore[arg-type]
    lab.site("news.test")
    try:
        client.get("https://shop.test/")
    except client.errors:
        assert client.name == "urllib.request"  # for which 404 is an error
    assert "shop.test" in store


def test_each_hop_of_a_redirect_is_looked_at(lab: Lab, client: Client) -> None:
    shop = lab.site("shop.test", sts=STS)
    shop.on("/", redirect="http://www.shop.test/back", status=301)
    lab.site("news.test").on("/", redirect="http://shop.test/from-news")
    client.get("https://shop.test/")
    client.get("http://news.test/")
    assert urls(lab) == [
        "https://shop.test/",
        "https://www.shop.test/back",
        "http://news.test/",
        "https://shop.test/from-news",
    ]


def test_a_redirect_to_https_is_followed_once(lab: Lab, client: Client) -> None:
    shop = lab.site("shop.test", sts=STS)
    shop.on("*", scheme="http", redirect=to_https, status=301)
    assert client.get("http://shop.test/a").hops in ([(301, "https://shop.test/a")], [])
    assert urls(lab) == ["http://shop.test/a", "https://shop.test/a"]
    client.get("http://shop.test/b")
    assert len(shop.plaintext_requests) == 1


# ── the internal redirect


def test_the_hop_is_seen_where_the_library_can_show_it(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    got = client.get("http://shop.test/a")
    if client.shows_redirect and client.guard.shows_redirect:
        assert (got.hops, got.rewritten) == ([(307, "https://shop.test/a")], None)
    else:
        assert (got.hops, got.rewritten) == ([], "https://shop.test/a")
    assert got.url == "https://shop.test/a"
    assert got.body == b"shop.test answers /a over https\n"


def test_nothing_of_the_hop_is_on_the_wire(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    client.get("http://shop.test/")
    assert [(connection.tls, connection.failure) for connection in lab.log.connections] == [(True, None)]
    assert urls(lab) == ["https://shop.test/"]


def test_what_is_not_followed_is_not_sent(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    got = client.get("http://shop.test/", follow=False)
    if client.shows_redirect and client.guard.shows_redirect:
        assert got.status == 307
        assert lab.requests == []
    else:
        assert got.status == 200
    assert lab.plaintext_requests == []


def test_under_a_profile_that_shows_no_redirect_the_request_is_rewritten(lab: Lab, opened: Open) -> None:
    lab.site("shop.test", sts=STS)
    client = opened(hsts=HSTSStore(profile=CURL))
    client.get("https://shop.test/")
    got = client.get("http://shop.test/a")
    assert (got.hops, got.rewritten) == ([], "https://shop.test/a")


# ── what stays as it was


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_method_and_body_are_kept(lab: Lab, client: Client, store: HSTSStore, method: str) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    client.request(method, "http://shop.test/", body=b"body")
    [request] = lab.requests
    assert (request.method, request.body_size, request.plaintext) == (method, 4, False)


def test_a_body_that_streams_is_sent_once(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    asked = []

    def parts() -> Iterator[bytes]:
        for part in (b"one", b"two"):
            asked.append(part)
            yield part

    client.request("POST", "http://shop.test/", body=parts())
    assert [request.body_size for request in lab.requests] == [6]
    assert asked == [b"one", b"two"]


@pytest.mark.parametrize("port", ["", ":80", ":8080"])
def test_headers_are_kept(lab: Lab, client: Client, store: HSTSStore, port: str) -> None:
    """A hop between origins would cost Authorization and Cookie."""
    lab.site("shop.test")
    store.note("shop.test", STS)
    sent = {"Authorization": "Basic dTpw", "Cookie": "a=b", "X-Own": "1", "Origin": "https://news.test"}
    client.get(f"http://shop.test{port}/", headers=sent)
    [request] = lab.requests
    assert {name: request.values(name) for name in sent} == {name: [value] for name, value in sent.items()}


def test_cookies_are_those_for_https(lab: Lab, client: Client, store: HSTSStore) -> None:
    if not client.cookies:
        pytest.skip(f"{client.name} keeps no jar")
    lab.site("shop.test").on("/", headers=[("Set-Cookie", "plain=1"), ("Set-Cookie", "safe=1; Secure")])
    client.get("https://shop.test/")
    store.note("shop.test", STS)
    client.get("http://shop.test/again")
    [cookies] = lab.requests[-1].values("Cookie")
    assert sorted(cookies.split("; ")) == ["plain=1", "safe=1"]


@pytest.mark.parametrize(
    ("asked", "arrived"),
    [
        ("http://shop.test:80/", "https://shop.test/"),
        ("http://shop.test:8080/", "https://shop.test:8080/"),
        ("http://SHOP.test/a", "https://shop.test/a"),
        ("http://bücher.test/", "https://xn--bcher-kva.test/"),
        ("http://shop.test/%2Fa?b=%20c", "https://shop.test/%2Fa?b=%20c"),
    ],
)
def test_urls_arrive_as_they_were_meant(
    lab: Lab, client: Client, store: HSTSStore, asked: str, arrived: str
) -> None:
    if client.name == "urllib.request" and not asked.isascii():
        pytest.skip("urllib.request takes ASCII URLs only")
    for name in ("shop.test", "bücher.test"):
        lab.site(name)
        store.note(name, STS)
    client.get(asked)
    assert urls(lab) == [arrived]


def test_a_fragment_stays(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    plain = lab.site("news.test")
    if client.name == "urllib3":
        pytest.skip("urllib3 tells no URL")
    before = client.get("http://news.test/a#part").url.removeprefix("http://news.test")
    assert client.get("http://shop.test/a#part").url.removeprefix("https://shop.test") == before
    assert len(plain.requests) == 1


def test_a_name_with_a_dot_at_its_end_is_never_in_the_clear(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    try:
        client.get("http://shop.test./")
    except client.errors:  # which do not take the certificate for that name
        pass
    assert lab.plaintext_requests == []


def test_an_address_is_never_upgraded(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("192.0.2.7", sts=STS)
    client.get("https://192.0.2.7/")
    client.get("http://192.0.2.7/")
    assert len(store) == 0
    assert len(lab.plaintext_requests) == 1


def test_a_host_of_the_preload_list_is_upgraded_on_first_contact(lab: Lab, opened: Open) -> None:
    github = lab.site("github.com")
    client = opened(hsts=HSTSStore(preload=PreloadList.bundled()))
    client.get("http://www.github.com/")
    assert urls(lab) == ["https://www.github.com/"]
    github.assert_no_plaintext()


def test_without_a_store_it_is_chrome_with_the_bundled_list(lab: Lab, opened: Open) -> None:
    lab.site("github.com")
    opened(hsts=None).get("http://github.com/")
    assert urls(lab) == ["https://github.com/"]


def test_a_store_may_be_shared(lab: Lab, opened: Open) -> None:
    lab.site("shop.test", sts=STS)
    opened().get("https://shop.test/")
    opened().get("http://shop.test/")
    assert lab.plaintext_requests == []


@pytest.mark.parametrize("host", ["app.test", "a.b.dev.test", "APP.test"])
def test_hosts_that_are_left_alone_are_neither_upgraded_nor_learned_from(
    lab: Lab, opened: Open, store: HSTSStore, host: str
) -> None:
    lab.site(host, sts=STS)
    lab.site("dev.test", sts=STS)
    store.note("test", STS)
    client = opened(bypass=["app.test", "*.dev.test"])
    client.get(f"https://{host}/")
    client.get(f"http://{host}/")
    client.get("http://dev.test/")
    assert [request.host for request in lab.plaintext_requests] == [host.lower()]
    assert [known.domain for known in store] == ["test", "dev.test"]


# ── the transport's own arguments


@pytest.mark.parametrize("known", [True, False])
def test_a_proxy_is_used_as_before(lab: Lab, opened: Open, store: HSTSStore, known: bool) -> None:
    lab.site("shop.test")
    if known:
        store.note("shop.test", STS)
    opened(proxy=lab.proxy_url).get("http://shop.test/")
    [request] = lab.requests
    assert (request.plaintext, request.connection.tunnel) == (
        (False, ("shop.test", 443)) if known else (True, None)
    )


def test_a_time_out_holds_after_the_upgrade(lab: Lab, opened: Open, store: HSTSStore) -> None:
    lab.site("shop.test").on("/", delay=20)
    store.note("shop.test", STS)
    client = opened(timeout=0.2)
    with pytest.raises(client.errors):
        client.get("http://shop.test/")
    assert lab.plaintext_requests == []


def test_connections_are_kept(lab: Lab, client: Client, store: HSTSStore) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    for _ in range(3):
        client.get("http://shop.test/")
    assert len(lab.log.connections) == (3 if client.name == "urllib.request" else 1)


@pytest.mark.parametrize(
    "url", ["http://", "http:///path", "http://shop.test:99999/", "http://a^b.shop.test/", "http://[::1"]
)
def test_a_url_that_nobody_takes_is_refused_and_nothing_is_sent(
    lab: Lab, client: Client, store: HSTSStore, url: str
) -> None:
    lab.site("shop.test")
    store.note("shop.test", STS)
    with pytest.raises((*client.errors, ValueError)):
        client.get(url)
    assert lab.requests == []


def test_many_at_once(lab: Lab, client: Client, store: HSTSStore) -> None:
    for number in range(40):
        lab.site(f"site-{number}.test", sts=STS)
    store.note("site-1.test", STS)
    asked = [f"http{'s' * (number % 2)}://site-{number % 40}.test/{number}" for number in range(200)]
    assert [got.status for got in client.many(asked)] == [200] * 200
    for number in range(1, 40, 2):
        assert f"site-{number}.test" in store
    client.many([f"http://site-{number}.test/after" for number in range(1, 40, 2)])
    assert [request for request in lab.plaintext_requests if request.target == "/after"] == []


@pytest.mark.full
def test_twenty_thousand_requests_on_one_store(lab: Lab, client: Client, store: HSTSStore) -> None:
    """64 threads or tasks; nothing goes out in the clear to a host once it is known."""
    names = [f"site-{number}.test" for number in range(50)]
    for name in names:
        lab.site(name, sts=STS)
    client.many([f"https://{name}/learn" for name in names])
    asked = [f"http{'s' * (number % 3 == 0)}://{names[number % 50]}/{number}" for number in range(2_000)]
    for _ in range(10):
        assert {got.status for got in client.many(asked)} == {200}
        assert lab.plaintext_requests == []
        lab.log.clear()
    assert {known.domain for known in store} == set(names)
