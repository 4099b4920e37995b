"""What a notebook shows for an object: a small table of its own, whatever a peer wrote escaped."""

from __future__ import annotations

from html import escape, unescape
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hstssim
from hstssim import CHROME, WGET, Browser, HSTSStore, Interceptor, PreloadEntry, PreloadList, ScriptedNetwork
from hstssim.markup import Markup, mark, table
from hstssim.script import to_https
from tests.conftest import Clock

ALLOWED = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span"}


class Parsed(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += f"{data}\n"


def shown(thing: object) -> str:
    """The text of a thing's rich display."""
    made = thing._repr_html_()  # type: ignore[attr-defined]
    parsed = Parsed(made)
    assert set(parsed.tags) <= ALLOWED
    return parsed.text


@given(st.text(), st.text(), st.lists(st.lists(st.text(), max_size=3), max_size=3), st.text())
def test_whatever_stands_in_a_table_is_escaped(caption: str, head: str, rows: list[list[str]], note: str) -> None:
    made = table(caption, (head, mark(head, "plaintext")), rows, note)
    assert set(Parsed(made).tags) <= ALLOWED
    assert Parsed(made).tags.count("td") == sum(map(len, rows))
    assert escape(caption) in made
    assert made == table(
        caption, (head, mark(head, "plaintext")), [[Markup(escape(c)) for c in row] for row in rows], note
    )


@pytest.fixture
def store(clock: Clock) -> HSTSStore:
    made = HSTSStore(clock=clock, preload=PreloadList.build([PreloadEntry("bank.test")]))
    made.note("shop.test", "max-age=864000; includeSubDomains")
    return made


def test_a_decision(store: HSTSStore) -> None:
    hsts = Interceptor(store)
    said = shown(hsts.explain("http://a.shop.test/"))
    assert "HTTP/1.1 307 Internal Redirect to https://a.shop.test/" in said
    assert "superdomain-match: superdomain match shop.test" in said
    assert "a.shop.test (dynamic)\nno-entry" in said
    assert "in the clear" in shown(hsts.request("http://other.test/"))
    assert "as it is" in shown(hsts.request("https://shop.test/"))
    wget = HSTSStore(profile=WGET, clock=store.clock)
    wget.note("shop.test", "max-age=60")
    assert "rewritten to https://shop.test/" in shown(Interceptor(wget).request("http://shop.test/"))
    assert "<b>" in shown(hsts.request("http://shop.test/<b>"))


def test_a_store(store: HSTSStore, clock: Clock) -> None:
    assert "shop.test\nand its subdomains\n2027-01-25T08:00:00Z\n10 days" in shown(store)
    clock.now += 11 * 86_400
    assert "expired" in shown(store)
    for number in range(30):
        store.note(f"a{number}.test", "max-age=60")
    assert shown(store).count("alone") == 19
    assert "and 11 more; as of 2027-01-26T08:00:00Z" in shown(store)


def test_a_navigation(clock: Clock) -> None:
    rules = CHROME.replace(https_upgrades=False)
    network = ScriptedNetwork()
    network.site("shop.test", sts="max-age=60").on("/", scheme="http", redirect=to_https, status=301)
    browser = Browser(rules, HSTSStore(profile=rules, clock=clock), network)
    first, second = browser.navigate("http://shop.test/"), browser.navigate("http://shop.test/")
    assert "PLAINTEXT GET http://shop.test/\nHTTP/1.1 301 Moved Permanently" in shown(first)
    assert "<Noted shop.test, 1 minute>" in shown(first)
    assert "made up by the browser (HSTS): nothing sent" in shown(second)
    clock.now += 61
    assert "HTTP/1.1 301 Moved Permanently, from the cache: nothing sent" in shown(
        browser.navigate("http://shop.test/")
    )
    assert "ERR_NAME_NOT_RESOLVED" in shown(browser.navigate("https://none.test/"))


def test_a_comparison_of_profiles() -> None:
    compared = hstssim.diff([CHROME, WGET], ["max-age=63072000", "max-age=60"], [("a.test", "a.test:80")])
    assert compared == list(compared)
    said = shown(compared)
    assert said.startswith("1 of 2 differ\nStrict-Transport-Security\nhost\nchrome\nwget\n")
    assert "max-age=63072000\na.test, then a.test:80\n365 days\n730 days" in said
    assert unescape(compared._repr_html_()).count("font-weight: bold") == 2  # the caption, and what differs
