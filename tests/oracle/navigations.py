"""Navigations that a real Chromium and our Browser are both sent on: one world of sites, many cases.

Here: the sites and the cases, in the words of the lab. Never here: what ought to come of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Literal, NamedTuple

from hstssim.lab import Lab

How = Literal["type", "submit", "follow"]
WAYS: tuple[How, ...] = ("submit", "follow")
STATUSES = (301, 302, 303, 307, 308)
SITES = ("known", "plain", "other", "secure")


class Step(NamedTuple):
    """One navigation of a case."""

    how: How
    url: str


class Case(NamedTuple):
    """Navigations in one browser, one after the other."""

    id: str
    steps: tuple[Step, ...]


def world(lab: Lab) -> None:
    """Make the sites: `known.test` is what the browsers are made to know first."""
    sites = {name: lab.site(f"{name}.test") for name in ("plain", "other", "secure")}
    sites["known"] = lab.site("known.test", sts="max-age=10000; includeSubDomains")
    exact = lab.site("exact.test", sts="max-age=10000")
    for site in (*sites.values(), exact):
        for status in STATUSES:
            for name in SITES:
                site.on(f"/{status}/{name}", status=status, redirect=f"http://{name}.test/landed?q=1")
                site.on(f"/{status}/{name}s", status=status, redirect=f"https://{name}.test/landed?q=1")
        for number, location in enumerate(LOCATIONS):
            site.on(f"/location/{number}", redirect=location.encode().decode("latin-1"))
        for number, (status, headers) in enumerate(CACHED):
            site.on(f"/cached/{number}", status=status, headers=headers, redirect="http://other.test/landed")
        for policy in POLICIES:
            site.on(f"/policy/{policy}", redirect="http://known.test/", headers={"Referrer-Policy": policy})
        for status in ANSWERS:
            site.on(f"/status/{status}", status=status, body="text", headers={"Location": "http://other.test/"})
        site.on("/loop", redirect="/loop")
        site.on("/loop/kept", status=301, redirect="/loop/kept")
        site.on("/down", redirect=f"http://{site.name}/down")
    for kind in CERTIFICATES:
        for name in ("bad", "bad.known"):
            lab.site(f"{kind}.{name}.test", certificate=kind)
    for name in ("shop.example.com", "other.example.net"):
        shop = lab.site(name)
        shop.on("/back", scheme="https", redirect=f"http://{name}/back")
        shop.on("/elsewhere", scheme="https", redirect=f"http://{name}/else")
        shop.on("/two", scheme="https", redirect="/three")
        shop.on("/three", scheme="https", redirect=f"http://{name}/two")
        shop.on("/over", scheme="https", redirect="http://other.example.net/over2")
        shop.on("/over2", scheme="https", redirect="http://shop.example.com/over")
        shop.on("/bad", redirect="https://expired.bad.test/")
        shop.on("/plain", redirect="http://plain.test/")
        shop.on("/known", redirect="http://known.test/")
        shop.on("/loop", redirect=f"https://{name}/loop")
        shop.on("/unsafe", redirect="data:,x")
        shop.on("/port", redirect=f"https://{name}:6000/")
        shop.on("/404", status=404, body="text")
        shop.on("/drop", scheme="https", drop=True)
    learner = lab.site("learner.test")
    for path, sts in LESSONS.items():
        learner.on(f"/{path}", redirect="http://learner.test/then", sts=sts)
        learner.on(f"/{path}/below", redirect="http://a.learner.test/then", sts=sts)
    learner.on("/clear", scheme="http", redirect="http://learner.test/then", sts="max-age=100")
    learner.on("/kept", redirect="http://other.test/landed", status=301, sts="max-age=100")
    learner.on("/deep", redirect="http://a.b.c.known.test/")
    learner.on("/user", redirect="http://user:pw@other.test/x")
    learner.on("/a/b/c", redirect="../../x/")
    for name in ("github.com", "foo.app", "app", "dev", "figma.com"):
        lab.site(name)
    lab.site("refuses.example.com", refuse_tls=True)
    lab.site("expired.example.com", certificate="expired").on("/to", redirect="http://shop.example.com/")
    lab.site("8.8.8.8", certificate="wrong-name")
    for name in ("localhost", "127.0.0.1", "x"):
        lab.site(name)
    for name in SITES:
        for host in ("shop", "refuses", "expired"):
            sites[name].on(f"/{host}", redirect=f"http://{host}.example.com/from?x=1")


LOCATIONS = (
    *("x", "/x", "../x", "./x?y", "//known.test/x", "///known.test/x", "\\\\known.test\\x", "http:x", "http:/x"),
    *("https:/known.test/x", "HTTP://KNOWN.TEST/x", "http://user:pw@known.test/x", "http://known.test/x#"),
    *(
        "http://known.test/#own",
        "http://known.test/é",
        "http://bücher.known.test/",
        "http://b%C3%BCcher.known.test",
    ),
    *("htt\tp://known.test/x", "http://known.test/a\tb", "http://known.test/a b|c'd\"e<f>`{g}^", "x y|z"),
    *("http://known.test/?a b|c'd\"e<f>`{g}^", "http://known.test/#a b|c'd\"e<f>`{g}^", "http://known.test:/x"),
    *("http://known.test:80/x", "http://known.test:443/x", "http://known.test:8080/x", "http://known.test:080/x"),
    *("http://known.test./x", "http://%6Bnown.test/", "http://ｋnown.test/", "http://known。test/", "0", "c|/x"),
    *("http://a!b.known.test/", "http://a_b.known.test/", "http://-a.known.test/", "http://known.test?x"),
    *("http://known.test#x", "http:\\\\known.test\\x", "http://known.test\\@other.test/", "https://known.test/y"),
    *("http://other.test@known.test/", "http://known.test/%zz", "http://known.test/%2e%2e/x", "%68ttp://a/"),
    *("http://known.test/a/./b/../c", "http://known.test/;x", "http://known.test/\x01x", "?again=1#f", "#f"),
    *(
        "http://127.1/",
        "http://0x7f.1:80/",
        "http://2130706433/",
        "http://localhost/",
        "https://known.test:8443/y",
    ),
    # What leads nowhere.
    *("", "http://", "http:///", "http://known.test:99999/", "http://[::1", "http://known.test%2f/"),
    *("http://known.test%00/", "http://4294967296/", "http://known.test:6000/", "http://other.test:6667/"),
    *("https://known.test:22/", "http://other.test:0/", "data:text/html,x", "file:///etc/passwd", "about:blank"),
    *("javascript:alert(1)", "mailto:x@y", "ftp://known.test/", "ws://known.test/", "wss://known.test/", "tel:1"),
    *(
        "blob:http://known.test/1",
        "chrome://version",
        "view-source:http://known.test/",
        "unknown:x",
        "intent://x/",
    ),
    *("filesystem:http://known.test/x", "chrome-error://chromewebdata/", "http://other.test:10080/", "x:y"),
)

_FUTURE, _PAST = "Fri, 01 Jan 2038 00:00:00 GMT", "Thu, 01 Jan 1998 00:00:00 GMT"
CACHED: tuple[tuple[int, dict[str, str]], ...] = (
    *((status, {}) for status in STATUSES),
    *(
        (status, {"Cache-Control": text})
        for status in (301, 302, 307, 308)
        for text in (
            *("max-age=100", "no-store", "no-cache", "max-age=0", "private", "must-revalidate, max-age=9"),
            *('max-age="100"', "max-age=-1", "MAX-AGE=100", 'no-cache="x"', "max-age=1e3", "s-maxage=100"),
        )
    ),
    *((status, {"Expires": text}) for status in (301, 302) for text in (_FUTURE, _PAST, "0", "garbage")),
    *((status, headers) for status in (301, 302) for headers in ({"Vary": "*"}, {"Pragma": "no-cache"})),
    (302, {"Age": "1000", "Cache-Control": "max-age=100"}),
    (302, {"Age": "50", "Cache-Control": "max-age=100"}),
    (302, {"Cache-Control": "max-age=100", "Expires": _PAST}),
    (302, {"Cache-Control": "max-age=100", "Pragma": "no-cache"}),
    (302, {"Last-Modified": _PAST}),
    (301, {"Vary": "Cookie"}),
)
POLICIES = (
    *("no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin"),
    *("strict-origin", "strict-origin-when-cross-origin", "unsafe-url", "garbage"),
)
ANSWERS = (201, 203, 300, 304, 305, 306, 309, 399, 400, 401, 404, 410, 500, 503)
CERTIFICATES = (
    "expired",
    "not-yet-valid",
    "wrong-name",
    "self-signed",
    "unknown-issuer",
    "wildcard",
    "ip-address",
)
TYPED = (
    *(
        "http://known.test/",
        "http://known.test/a?b=c#d",
        "http://user:pw@known.test:80/x",
        "http://known.test:443/",
    ),
    *("http://known.test:8080/x", "http://known.test./", "http://KNOWN.test/X", "http://a.b.known.test/"),
    *("https://known.test/", "https://known.test:8443/", "http://plain.test/", "http://plain.test:8080/x#y"),
    *("http://known.test:6000/", "http://plain.test:6667/", "http://a_b.known.test/", "http://a!b.known.test/"),
    *("http://bücher.known.test/", "http://known.test/a b", "http://known.test/%zz?%zz#%zz", "http://127.0.0.1/"),
    *(
        "http://exact.test/",
        "http://www.exact.test/",
        "http://localhost/",
        "http://known.test:80#",
        "https://plain.test",
    ),
)
SHOPS = (
    *("http://shop.example.com/", "http://shop.example.com/a?b#c", "http://shop.example.com:8080/"),
    *("http://shop.example.com/back", "http://shop.example.com/elsewhere", "http://shop.example.com/two"),
    *("http://shop.example.com/over", "http://shop.example.com/bad", "http://shop.example.com/plain"),
    *("http://shop.example.com/known", "http://shop.example.com/loop", "http://shop.example.com/unsafe"),
    *("http://shop.example.com/port", "http://shop.example.com/404", "http://shop.example.com/drop"),
    *("http://refuses.example.com/", "http://www.refuses.example.com/x#y", "http://expired.example.com/"),
    *("http://expired.example.com/to", "https://expired.example.com/", "http://8.8.8.8/"),
)


LESSONS: dict[str, str | tuple[str, ...]] = {
    "host": "max-age=100",
    "subdomains": "max-age=100; includeSubDomains",
    "zero": "max-age=0",
    "twice": ("max-age=x", "max-age=100"),
    "nonsense": "max-age=100; max-age=100",
}
PRELOADED = (
    *(
        "http://github.com/",
        "http://www.github.com:8080/x#y",
        "http://foo.app/",
        "http://a.foo.app./",
        "http://app/",
    ),
    *("http://app./", "http://dev/", "http://www.figma.com/", "http://x.www.figma.com/", "http://x.figma.com/"),
)


def cases() -> Iterator[Case]:
    """Every case; each browser knows known.test and exact.test when it begins."""
    for url in TYPED:
        yield _case(f"typed {url}", ("type", url))
    for status, source, target in product(STATUSES, ("plain", "secure"), ("known", "knowns", "other", "others")):
        url = f"{'https' if source == 'secure' else 'http'}://{source}.test/{status}/{target}"
        yield _case(f"typed {url}", ("type", f"{url}#top"))
    for number, location in enumerate(LOCATIONS):
        yield _case(f"location {location!r}", ("type", f"http://plain.test/location/{number}?q=1#foo"))
    for number, location in enumerate(LOCATIONS[:12]):
        yield _case(f"location {location!r} of https", ("type", f"https://secure.test/location/{number}"))
    for status, page, target in product(STATUSES, ("http://plain", "https://secure"), SITES):
        for ending in ("", "s"):
            url = f"{page}.test/{status}/{target}{ending}"
            yield _case(f"form {url}", ("type", f"{page}.test/page?secret"), ("submit", url))
            if status == 302:
                yield _case(f"link {url}", ("type", f"{page}.test/page?secret"), ("follow", url))
    for how, url in product(WAYS, ("http://plain.test/x", "http://known.test/x", "https://secure.test/x")):
        yield _case(f"{how} {url}", ("type", "http://other.test/page?secret"), (how, url))
    for url in ("https://known.test/x", "https://secure.test/page", "http://a.known.test/"):
        yield _case(f"from known {url}", ("type", "https://known.test/page?x"), ("follow", url))
        if url[:5] == "https":
            yield _case(f"form from known {url}", ("type", "https://known.test/page?x"), ("submit", url))
    for policy in POLICIES:
        for page in ("http://plain.test", "https://secure.test"):
            yield _case(f"{policy} {page}", ("type", f"{page}/page?x"), ("follow", f"{page}/policy/{policy}"))
    for path in ("/loop", "/loop/kept"):
        for site in ("http://plain.test", "https://secure.test", "http://known.test"):
            yield _case(f"typed {site}{path}", ("type", f"{site}{path}"))
        yield _case(f"form {path}", ("type", "http://plain.test/"), ("submit", f"http://plain.test{path}"))
    for url in ("http://known.test/down", "https://known.test/down", "http://plain.test/down"):
        yield _case(f"typed {url}", ("type", url))
    for kind, name in product(CERTIFICATES, ("bad", "bad.known")):
        for scheme in ("http", "https"):
            yield _case(f"{scheme} {kind} {name}", ("type", f"{scheme}://{kind}.{name}.test/"))
    for number, (status, headers) in enumerate(CACHED):
        url = f"http://plain.test/cached/{number}"
        between = "http://other.test/between"
        yield _case(f"cached {status} {headers}", ("type", url), ("type", between), ("type", f"{url}#again"))
    kept = "http://plain.test/cached/0"
    yield _case("cached, then linked", ("type", kept), ("follow", kept), ("type", kept))
    yield _case("linked twice", ("type", "http://other.test/"), ("follow", kept), ("follow", kept))
    yield _case("cached, then a form", ("type", kept), ("submit", kept), ("type", kept))
    yield _case(
        "cached on the way", ("type", "http://other.test/301/plain"), ("type", "http://other.test/301/plain")
    )
    known = "http://known.test/cached/0"
    yield _case("HSTS before the cache", ("type", known), ("type", known))
    for status in ANSWERS:
        yield _case(f"status {status}", ("type", f"http://plain.test/status/{status}"))
    for url in SHOPS:
        yield _case(f"upgraded {url}", ("type", url), ("type", "http://other.test/"), ("type", url))
    for lesson in LESSONS:
        after: tuple[tuple[How, str], ...] = (("type", "http://learner.test/"), ("type", "http://a.learner.test/"))
        yield _case(f"learns {lesson}", ("type", f"https://learner.test/{lesson}"), *after)
        yield _case(f"learns {lesson} below", ("type", f"https://learner.test/{lesson}/below"), *after)
        yield _case(f"{lesson} in the clear", ("type", f"http://learner.test/{lesson}"), *after)
    forget = ("host", "zero", "then")
    yield _case("learns and forgets", *(("type", f"https://learner.test/{path}") for path in forget))
    for path in ("clear", "deep", "user", "a/b/c"):
        for how in WAYS:
            yield _case(f"{how} {path}", ("type", "http://other.test/page"), (how, f"http://learner.test/{path}"))
    kept = "https://learner.test/kept"
    yield _case("kept over https", ("type", kept), ("type", "http://learner.test/kept"), ("type", kept))
    yield _case(
        "user and password of a page", ("type", "http://u:p@plain.test/p"), ("follow", "http://other.test/x")
    )
    for url in PRELOADED:
        yield _case(f"preloaded {url}", ("type", url))
    for host, page in product(("shop", "refuses", "expired"), ("http://plain.test", "https://secure.test")):
        yield _case(f"led to {host} from {page}", ("type", f"{page}/{host}"))
    yield _case("linked to a shop", ("type", "http://plain.test/"), ("follow", "http://shop.example.com/"))
    yield _case("form to a shop", ("type", "http://plain.test/"), ("submit", "http://shop.example.com/"))
    yield _case("form led to a shop", ("type", "http://plain.test/"), ("submit", "http://plain.test/shop"))


def _case(name: str, *steps: tuple[How, str]) -> Case:
    return Case(name, tuple(Step(*step) for step in steps))
