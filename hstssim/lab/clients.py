"""The clients we know: how each is run, led to the lab, made to trust it, and kept apart from its user's settings.

Each way was seen to work; what a client ignores stands beside it. Nothing here starts a client.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from hstssim.errors import LabError, short


class Way(NamedTuple):
    """What a client must be told."""

    http_port: int
    https_port: int
    ca_file: str
    directory: str
    """For files that a client wants, removed with the lab."""

    @property
    def proxy_url(self) -> str:
        """The forward proxy."""
        return f"http://127.0.0.1:{self.http_port}"


def trust_environment(ca_file: str) -> dict[str, str]:
    """The variables that make clients trust the lab's authority, and only it."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    return dict.fromkeys(names, ca_file)


PROXY_VARIABLES = tuple(
    variant for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for variant in (name, name.upper())
)
"""What leads a client to a proxy or away from it. curl heeds no HTTP_PROXY, wget only the lower case."""


class Client(NamedTuple):
    """A program or library, and what is known of it: seen on Debian 12 with the versions of 2026-11."""

    name: str
    run: tuple[str, ...] = ()
    """A command line that fetches `{url}`, and prints it if it can; `{workdir}` is a folder of its own. Empty for
    what is a library of a language that we start no program in."""
    source: str = ""
    """Where it comes from."""
    proxy: tuple[str, str] = ("absolute CONNECT", "absolute CONNECT")
    """What it does with `http_proxy` and `https_proxy`, then with HTTP_PROXY and HTTPS_PROXY: an absolute-form GET
    for http, CONNECT for https, `-` where it ignores them."""
    trusted_by: tuple[str, ...] = ()
    """Each alone makes it trust an authority; `system` is /etc/ssl/certs."""
    verifies: bool = True
    """Whether it looks at certificates, unasked."""
    apart: tuple[str, ...] = ()
    """Arguments that come first and keep it from the user's settings and state."""
    as_root: tuple[str, ...] = ()
    """Arguments without which root cannot start it."""
    state: tuple[str, ...] = ()
    """Arguments that name the file in which it remembers hosts, `{store}`; none if it cannot be told."""
    posts: tuple[str, ...] = ()
    """Arguments that make it POST a body, `{body}`."""
    several: bool = False
    """Whether it takes several URLs in the place of one, and keeps to their order."""
    parallel: tuple[str, ...] = ()
    """Arguments that make it fetch them at the same time."""
    files: Mapping[str, str] = MappingProxyType({})
    """What files in `{workdir}` have to say before it is started."""
    lingers: float = 0.0
    """Seconds after which it is to be told to end (SIGTERM): it does not where there is an error."""
    at_once: int = 12
    """How many of it a small machine bears."""
    asks: tuple[str, ...] = ()
    """A command line that prints its version, and fails where it is not installed; else `--version` is asked."""
    arguments: Callable[[Way], list[str]] | None = None
    """Those that bring it to the lab without a proxy variable."""
    environment: Callable[[Way], dict[str, str]] | None = None
    """What it wants besides `environment`'s."""
    note: str = ""
    """What falsifies a measurement."""

    def command(self, url: str, workdir: str, store: str | None = None, body: str | None = None) -> list[str]:
        """The words that fetch a URL, apart from the user's settings.

        Args:
            url: what is fetched.
            workdir: a folder for whatever it writes.
            store: the file in which it is to remember hosts, for those that can be told so.
            body: what it is to POST, for those that can be told so.

        Raises:
            LabError: there is no program to start, or it cannot be told of a file or a body.
        """
        if not self.run:
            raise LabError(f"there is no one command that starts {self.name}")
        if store is not None and not self.state:
            raise LabError(f"{self.name} cannot be told where to remember hosts")
        if body is not None and not self.posts:
            raise LabError(f"{self.name} cannot be told what to POST")
        program, *rest = self.run
        known = self.state if store is not None else ()
        posted = self.posts if body is not None else ()
        fill = {
            "{url}": url,
            "{workdir}": workdir,
            "{store}": store or "",
            "{body}": body or "",
            "{python}": sys.executable,
        }
        return [_filled(word, fill) for word in (program, *self.apart, *self.for_user, *rest, *known, *posted)]

    def prepare(self, workdir: str) -> None:
        """Write its `files`."""
        for name, content in self.files.items():
            path = os.path.join(workdir, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)

    def version(self) -> str | None:
        """Which version is installed; None if none is."""
        words = [_filled(word, {"{python}": sys.executable}) for word in self.asks or (*self.run[:1], "--version")]
        if shutil.which(words[0]) is None:
            return None
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)  # noqa: S603
        if self.asks and done.returncode != 0:
            return None
        found = re.search(r"\d+(\.\d+)+([-.]?\w+)*(\+git\w+)?", done.stdout + done.stderr)
        return found[0] if found else "of an unknown version"

    @property
    def for_user(self) -> tuple[str, ...]:
        """`as_root` if that is who we are."""
        return self.as_root if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


