"""Pictures say in words what they show, and are drawn from what the engine said."""

from __future__ import annotations

import base64
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import hstssim
from hstssim import (
    CHROME,
    CURL,
    Browser,
    Clock,
    HSTSStore,
    Interceptor,
    Navigation,
    PreloadEntry,
    PreloadList,
    plots,
)
from hstssim.script import to_https
from tests.programs import need

RULES = CHROME.replace(https_upgrades=False)
LIST = PreloadList.build([PreloadEntry("bank.test"), PreloadEntry("a.bank.test", include_subdomains=False)])


@pytest.fixture
def shop() -> tuple[Browser, Clock]:
    clock = Clock("2026-12-01T12:00Z")
    network = hstssim.ScriptedNetwork()
    site = network.site("shop.test", sts="max-age=864000; includeSubDomains")
    site.on("/", scheme="http", redirect=to_https)
    site.on("/forget", sts="max-age=0")
    network.site("down.test", down="ERR_CONNECTION_REFUSED")
    return Browser(RULES, HSTSStore(profile=RULES, clock=clock, preload=LIST), network), clock


def texts(picture: plots.Picture) -> list[str]:
    """Whatever is written in a picture."""
    return [text.get_text() for axes in picture.axes for text in axes.texts if text.get_text()]


def is_png(data: str) -> bool:
    return base64.b64decode(data).startswith(b"\x89PNG")


def visits(shop: tuple[Browser, Clock], *days: int) -> list[Navigation]:
    browser, clock = shop
    navigations = []
    for day in days:
        clock.move_to("2026-12-01T12:00Z")
        clock.tick(days=day)
        navigations.append(browser.navigate("http://shop.test/"))
    return navigations


def test_a_picture_shows_itself_with_words(shop: tuple[Browser, Clock]) -> None:
    picture = plots.sequence(visits(shop, 0)[0])
    data, metadata = picture._repr_mimebundle_()
    assert is_png(data["image/png"])
    assert data["text/plain"] == metadata["image/png"]["alt"]
    assert data["text/plain"] == "Sequence of 2 hops, 1 in the clear, to https://shop.test/: 200."


def test_a_timeline_counts_visits_and_windows(shop: tuple[Browser, Clock]) -> None:
    picture = plots.timeline(visits(shop, 0, 5, 12, 30))
    assert picture.alt == (
        "Timeline of shop.test: 4 visits, 2 of them with a request in the clear; "
        "windows in which the host is known: 4."
    )
    [axes] = picture.axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]  # type: ignore[attr-defined]
    assert bars == [(0, 10), (5, 10), (12, 10), (30, 10)]


def test_a_timeline_ends_a_window_that_is_taken_back(shop: tuple[Browser, Clock]) -> None:
    navigations = visits(shop, 0)
    shop[1].tick(days=4)
    navigations.append(shop[0].navigate("https://shop.test/forget"))
    [axes] = plots.timeline(navigations).axes
    assert [bar.get_width() for bar in axes.patches] == [4]  # type: ignore[attr-defined]


