"""The lab's names in this process: only they, for threads and asyncio, and everything as before at the end."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hstssim.lab import Lab


def text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        return str(response.read().decode())


def patched() -> tuple[Any, ...]:
    return socket.getaddrinfo, socket.gethostbyname, socket.socket.connect, socket.socket.connect_ex


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://shop.test/", "shop.test answers / over http\n"),
        ("https://shop.test/", "shop.test answers / over https\n"),
        ("https://deep.below.shop.test/", "shop.test answers / over https\n"),
        ("http://shop.test:8080/", "shop.test answers / over http\n"),
        ("https://shop.test:8443/", "shop.test answers / over https\n"),
        ("http://SHOP.test/", "shop.test answers / over http\n"),
        ("https://192.0.2.7/", "192.0.2.7 answers / over https\n"),
    ],
)
def test_names_and_ports_lead_to_the_lab(lab: Lab, url: str, said: str) -> None:
    lab.site("shop.test")
    lab.site("192.0.2.7")
    with lab.in_process():
        assert text(url) == said
    [request] = lab.requests
    assert request.port == int((*url.split(":"), {"http": "80", "https": "443"}[url.split(":")[0]])[2].strip("/"))


def test_any_other_name_or_address_is_left_alone(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def resolver(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    lab.site("shop.test")
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with lab.in_process():
        for host in ("example.com", "xshop.test", b"example.com", "", None, "a b"):
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo(host, 80)
        with socket.create_server(("127.0.0.1", 0)) as other, socket.socket() as sock:
            sock.connect(other.getsockname())
            assert sock.getpeername() == other.getsockname()
    assert [host for host, _ in asked] == ["example.com", "xshop.test", b"example.com", "", None, "a b"]


def test_urlopen_works_before_inside_and_after(lab: Lab) -> None:
    """It keeps an opener, and that, since Python 3.12, a TLS context."""

    def refused() -> None:
        port = lab.https_port
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            text(f"https://127.0.0.1:{port}/")

    lab.site("127.0.0.1")
    lab.site("shop.test")
    refused()
    with lab.in_process():
        assert text("https://shop.test/") == "shop.test answers / over https\n"
    refused()


def test_an_opener_that_somebody_installed_stays(lab: Lab) -> None:
    class Own(urllib.request.BaseHandler):
        def http_request(self, request: urllib.request.Request) -> urllib.request.Request:
            return request

    opener = urllib.request.build_opener(Own())
    urllib.request.install_opener(opener)
    try:
        with lab.in_process():
            assert vars(urllib.request)["_opener"] is opener
        assert vars(urllib.request)["_opener"] is opener
    finally:
        urllib.request.install_opener(None)


def test_names_are_followed_as_sites_come(lab: Lab) -> None:
    with lab.in_process():
        lab.site("late.test")
        assert text("http://late.test/") == "late.test answers / over http\n"


def test_threads_reach_it_too(lab: Lab) -> None:
    sites = [lab.site(f"site-{number}.test") for number in range(40)]
    with lab.in_process(), ThreadPoolExecutor(8) as pool:
        said = list(pool.map(text, [f"https://{site.name}/" for site in sites]))
    assert said == [f"{site.name} answers / over https\n" for site in sites]


def test_asyncio_reaches_it_too(lab: Lab) -> None:
    lab.site("shop.test")

    async def ask(port: int, **tls: Any) -> bytes:
        reader, writer = await asyncio.open_connection("shop.test", port, **tls)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n")
        heard = await reader.read()
        writer.close()
        await writer.wait_closed()
        return heard

    async def both() -> tuple[bytes, bytes]:
        return await asyncio.gather(ask(80), ask(443, ssl=lab.ssl_context()))

    with lab.in_process():
        plain, secure = asyncio.run(both())
    assert plain.endswith(b"over http\n")
    assert secure.endswith(b"over https\n")


def test_an_address_that_was_resolved_stands_for_its_name_at_every_port(lab: Lab) -> None:
    """As anyio does it: resolve, then connect to the address with the port that was asked for."""
    lab.site("shop.test")
    with lab.in_process():
        [(family, kind, _, _, address)] = socket.getaddrinfo(b"shop.test", "https", type=socket.SOCK_STREAM)
        assert (family, kind, address[1]) == (socket.AF_INET, socket.SOCK_STREAM, 443)
        assert str(address[0]).startswith("127.")
        for port, listener in ((443, "https"), (80, "http"), (8443, "http")):
            with socket.socket() as sock:
                assert sock.connect_ex((address[0], port)) == 0
                assert sock.getpeername()[1] == getattr(lab, f"{listener}_port")
        assert socket.gethostbyname("shop.test") == address[0]
        assert socket.gethostbyname("127.0.0.1") == "127.0.0.1"
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("shop.test", 443, family=socket.AF_INET6)


def test_everything_is_as_before_at_the_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    before, environment, methods = patched(), dict(os.environ), set(vars(socket.socket))
    with pytest.raises(KeyError), lab.in_process():  # noqa: PT012 - what is so inside, and that it ends by an error
        assert patched() != before
        assert "http_proxy" not in os.environ
        assert os.environ["SSL_CERT_FILE"] == lab.ca_file
        raise KeyError
    assert patched() == before
    assert dict(os.environ) == environment
    assert set(vars(socket.socket)) == methods


def test_it_may_be_nested_and_the_innermost_lab_answers(lab: Lab) -> None:
    before = patched()
    lab.site("shop.test").on("/", body="outer")
    lab.site("outer.test")
    with Lab() as other:
        other.site("shop.test").on("/", body="inner")
        with lab.in_process():
            with other.in_process(), lab.in_process(), other.in_process():
                assert text("http://shop.test/") == "inner"
                assert text("http://outer.test/").startswith("outer.test")
            assert text("http://shop.test/") == "outer"
    assert patched() == before


def test_it_may_be_entered_by_several_threads(lab: Lab) -> None:
    before = patched()
    lab.site("shop.test")
    wrong: list[BaseException] = []
    from hstssim.lab.resolve import resolving

    def work() -> None:
        try:
            for _ in range(20):
                with resolving(lab):
                    assert text("http://shop.test/").startswith("shop.test")
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert patched() == before


def test_what_somebody_else_put_there_meanwhile_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def theirs(*arguments: Any) -> Any:
        raise AssertionError

    with lab.in_process():
        monkeypatch.setattr(socket, "getaddrinfo", theirs)
    assert socket.getaddrinfo is theirs