INSTEAD = "where there is none, `client_env` and `client_args` (`hstssim lab`) lead programs through a proxy"
"""What can be done without a sealed room."""


def environment(way: Way, client: str | None = None) -> dict[str, str]:
    """The variables that bring a child process to the lab: its proxy, and its authority.

    Chromium and wget heed none that says whom to trust: `client="chromium"` adds a HOME whose NSS database trusts
    the authority, `client="wget"` a WGETRC that does, in place of the user's own.
    """
    own = known(client).environment if client is not None else None
    proxies = {name: "" if name.lower() == "no_proxy" else way.proxy_url for name in PROXY_VARIABLES}
    return proxies | trust_environment(way.ca_file) | (own(way) if own else {})


def arguments(way: Way, client: str) -> list[str]:
    """The arguments that bring a client to the lab without a proxy variable.

    Raises:
        LabError: we do not know the client, it has none such, or it needs a program that is missing.
    """
    made = known(client).arguments
    if made is None:
        able = ", ".join(name for name, row in CLIENTS.items() if row.arguments)
        raise LabError(
            f"the clients we have arguments for are {able}; "
            f"others take client_env() or sealed(); seen {short(client)}"
        )
    return made(way)


def known(client: str) -> Client:
    """A client of the table by its name.

    Raises:
        LabError: it is none of them.
    """
    if client not in CLIENTS:
        raise LabError(
            f"the clients we know are {', '.join(CLIENTS)}; "
            f"others take client_env() or sealed(); seen {short(client)}"
        )
    return CLIENTS[client]


def _filled(word: str, fill: dict[str, str]) -> str:
    for place, value in fill.items():
        word = word.replace(place, value)
    return word


def _curl(way: Way) -> list[str]:
    # The upgraded request is looked up again and takes the mapping of 443. The last mapping is for other ports.
    maps = [(":80:", way.http_port), (":443:", way.https_port), ("::", way.http_port)]
    connect = [word for asked, port in maps for word in ("--connect-to", f"{asked}127.0.0.1:{port}")]
    return [*connect, "--cacert", way.ca_file, "--noproxy", "*"]


def _wget(way: Way) -> list[str]:
    settings = ("use_proxy=yes", f"http_proxy={way.proxy_url}", f"https_proxy={way.proxy_url}", "no_proxy=")
    return [*(word for setting in settings for word in ("-e", setting)), f"--ca-certificate={way.ca_file}"]


_NOT_HSTS = "--disable-features=HttpsUpgrades"
"""Chromium's own way to https, which is not HSTS."""


def _chromium(way: Way) -> list[str]:
    # A fresh profile: what one run learned must not answer in the next. An --ignore-certificate-errors of any kind
    # would hide the faults that are to be noticed: trust comes with `environment(way, "chromium")`.
    maps = (f"MAP *:80 127.0.0.1:{way.http_port}", f"MAP *:443 127.0.0.1:{way.https_port}")
    return [
        f"--host-resolver-rules={', '.join(maps)}, MAP * 127.0.0.1:{way.http_port}",
        "--no-proxy-server",
        f"--user-data-dir={tempfile.mkdtemp(prefix='chromium-', dir=way.directory)}",
        "--no-first-run",
        _NOT_HSTS,
    ]


_OWN_UPGRADES: dict[str, bool | int | str] = {
    "dom.security.https_first": False,
    "dom.security.https_first_schemeless": False,
}
"""Firefox's own ways to https, which are not HSTS."""


def _preferences(preferences: Mapping[str, bool | int | str]) -> str:
    return "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())


