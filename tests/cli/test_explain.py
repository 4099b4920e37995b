from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_each_step_is_shown_and_then_the_307_as_the_network_panel_has_it(run: Run) -> None:
    ran = run("explain", "http://www.github.com/")
    assert ran.status == 0
    steps = [line.split(maxsplit=3)[1:] for line in ran.lines if line.startswith("   ")]
    assert steps == [
        ["dynamic", "www.github.com", "no entry"],
        ["dynamic", "github.com", "no entry"],
        ["dynamic", "com", "no entry"],
        ["preload", "www.github.com", "no entry"],
        ["preload", "github.com", "superdomain match, includeSubDomains"],
    ]
    assert ran.lines[-6:] == [
        "  Status Code: 307 Internal Redirect",
        "Response Headers  (made up by the browser, sent by no server)",
        "  HTTP/1.1 307 Internal Redirect",
        "  Location: https://www.github.com/",
        "  Cross-Origin-Resource-Policy: Cross-Origin",
        "  Non-Authoritative-Reason: HSTS",
    ]


def test_a_request_with_an_origin_gets_the_cors_fields(run: Run) -> None:
    ran = run("explain", "--origin", "http://page.example", "http://github.com/")
    assert ran.lines[-2:] == [
        "  Access-Control-Allow-Origin: http://page.example",
        "  Access-Control-Allow-Credentials: true",
    ]
    assert run("explain", "--origin", "http://x\r\nSet-Cookie: a", "http://github.com/").status == 2


def test_json_adds_steps_and_the_redirect(run: Run) -> None:
    (told,) = run("explain", "--json", "http://app/").objects
    assert told["steps"] == [
        {"domain": "app", "source": "dynamic", "result": "no-entry"},
        {"domain": "app", "source": "preload", "result": "match"},
    ]
    assert told["redirect"]["status"] == 307
    assert told["redirect"]["headers"][0] == ["Location", "https://app/"]
    (localhost,) = run("explain", "--json", "http://[::1]/").objects
    assert localhost["steps"] == []
    assert localhost["redirect"] is None


def test_a_profile_that_rewrites_shows_no_redirect(run: Run) -> None:
    ran = run("explain", "--profile", "rfc6797", "http://github.com:80/")
    assert ran.status == 0
    assert ran.lines[-1] == "the URL is replaced silently by https://github.com:443/"


def test_the_host_as_the_browser_has_it_is_shown_where_it_differs(run: Run) -> None:
    assert "  the host is xn--bcher-kva.de" in run("explain", "http://bücher.de/").lines
    assert run("explain", "google.com").status == 1


@pytest.mark.parametrize("text", ["http://", "a b:c", "", "http://a:b"], ids=repr)
def test_bad_input_is_one_line_and_status_2(run: Run, text: str) -> None:
    ran = run("explain", text)
    assert ran.status == 2
    assert ran.out == ""
    assert len(ran.complaints) == 1


def test_urls_are_read_from_stdin_too(run: Run) -> None:
    ran = run("explain", "--json", "-", stdin=b"http://github.com/\nhttp://[\n")
    assert [sorted(told)[0] for told in ran.objects] == ["by", "error"]
    assert ran.status == 2


def test_only_navigations_are_upgraded_when_the_feature_is_on(run: Run) -> None:
    assert run("explain", "--subresource", "github.com").status == 0
    assert run("explain", "--subresource", "--top-level-only", "github.com").status == 1


def test_the_request_url_is_shown_as_the_browser_has_it(run: Run) -> None:
    assert (
        "  Request URL: http://u:p@github.com/a%7Cb?q#f"
        in run("explain", "HTTP://u:p@GitHub.com:80/a|b?q#f").lines
    )
