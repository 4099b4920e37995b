"""What asks ada-url, and how it goes without."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def run_without_ada_url(code: str) -> str:
    """What a program prints where ada-url is not installed."""
    hide = "import sys; sys.modules['ada_url'] = None\n"
    program = hide + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True
    ).stdout


def test_plain_urls_and_hosts_need_no_ada_url() -> None:
    said = run_without_ada_url(
        """
        from hstssim import HSTSStore, Interceptor, PreloadList
        store = HSTSStore(preload=PreloadList.bundled())
        hsts = Interceptor(store)
        print(hsts.response("https://example.com/", [("Strict-Transport-Security", "max-age=86400")]))
        print(hsts.request("http://example.com:80/a/b?c=d#e").location)
        print(hsts.request("http://x.app/").redirect.status_line)
        print(hsts.request("https://example.com/é").reason)
        print(hsts.request("http://example.com./a").location, store.match("example.com.").domain)
        print(hsts.request("http://192.0.2.1/").reason, store.note("127.0.0.1", "max-age=1").code)
        print(store.add("10.0.0.1").domain, store.add("EXAMPLE.org.").domain)
        """
    )
    assert said.splitlines() == [
        "<Noted example.com, 1 day>",
        "https://example.com/a/b?c=d#e",
        "HTTP/1.1 307 Internal Redirect",
        "already-https",
        "https://example.com./a example.com",
        "ip-address ip-address",
        "10.0.0.1 example.org",
    ]


def test_other_urls_and_hosts_say_which_command_installs_ada_url() -> None:
    said = run_without_ada_url(
        """
        from hstssim import HSTSStore, Interceptor, MissingExtra
        store = HSTSStore()
        hsts = Interceptor(store)
        store.add("example.com")
        for ask in (
            lambda: hsts.request("http://bücher.test/"),
            lambda: hsts.request("http://u@example.com/").location,
            lambda: hsts.request("http://example.com/a b").location,
            lambda: hsts.request("https://u@example.com/").host,
            lambda: hsts.response("https://bücher.test/", []),
            lambda: store.add("bücher.test"),
            lambda: store.note("EXAMPLE.c%6fm", "max-age=1"),
            lambda: store.match("127.1"),
        ):
            try:
                print("no error but", ask())
            except MissingExtra as error:
                print(isinstance(error, ImportError), str(error).endswith("pip install ada-url"))
        """
    )
    assert said.splitlines() == ["True True"] * 8