def _firefox(way: Way) -> list[str]:
    # network.dns.forceResolve maps no ports, so Firefox goes through the proxy.
    profile = tempfile.mkdtemp(prefix="firefox-", dir=way.directory)
    _trust(profile, way.ca_file)
    port = way.http_port
    preferences: dict[str, bool | int | str] = {
        "network.proxy.type": 1,
        "network.proxy.http": "127.0.0.1",
        "network.proxy.http_port": port,
        "network.proxy.ssl": "127.0.0.1",
        "network.proxy.ssl_port": port,
        "network.proxy.no_proxies_on": "",
    }
    with open(os.path.join(profile, "user.js"), "w", encoding="utf-8") as file:
        file.write(_preferences(preferences | _OWN_UPGRADES))
    return ["--profile", profile, "--no-remote"]


_OPENSSL = ("SSL_CERT_FILE", "SSL_CERT_DIR", "system")
_PYTHON_ONLY = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_REQUESTS = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_NODE = ("NODE_EXTRA_CA_CERTS",)
_NONE = ("- -", "- -")
_CURL_PROXY = ("absolute CONNECT", "- CONNECT")


def _pip(package: str) -> tuple[str, ...]:
    return ("{python}", "-c", f"from importlib.metadata import version; print(version({package!r}))")


def _npm(package: str) -> tuple[str, ...]:
    # A package need not export its package.json: it is looked for where it would be imported from.
    return (
        "node",
        "--eval",
        f"const fs = require('fs'), file = require.resolve.paths({package!r})"
        f".map(folder => folder + '/{package}/package.json').find(fs.existsSync); "
        f"import({package!r}).then(() => console.log(JSON.parse(fs.readFileSync(file)).version))",
    )


def _python(code: str) -> tuple[str, ...]:
    return ("{python}", "-c", f"import sys; url = sys.argv[1]; {code}", "{url}")


def _node(code: str) -> tuple[str, ...]:
    return ("node", "--eval", f"const url = process.argv[1]; {code}", "{url}")


_AIOHTTP = """import asyncio, aiohttp
async def fetch():
    async with aiohttp.ClientSession(trust_env=True) as session, session.get(url) as response:
        print(await response.text())
asyncio.run(fetch())"""
_TREQ = """import treq
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import react
async def fetch():
    print(await treq.text_content(await treq.get(url)))
react(lambda reactor: ensureDeferred(fetch()))"""
_SOUP = """import gi
gi.require_version("Soup", "3.0")
from gi.repository import Soup
session = Soup.Session()
for store in sys.argv[2:]:
    session.add_feature(Soup.HSTSEnforcerDB.new(store))
print(session.send_and_read(Soup.Message.new("GET", url), None).get_data().decode())"""
_SOUP_VERSION = """import gi
gi.require_version("Soup", "3.0")
from gi.repository import Soup
print(Soup.get_major_version(), Soup.get_minor_version(), Soup.get_micro_version(), sep=".")"""
_MECHANIZE = """import mechanize
browser = mechanize.Browser()
browser.set_handle_robots(False)
print(browser.open(url).read())"""
_PYCURL = "import pycurl; c = pycurl.Curl(); c.setopt(c.URL, url); c.setopt(c.FOLLOWLOCATION, True); c.perform()"