def test_a_timeline_ends_every_window_that_is_taken_back(shop: tuple[Browser, Clock]) -> None:
    navigations = visits(shop, 0, 1, 2)
    shop[1].tick(days=2)
    navigations.append(shop[0].navigate("https://shop.test/forget"))
    [axes] = plots.timeline(navigations).axes
    ends = [bar.get_x() + bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert ends == [4, 4, 4]


def test_a_timeline_has_what_never_ends_and_what_was_not_answered() -> None:
    network = hstssim.ScriptedNetwork()
    network.site("ever.test", sts="max-age=99999999999999999999")
    browser = Browser(CURL, HSTSStore(profile=CURL, clock=Clock("2026-12-01T12:00Z")), network)
    picture = plots.timeline([browser.navigate("https://ever.test/"), browser.navigate("http://none.test/")])
    picture.png()
    assert picture.alt == (
        "Timeline of ever.test, none.test: 2 visits, 0 of them with a request in the clear, 1 without an answer; "
        "windows in which the host is known: 1."
    )


def test_a_sequence_shows_a_url_that_was_rewritten() -> None:
    network = hstssim.ScriptedNetwork()
    network.site("shop.test", sts="max-age=60")
    browser = Browser(CURL, HSTSStore(profile=CURL), network)
    browser.navigate("https://shop.test/")
    said = texts(plots.sequence(browser.navigate("http://shop.test/")))
    assert "GET https://shop.test/ in place of http://shop.test/" in said


def test_a_dollar_begins_no_formula(shop: tuple[Browser, Clock]) -> None:
    for picture in (
        plots.sequence(shop[0].navigate(r"http://shop.test/$a_b$?$\frac$")),
        plots.matrix({"$\\frac$": {"$\\frac$": "$\\frac$"}}),
        plots.flow(Interceptor(shop[0].store).explain("http://x.test/$\\frac$")),
    ):
        picture.png()
        assert not any(text.get_parse_math() for axes in picture.axes for text in axes.texts if text.get_text())


def test_a_tree_tells_names_with_dots_apart_and_leaves_https_as_it_is(shop: tuple[Browser, Clock]) -> None:
    visits(shop, 0)
    hsts = Interceptor(shop[0].store)
    urls = (
        "http://shop.test/",
        "http://shop.test./",
        "http://shop.test../",
        "https://x.test/",
        "http://192.0.2.1/",
    )
    picture = plots.tree(map(hsts.request, urls))
    assert picture.alt == (
        "Tree of 5 names, 2 upgraded: shop.test https (dynamic); shop.test. https (dynamic); shop.test.. in the "
        "clear (not-a-dns-name); x.test as it is (already-https); 192.0.2.1 in the clear (ip-address)."
    )


LONG = "internationalization-team." + ".".join("abcdefgh") + ".example.test"


@pytest.mark.parametrize("draw", ["tree", "flow", "sequence", "timeline"])
def test_what_is_long_stays_in_the_picture(shop: tuple[Browser, Clock], draw: str) -> None:
    url = f"http://{LONG}/{'path/' * 30}?{'query=' * 30}"
    shop[0].network.site("example.test")  # type: ignore[attr-defined]
    shop[0].store.note(LONG, "max-age=60; includeSubDomains")
    made = {
        "tree": lambda: plots.tree([Interceptor(shop[0].store).request(f"http://a.{LONG}/")]),
        "flow": lambda: plots.flow(Interceptor(shop[0].store).explain(url)),
        "sequence": lambda: plots.sequence(shop[0].navigate(url)),
        "timeline": lambda: plots.timeline([shop[0].navigate(url)]),
    }[draw]()
    made.png()
    whole = made.bbox
    for axes in made.axes:
        for text in axes.texts:
            box = text.get_window_extent()
            assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, text.get_text()


def test_a_sequence_shows_what_is_sent_and_what_is_not(shop: tuple[Browser, Clock]) -> None:
    first, second = visits(shop, 0, 1)
    assert "PLAINTEXT GET http://shop.test/" in texts(plots.sequence(first))
    said = texts(plots.sequence(second))
    assert "http://shop.test/\n307 Internal Redirect [HSTS]: nothing is sent" in said
    assert not any("PLAINTEXT" in text for text in said)
    assert "ERR_CONNECTION_REFUSED" in texts(plots.sequence(shop[0].navigate("http://down.test/")))


def test_a_tree_says_what_becomes_of_each_name(shop: tuple[Browser, Clock]) -> None:
    visits(shop, 0)
    hsts = Interceptor(shop[0].store)
    names = ("shop.test", "a.shop.test", "bank.test", "a.bank.test", "x.a.bank.test", "other.test.")
    picture = plots.tree(hsts.request(f"http://{name}/") for name in names)
    said = texts(picture)
    assert said.count("https (dynamic)") == 2
    assert said.count("https (preload)") == 2
    assert {"shop  includeSubDomains", "bank  includeSubDomains", "a  alone", "test"} <= set(said)
    assert "x.a.bank.test in the clear (no-include-subdomains)" in picture.alt
    assert picture.alt.startswith("Tree of 6 names, 4 upgraded: ")


def test_a_flow_shows_every_question_and_the_end(shop: tuple[Browser, Clock]) -> None:
    hsts = Interceptor(shop[0].store)
    decision = hsts.explain("http://x.bank.test/")
    said = texts(plots.flow(decision))
    assert said == [
        *("x.bank.test\nin the store?", "no entry", "bank.test\nin the store?", "no entry"),
        *("test\nin the store?", "no entry", "x.bank.test\nin the preload list?", "no entry"),
        *("bank.test\nin the preload list?", "match", "307 → https://x.bank.test/", "superdomain match"),
    ]
    assert "https://a.test/\nas it is" in texts(plots.flow(hsts.explain("https://a.test/")))
    assert "http://a.test/\nin the clear" in texts(plots.flow(hsts.explain("http://a.test/")))


def test_a_matrix_has_a_row_a_header_and_one_colour_for_what_is_alike() -> None:
    picture = plots.matrix(
        hstssim.diff([CHROME, hstssim.CURL], ["max-age=1", "max-age=1x", ("max-age=1", "max-age=0")])
    )
    assert picture.alt == (
        "Matrix of 3 rows and 2 columns; in 2 rows the columns disagree. "
        "max-age=1: chrome 1 second, curl 1 second; max-age=1x: chrome ignore, curl 1 second; "
        "max-age=1 | max-age=0: chrome 1 second, curl delete."
    )
    said = texts(picture)
    assert {"max-age=1", "max-age=1 | max-age=0", "1 second", "ignore", "chrome", "curl"} <= set(said)
    tints = [bar.get_facecolor() for axes in picture.axes for bar in axes.patches]
    assert (tints[0] == tints[1], tints[2] == tints[3]) == (True, False)


def test_a_matrix_of_ones_own_has_the_same_colour_for_a_text_in_every_row() -> None:
    picture = plots.matrix({"a": {"x": "OK", "y": "FAILED"}, "b": {"x": "FAILED", "y": "OK"}, "c": {"y": "OK"}})
    tints = [bar.get_facecolor() for axes in picture.axes for bar in axes.patches]
    assert tints[0] == tints[3] == tints[4] != tints[1] == tints[2]


class Parsed(HTMLParser):
    """The tags and attributes of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {f"{tag}.{name}": value for name, value in attrs}


def slider(start: int = 0) -> plots.Slider:
    return plots.slide(
        lambda day: plots.Picture(f'{day} <days> & "more"', 1, 1), [1, 2, 30], label="<b>days</b>", start=start
    )


def test_a_slider_shows_the_picture_at_its_start_where_no_script_runs() -> None:
    data = slider(start=1)._repr_mimebundle_()
    parsed = Parsed(data["text/html"])
    assert parsed.tags == ["div", "label", "input", "output", "br", "img"]
    assert (parsed.attributes["input.max"], parsed.attributes["input.value"]) == ("2", "1")
    frames = str(parsed.attributes["input.data-frames"]).split(" ")
    assert all(is_png(frame.partition(",")[2]) for frame in frames)
    assert len(frames) == 3
    assert parsed.attributes["img.src"] == frames[1]
    assert parsed.attributes["img.alt"] == '2 <days> & "more"'
    assert data["text/plain"].splitlines()[0] == '1: 1 <days> & "more"'
    assert parsed.attributes["input.aria-valuetext"] == "2"
    assert parsed.attributes["input.data-lm-suppress-shortcuts"] == "true"


@pytest.mark.parametrize("start", [3, -4])
def test_a_slider_starts_at_one_of_its_values(start: int) -> None:
    with pytest.raises(hstssim.HSTSSimError, match="a slider starts at one of its values"):
        slider(start=start)


def test_a_slider_without_values_is_refused() -> None:
    with pytest.raises(hstssim.HSTSSimError, match="seen 0 of 0"):
        plots.slide(lambda value: plots.Picture(str(value)), [], label="nothing")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.timeline([]),
        lambda: plots.tree([]),
        lambda: plots.tree([Interceptor(HSTSStore()).request("http://a..test/")]),
        lambda: plots.tree([Interceptor(HSTSStore()).request("http://a.test/")] * 2),
        lambda: plots.matrix({}),
        lambda: plots.flow(Interceptor(HSTSStore(preload=LIST)).request("http://bank.test/")),
        lambda: plots.flow(Interceptor(HSTSStore(preload=LIST)).request("http://else.test/")),
    ],
    ids=["no visits", "no names", "no labels", "twice", "no rows", "no steps", "no steps, and no match"],
)
def test_what_cannot_be_drawn_is_refused(draw: object) -> None:
    assert callable(draw)
    with pytest.raises(hstssim.HSTSSimError, match="; seen"):
        draw()


def test_without_matplotlib_the_command_that_installs_it_is_named() -> None:
    program = "import sys; sys.modules['matplotlib'] = None\nimport hstssim.plots"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "hstssim.errors.MissingExtra: pictures need matplotlib: pip install 'hstssim[plots]'"
    )


def test_a_text_has_the_colour_that_is_asked_for() -> None:
    picture = plots.matrix({"a": {"x": "OK", "y": "FAILED"}}, tints={"FAILED": "#ff0000"})
    ok, failed = (bar.get_facecolor() for axes in picture.axes for bar in axes.patches)
    assert failed == (1, 0, 0, 1) != ok


@pytest.mark.oracle
def test_a_slider_moves_in_a_browser(tmp_path: Path) -> None:
    need("chromium")
    move = """<script>
    const input = document.querySelector('input'); input.value = 2; input.dispatchEvent(new Event('input'))
    </script>"""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{slider().html()}{move}")
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    run = [*words, *quiet, "--dump-dom", page.as_uri()]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    parsed = Parsed(done.stdout)
    assert "<output>30</output>" in done.stdout
    assert parsed.attributes["img.src"] == str(parsed.attributes["input.data-frames"]).split(" ")[2]
    assert parsed.attributes["img.alt"] == '30 <days> & "more"'
