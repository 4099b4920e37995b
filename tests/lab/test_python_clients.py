"""Python's HTTP clients against the lab: one contract, held for each of them, with nothing configured."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import pytest

from hstssim.lab import KINDS, Lab
from hstssim.lab.clients import PROXY_VARIABLES
from hstssim.lab.trust import KEPT, trusting
from tests.lab import python_clients
from tests.lab.python_clients import CLIENTS, HTTPX, AioHTTP, AsyncHTTPX, Client, Requests, URLLib3

MakeClient = Callable[[], Client]

GOOD = ("valid", "wildcard")
REASONS = {
    "expired": "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "not-yet-valid": "SSLV3_ALERT_BAD_CERTIFICATE",
    "wrong-name": "SSLV3_ALERT_BAD_CERTIFICATE",
    "ip-address": "SSLV3_ALERT_BAD_CERTIFICATE",
    "self-signed": "TLSV1_ALERT_UNKNOWN_CA",
    "unknown-issuer": "TLSV1_ALERT_UNKNOWN_CA",
}
"""What a client made with OpenSSL says to a certificate with a fault."""


@pytest.fixture(params=CLIENTS.values(), ids=list(CLIENTS))
def make(request: pytest.FixtureRequest) -> MakeClient:
    maker: MakeClient = request.param
    maker().stack.close()  # its library is imported before the lab is entered, as at the top of a user's module
    return maker


URLS = {
    "http://shop.test/": ("shop.test", 80),
    "https://shop.test/": ("shop.test", 443),
    "http://shop.test:8080/": ("shop.test", 8080),
    "https://shop.test:8443/": ("shop.test", 8443),
    "http://cart.shop.test/": ("cart.shop.test", 80),
    "https://a.cart.shop.test/": ("a.cart.shop.test", 443),
    "https://example.com/": ("example.com", 443),
}


@pytest.mark.parametrize(("url", "where"), URLS.items(), ids=URLS)
def test_every_name_and_port_of_a_site_is_reached(
    lab: Lab, make: MakeClient, url: str, where: tuple[str, int]
) -> None:
    lab.site("shop.test")
    lab.site("example.com")
    with lab.in_process(), make() as client:
        reply = client.ask(url)
    scheme = url.partition(":")[0]
    assert (reply.status, reply.body.decode().split()[-1]) == (200, scheme)
    [request] = lab.requests
    assert (request.host, request.port) == where
    assert (request.url, request.plaintext) == (url, scheme == "http")
    assert request.sni == (None if request.plaintext else request.host)


def test_every_kind_is_good_or_has_a_fault() -> None:
    assert {*GOOD, *REASONS} == {*KINDS}


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_certificate_is_taken(lab: Lab, make: MakeClient, kind: str) -> None:
    shop = lab.site("shop.test", certificate=kind)
    with lab.in_process(), make() as client:
        assert client.ask("https://shop.test/").status == 200
    assert [request.certificate for request in shop.requests] == [kind]
    assert lab.log.handshake_failures == []


@pytest.mark.parametrize("kind", REASONS)
def test_a_certificate_with_a_fault_is_refused_and_the_log_says_why(lab: Lab, make: MakeClient, kind: str) -> None:
    lab.site("shop.test", certificate=kind)
    with lab.in_process(), make() as client, pytest.raises(client.errors, match=r"(?i)certificate"):
        client.ask("https://shop.test/")
    assert lab.requests == []
    seen = {(failure.sni, failure.certificate, failure.reason) for failure in lab.log.handshake_failures}
    assert seen == {("shop.test", kind, REASONS[kind] if client.says_why else "closed")}


def test_a_redirect_by_307_to_https_keeps_the_body(lab: Lab, make: MakeClient) -> None:
    shop = lab.site("shop.test")
    shop.on("/login", scheme="http", status=307, redirect="https://shop.test/login")
    with lab.in_process(), make() as client:
        if client.resends:
            reply = client.ask("http://shop.test/login", b"secret")
            assert (reply.status, reply.url) == (200, "https://shop.test/login")
        else:
            with pytest.raises(HTTPError, match="307"):
                client.ask("http://shop.test/login", b"secret")
    seen = [(request.url, request.method, request.body_size, request.status) for request in shop.requests]
    expected = [("http://shop.test/login", "POST", 6, 307), ("https://shop.test/login", "POST", 6, 200)]
    assert seen == expected[: 2 if client.resends else 1]


def test_a_redirect_of_a_page_to_https_is_followed(lab: Lab, make: MakeClient) -> None:
    shop = lab.site("shop.test")
    shop.on("/", scheme="http", redirect="https://shop.test/")
    with lab.in_process(), make() as client:
        assert client.ask("http://shop.test/").url == "https://shop.test/"
    assert [request.plaintext for request in shop.requests] == [True, False]


STS = {
    "none": [],
    "one": ["max-age=31536000"],
    "repeated": ["max-age=1", "max-age=0; includeSubDomains"],
    "not well-formed": ['max-age="', "max-age=1,max-age=2"],
}


@pytest.mark.parametrize("fields", STS.values(), ids=STS)
def test_the_policy_arrives_field_by_field_as_it_was_written(
    lab: Lab, make: MakeClient, fields: list[str]
) -> None:
    lab.site("shop.test", sts=fields)
    with lab.in_process(), make() as client:
        assert client.ask("https://shop.test/").sts == fields
        assert client.ask("http://shop.test/").sts == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_is_kept(lab: Lab, make: MakeClient, scheme: str) -> None:
    lab.site("shop.test")
    with lab.in_process(), make() as client:
        for path in ("a", "b", "c"):
            client.ask(f"{scheme}://shop.test/{path}")
    assert [request.target for request in lab.requests] == ["/a", "/b", "/c"]
    assert len(lab.log.connections) == (1 if client.keeps_alive else 3)
    assert lab.log.errors == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_size_of_a_body_that_is_streamed_is_logged(lab: Lab, make: MakeClient, scheme: str) -> None:
    lab.site("shop.test")
    with lab.in_process(), make() as client:
        assert client.ask(f"{scheme}://shop.test/up", [b"x" * 40_000] * 10).status == 200
    [request] = lab.requests
    assert (request.method, request.body_size) == ("POST", 400_000)
    assert request.values("transfer-encoding") == ["chunked"]


def test_afterwards_the_name_is_unknown_again(lab: Lab, make: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo

    def resolver(host: Any, *arguments: Any, **options: Any) -> Any:
        if host in ("shop.test", b"shop.test"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    lab.site("shop.test")
    kept = process_state()
    with lab.in_process(), make() as client:
        client.ask("https://shop.test/")
    assert process_state() == kept
    with make() as client, pytest.raises(client.errors):
        client.ask("https://shop.test/")


def process_state() -> list[Any]:
    contexts = [getattr(sys.modules[module], name) for module, name in KEPT]
    return [dict(os.environ), socket.getaddrinfo, socket.socket.connect, *contexts]


@pytest.mark.parametrize("make", [Requests, URLLib3, AioHTTP])
def test_one_made_before_works_too(lab: Lab, make: MakeClient) -> None:
    lab.site("shop.test")
    with make() as client, lab.in_process():
        assert client.ask("https://shop.test/").status == 200


@pytest.mark.parametrize("make", [HTTPX, AsyncHTTPX])
def test_httpx_made_before_keeps_the_trust_it_was_made_with(lab: Lab, make: MakeClient) -> None:
    lab.site("shop.test")
    with make() as client, lab.in_process():
        with pytest.raises(client.errors, match="CERTIFICATE_VERIFY_FAILED"):
            client.ask("https://shop.test/")
        assert client.ask("http://shop.test/").status == 200


# ── contexts that libraries keep


@pytest.fixture(params=KEPT, ids=[module for module, _ in KEPT])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, str]:
    """A module that is about to be imported, and the name of what it will keep."""
    module, name = request.param
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    return sys.modules[module], name


def issuers(context: ssl.SSLContext) -> list[Any]:
    return [value for ca in context.get_ca_certs() for [(key, value)] in _names(ca) if key == "commonName"]


def _names(certificate: Any) -> Any:
    return certificate["subject"]


def test_a_context_made_inside_does_not_outlive_it(lab: Lab, library: tuple[ModuleType, str]) -> None:
    module, name = library
    with trusting(lab.ca_file):
        setattr(module, name, ssl.create_default_context())
        assert issuers(getattr(module, name)) == ["hstssim lab"]
    assert "hstssim lab" not in issuers(getattr(module, name))


def test_a_context_made_before_is_put_back(lab: Lab, library: tuple[ModuleType, str]) -> None:
    module, name = library
    before = ssl.create_default_context()
    setattr(module, name, before)
    with Lab() as other, trusting(lab.ca_file):
        ours = getattr(module, name)
        assert issuers(ours) == ["hstssim lab"]
        with trusting(other.ca_file):
            assert getattr(module, name) not in (before, ours)
        assert getattr(module, name) is ours
    assert getattr(module, name) is before


def test_a_context_that_somebody_else_puts_there_meanwhile_stays(
    lab: Lab, library: tuple[ModuleType, str]
) -> None:
    module, name = library
    setattr(module, name, ssl.create_default_context())
    with trusting(lab.ca_file):
        theirs = ssl.create_default_context()
        setattr(module, name, theirs)
    assert getattr(module, name) is theirs


def test_a_version_that_keeps_no_context_is_left_alone(lab: Lab, library: tuple[ModuleType, str]) -> None:
    module, name = library
    with trusting(lab.ca_file):
        assert not hasattr(module, name)
    assert not hasattr(module, name)


# ── in a child process, through the proxy

PROXIED = [name for name, make in CLIENTS.items() if getattr(make, "heeds_proxies", True)]


def visit_in_a_child(client: str, environment: dict[str, str], *urls: str) -> list[int | None]:
    """The status of each answer, None where there was none."""
    path = Path(python_clients.__file__)
    ours = {
        name: value for name, value in os.environ.items() if not name.startswith(("SSL_", "REQUESTS_", "CURL_"))
    }
    words: list[str | Path] = [sys.executable, path, client, *urls]
    done = subprocess.run(words, env=ours | environment, capture_output=True, text=True, check=True, timeout=60)
    said: list[int | None] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("client", PROXIED)
def test_a_child_process_reaches_it_through_the_proxy(lab: Lab, client: str) -> None:
    lab.site("shop.test")
    lab.site("bad.test", certificate="expired")
    urls = ["http://shop.test/", "https://cart.shop.test/", "http://shop.test:8080/", "https://shop.test:8443/"]
    said = visit_in_a_child(client, lab.client_env(), *urls, "https://bad.test/")
    assert said == [200, 200, 200, 200, None]
    assert [request.url for request in lab.requests] == urls
    assert [request.plaintext for request in lab.requests] == [True, False, True, False]
    assert [request.sni for request in lab.requests] == [None, "cart.shop.test", None, "shop.test"]
    assert {failure.certificate for failure in lab.log.handshake_failures} == {"expired"}


TRUSTED = {
    "requests": {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"},
    "httpx": {"SSL_CERT_FILE"},
    "httpx, async": {"SSL_CERT_FILE"},
    "aiohttp": {"SSL_CERT_FILE"},
    "urllib.request": {"SSL_CERT_FILE"},
}
"""Which variables a client heeds."""


def test_every_client_that_heeds_proxies_has_its_variables() -> None:
    assert set(TRUSTED) == set(PROXIED)


ALONE = [(client, name) for client, names in TRUSTED.items() for name in sorted(names)]


@pytest.mark.parametrize(("client", "variable"), ALONE, ids=[" by ".join(pair) for pair in ALONE])
def test_each_variable_is_trust_enough(lab: Lab, client: str, variable: str) -> None:
    lab.site("shop.test")
    environment = lab.client_env()
    environment = {name: environment[name] for name in (*PROXY_VARIABLES, variable)}
    assert visit_in_a_child(client, environment, "https://shop.test/") == [200]


@pytest.mark.parametrize("client", TRUSTED)
def test_without_its_variables_a_client_refuses(lab: Lab, client: str) -> None:
    lab.site("shop.test")
    environment = {name: value for name, value in lab.client_env().items() if name not in TRUSTED[client]}
    assert visit_in_a_child(client, environment, "https://shop.test/") == [None]
    assert [failure.certificate for failure in lab.log.handshake_failures] == ["valid"]