CLIENTS: dict[str, Client] = {
    client.name: client
    for client in (
        Client(
            "curl",
            ("curl", "--silent", "--show-error", "--location", "{url}"),
            "Debian: curl",
            _CURL_PROXY,
            ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "system"),
            apart=("--disable",),
            state=("--hsts", "{store}"),
            posts=("--data", "{body}"),
            several=True,
            parallel=("--parallel",),
            arguments=_curl,
            note="without --hsts it still keeps HSTS within one process",
        ),
        Client(
            "wget",
            ("wget", "--no-verbose", "--output-document=-", "--tries=1", "{url}"),
            "Debian: wget",
            ("absolute CONNECT", "- -"),
            ("system",),
            apart=("--no-config",),
            state=("--hsts-file={store}",),
            posts=("--post-data={body}",),
            several=True,
            arguments=_wget,
            environment=lambda way: {"WGETRC": _wgetrc(way)},
            note="its clock has whole seconds: leave 1.3 s between steps; its file stays when the last entry goes",
        ),
        Client(
            "wget2",
            ("wget2", "--quiet", "--output-document=-", "{url}"),
            "Debian: wget2",
            ("absolute -", "- -"),
            ("system",),
            apart=("--no-config",),
            state=("--hsts-file={store}",),
            posts=("--post-data={body}",),
            note="decides when it queues a URL: one URL a run; as https_proxy it takes one that speaks TLS",
        ),
        Client(
            "aria2",
            ("aria2c", "--quiet", "--dir={workdir}", "--out=page", "--allow-overwrite=true", "{url}"),
            "Debian: aria2",
            trusted_by=("system",),
            apart=("--no-conf",),
            note="reads no /etc/hosts; where 127.0.0.1 is the only address it needs --async-dns=false",
        ),
        Client("lynx", ("lynx", "-dump", "{url}"), "Debian: lynx", trusted_by=("SSL_CERT_FILE", "system")),
        Client("w3m", ("w3m", "-dump", "{url}"), "Debian: w3m", trusted_by=_OPENSSL),
        Client("elinks", ("elinks", "-dump", "{url}"), "Debian: elinks", verifies=False),
        Client(
            "links2",
            ("links2", "-dump", "{url}"),
            "Debian: links2",
            _NONE,
            _OPENSSL,
            asks=("links2", "-version"),
        ),
        Client(
            "httrack",
            ("httrack", "{url}", "--depth=1", "--quiet", "-O", "{workdir}"),
            "Debian: httrack",
            _NONE,
            verifies=False,
        ),
        Client(
            "urllib",
            _python("import urllib.request; print(urllib.request.urlopen(url).read().decode())"),
            "Python",
            trusted_by=_OPENSSL,
        ),
        Client(
            "urllib3",
            _python("import urllib3; print(urllib3.PoolManager().request('GET', url).data.decode())"),
            "pip: urllib3",
            _NONE,
            _OPENSSL,
            asks=_pip("urllib3"),
        ),
        Client(
            "requests",
            _python("import requests; print(requests.get(url).text)"),
            "pip: requests",
            trusted_by=_REQUESTS,
            note="REQUESTS_CA_BUNDLE beats Session.verify = False",
            asks=_pip("requests"),
        ),
        Client(
            "httpx",
            _python("import httpx; print(httpx.get(url, follow_redirects=True).text)"),
            "pip: httpx",
            trusted_by=_PYTHON_ONLY,
            asks=_pip("httpx"),
        ),
        Client(
            "aiohttp",
            _python(f"exec({_AIOHTTP!r})"),
            "pip: aiohttp",
            trusted_by=_OPENSSL,
            note="heeds proxy variables with trust_env only",
            asks=_pip("aiohttp"),
        ),
        Client(
            "scrapy",
            ("{python}", "-m", "scrapy", "fetch", "--nolog", "{url}"),
            "pip: scrapy",
            verifies=False,
            asks=_pip("scrapy"),
        ),
        Client(
            "treq",
            _python(f"exec({_TREQ!r})"),
            "pip: treq",
            _NONE,
            _OPENSSL,
            asks=_pip("treq"),
        ),
        Client(
            "mechanize",
            _python(f"exec({_MECHANIZE!r})"),
            "pip: mechanize",
            trusted_by=_OPENSSL,
            asks=_pip("mechanize"),
        ),
        Client(
            "niquests",
            _python("import niquests; print(niquests.get(url).text)"),
            "pip: niquests",
            trusted_by=(*_REQUESTS, "system"),
            asks=_pip("niquests"),
        ),
        Client(
            "pycurl",
            _python(_PYCURL),
            "pip: pycurl",
            _CURL_PROXY,
            ("system",),
            asks=_pip("pycurl"),
        ),
        Client(
            "curl_cffi",
            _python("from curl_cffi import requests; print(requests.get(url).text)"),
            "pip: curl_cffi",
            _CURL_PROXY,
            ("SSL_CERT_FILE", *_REQUESTS, "system"),
            asks=_pip("curl_cffi"),
        ),
        Client(
            "impit",
            _python("import impit; print(impit.get(url).text)"),
            "pip: impit",
            trusted_by=_OPENSSL,
            asks=_pip("impit"),
        ),
        Client(
            "libsoup",
            ("/usr/bin/python3", "-c", f"import sys; url = sys.argv[1]; exec({_SOUP!r})", "{url}"),
            "Debian: gir1.2-soup-3.0, python3-gi",
            trusted_by=("system",),
            state=("{store}",),
            asks=("/usr/bin/python3", "-c", _SOUP_VERSION),
            note="keeps HSTS if a HSTSEnforcer is added to the session",
        ),
        Client("node", _node("fetch(url).then(r => r.text()).then(console.log)"), "Node", _NONE, _NODE),
        Client(
            "undici",
            _node("import('undici').then(m => m.request(url)).then(r => r.body.text()).then(console.log)"),
            "npm: undici",
            _NONE,
            _NODE,
            asks=_npm("undici"),
        ),
        Client(
            "axios",
            _node("import('axios').then(m => m.default.get(url)).then(r => console.log(r.data))"),
            "npm: axios",
            trusted_by=_NODE,
            asks=_npm("axios"),
        ),
        Client(
            "got",
            _node("import('got').then(m => m.default(url)).then(r => console.log(r.body))"),
            "npm: got",
            _NONE,
            _NODE,
            asks=_npm("got"),
        ),
        Client(
            "node-fetch",
            _node("import('node-fetch').then(m => m.default(url)).then(r => r.text()).then(console.log)"),
            "npm: node-fetch",
            _NONE,
            _NODE,
            asks=_npm("node-fetch"),
        ),
        Client(
            "superagent",
            _node("import('superagent').then(m => m.default.get(url)).then(r => console.log(r.text))"),
            "npm: superagent",
            _NONE,
            _NODE,
            asks=_npm("superagent"),
        ),
        Client("got-scraping", (), "npm: got-scraping", _NONE, verifies=False),
        Client("crawlee", (), "npm: crawlee", _NONE, verifies=False),
        Client("go", (), "Go: net/http", trusted_by=_OPENSSL),
        Client(
            "chromium",
            ("chromium", "--headless", "--disable-gpu", "--no-first-run", "--dump-dom", "{url}"),
            "Debian: chromium",
            trusted_by=("NSS database", "policy CACertificates"),
            apart=("--user-data-dir={workdir}/chromium", _NOT_HSTS),
            as_root=("--no-sandbox",),
            at_once=3,
            arguments=_chromium,
            environment=lambda way: {"HOME": _nss_home(way)},
            note="upgrades by itself what is not HSTS (HTTPS-Upgrades), .test not: run a control; fetches things"
            " of its own: judge by paths; writes its state at a clean end (SIGINT) or after 10 minutes",
        ),
        Client(
            "firefox",
            ("firefox-esr", "--headless", "--screenshot", "{workdir}/page.png", "{url}"),
            "Debian: firefox-esr",
            trusted_by=("NSS database", "policy Certificates"),
            apart=("--no-remote", "--profile", "{workdir}/firefox"),
            files={"firefox/user.js": _preferences(_OWN_UPGRADES)},
            lingers=12.0,
            at_once=2,
            arguments=_firefox,
            note="keeps its state when ended by SIGTERM; a form that is not secure opens a dialogue; takes no"
            " picture of an error page, and stays",
        ),
    )
}
"""The clients we know, by name."""


def _nss_home(way: Way) -> str:
    return os.path.dirname(os.path.dirname(nss_database(way.directory, way.ca_file)))


def nss_database(directory: str, ca_file: str) -> str:
    """An NSS database that trusts the authority, in a home folder below this one.

    Raises:
        LabError: certutil is missing.
    """
    database = os.path.join(directory, "home", ".pki", "nssdb")
    if not os.path.exists(os.path.join(database, "cert9.db")):
        os.makedirs(database, exist_ok=True)
        _trust(database, ca_file)
    return database


def _wgetrc(way: Way) -> str:
    path = os.path.join(way.directory, "wgetrc")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"ca_certificate = {way.ca_file}\n")
    return path


def _trust(database: str, ca_file: str) -> None:
    """Make an NSS database that trusts an authority for servers (C)."""
    if shutil.which("certutil") is None:
        raise LabError(
            "browsers trust what NSS's certutil tells them: install it (Debian: libnss3-tools); seen none"
        )
    create = ["-N", "--empty-password"]
    add = ["-A", "-t", "C,,", "-n", "hstssim lab", "-i", ca_file]
    for words in (create, add):
        subprocess.run(["certutil", "-d", f"sql:{database}", *words], check=True, capture_output=True)  # noqa: S603, S607
