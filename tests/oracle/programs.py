"""Real programs: how each is started, told what it knows, made to visit URLs, and asked what it knows then.

Here: command lines and state files. Never here: what a program ought to do.
"""

from __future__ import annotations

import base64
import calendar
import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from hstssim import formats
from hstssim.store import KnownHost
from tests.oracle.servers import Arrival, Authority, Internet

SITE = "site.test"
"""The registrable domain of what browsers visit: Firefox learns from, and partitions by, the page's own site."""
PAGE = f"http://page.{SITE}/page"
PATIENCE = 120
"""Seconds that a program may take for one visit."""


class Visit(NamedTuple):
    """What one run of a program left behind."""

    known: dict[str, KnownHost]
    """What its state file holds, by host."""
    arrivals: list[Arrival]
    """What it asked for."""


class Program(ABC):
    """One installed program."""

    command: str
    profile: str
    """The name of the profile that is to behave like it."""
    version: str
    """What `--version` says of the release that the profile is made after, as a regular expression."""

    def missing(self) -> str | None:
        """Why there is nothing to run, if so."""
        return None if shutil.which(self.command) else f"{self.command} is not installed"

    def other_version(self) -> str | None:
        """The version that is installed, if it is not the profile's."""
        said = subprocess.run([self.command, "--version"], capture_output=True, text=True, check=True).stdout
        return None if re.search(self.version, said) else said.split("\n", 1)[0].strip()

    def visit(
        self, folder: Path, known: Iterable[KnownHost], urls: Sequence[str], fields: Mapping[str, Sequence[bytes]]
    ) -> Visit:
        """Start it with these Known HSTS Hosts, let it visit the URLs, and end it.

        Args:
            folder: an empty one, for everything it keeps.
            known: what it knows before.
            urls: visited in this order, or all at once.
            fields: the values of the Strict-Transport-Security lines that each host sends.
        """
        names = {(urlsplit(url).hostname or "").rstrip(".") for url in [*urls, PAGE]}
        authority = Authority(folder, sorted(names))
        self.write(folder, known)
        with Internet(authority, fields, _page(urls)) as internet:
            self.run(folder, internet, urls)
        return Visit(self.read(folder, names), internet.arrivals)

    @abstractmethod
    def write(self, folder: Path, known: Iterable[KnownHost]) -> None:
        """Make the state file that it will start with."""

    @abstractmethod
    def run(self, folder: Path, internet: Internet, urls: Sequence[str]) -> None:
        """Run it to a clean end."""

    def state(self, folder: Path) -> Path:
        """Where its state file is."""
        return folder / "hsts"

    @abstractmethod
    def read(self, folder: Path, names: Iterable[str]) -> dict[str, KnownHost]:
        """Its state file; `names` are those it may hold."""


class Curl(Program):
    """One run for all URLs. Its state file has no time of receipt."""

    command = "curl"
    profile = "curl-7.88"
    version = r"^curl 7\.88\."

    def write(self, folder: Path, known: Iterable[KnownHost]) -> None:
        _write(folder / "hsts", known, "curl")

    def run(self, folder: Path, internet: Internet, urls: Sequence[str]) -> None:
        config = folder / "config"
        config.write_text("".join(f'url = "{url}"\noutput = "/dev/null"\n' for url in urls))
        words: list[str | Path] = ["--disable", "--silent", "--globoff", "--max-time", "20", "--config", config]
        words += ["--hsts", folder / "hsts", "--cacert", internet.authority.certificate]
        words += ["--proxy", f"http://127.0.0.1:{internet.port}", "--noproxy", ""]
        _run(folder, self.command, *words)

    def read(self, folder: Path, names: Iterable[str]) -> dict[str, KnownHost]:
        known = {}
        for line in (folder / "hsts").read_text().splitlines():
            if not line.startswith("#"):
                host, until = line.split(" ", 1)
                domain = host.removeprefix(".")
                known[domain] = KnownHost(domain, host != domain, math.nan, _posix(until.strip('"')))
        return known


class Wget(Program):
    """One run for all URLs. Its state file has whole seconds."""

    command = "wget"
    profile = "wget-1.21"
    version = r"^GNU Wget 1\.21\."

    def write(self, folder: Path, known: Iterable[KnownHost]) -> None:
        _write(folder / "hsts", known, "wget")

    def run(self, folder: Path, internet: Internet, urls: Sequence[str]) -> None:
        (folder / "urls").write_text("".join(f"{url}\n" for url in urls))
        words = ["--no-config", "--quiet", "--output-document=/dev/null", "--tries=1", "--timeout=20"]
        words += [f"--hsts-file={folder / 'hsts'}", f"--ca-certificate={internet.authority.certificate}"]
        for scheme in ("http", "https"):
            words.append(f"--execute={scheme}_proxy=http://127.0.0.1:{internet.port}")
        _run(folder, self.command, *words, f"--input-file={folder / 'urls'}")

    def read(self, folder: Path, names: Iterable[str]) -> dict[str, KnownHost]:
        known = {}
        for line in (folder / "hsts").read_text().splitlines():
            if not line.startswith("#"):
                domain, port, flag, created, max_age = line.split()
                expiry = (int(created) + int(max_age) + 2**63) % 2**64 - 2**63  # 64 bits, as it adds them
                known[domain] = KnownHost(domain, flag != "0", float(created), expiry, int(port))
        return known


class Chromium(Program):
    """One page that fetches all URLs. Its state file has hashes of names and is written at a clean end."""

    command = "chromium"
    profile = "chrome"
    version = r"^Chromium 156\."

    def write(self, folder: Path, known: Iterable[KnownHost]) -> None:
        (folder / "data" / "Default").mkdir(parents=True)
        _write(self.state(folder), known, "chrome")

    def run(self, folder: Path, internet: Internet, urls: Sequence[str]) -> None:
        words = ["--headless", f"--user-data-dir={folder / 'data'}", "--no-first-run", "--disable-gpu"]
        words += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        words += ["--disable-extensions", "--disable-dev-shm-usage", "--disable-default-apps"]
        words += [f"--ignore-certificate-errors-spki-list={internet.authority.key_hash}"]
        words += [f"--proxy-server=http://127.0.0.1:{internet.port}", "--proxy-bypass-list=<-loopback>"]
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        # SIGTERM would not leave it the time to write.
        _run_until_done(folder, internet, signal.SIGINT, self.command, *words, PAGE)

    def read(self, folder: Path, names: Iterable[str]) -> dict[str, KnownHost]:
        domains = {_hashed(name): name for name in names}
        known = {}
        for entry in json.loads(self.state(folder).read_text())["sts"]:
            domain = domains.get(entry["host"], entry["host"])
            flag, observed, expiry = entry["sts_include_subdomains"], entry["sts_observed"], entry["expiry"]
            known[domain] = KnownHost(domain, flag, observed, expiry)
        return known

    def state(self, folder: Path) -> Path:
        return folder / "data" / "Default" / "TransportSecurity"


class Firefox(Program):
    """One page that fetches all URLs. Its state file has days of use and is written at a clean end."""

    command = "firefox-esr"
    profile = "firefox"
    version = r"Firefox 153\."

    _slot = struct.Struct(">3H256s24s")
    """Checksum, score, day of last use, key, value."""

    def missing(self) -> str | None:
        if shutil.which("certutil") is None:
            return "certutil, with which firefox-esr is told whom to trust, is not installed"
        return super().missing()

    def write(self, folder: Path, known: Iterable[KnownHost]) -> None:
        (folder / "data").mkdir()
        partitioned = [host._replace(top_level_site=host.top_level_site or SITE) for host in known]
        _write(self.state(folder), partitioned, "firefox")

    def run(self, folder: Path, internet: Internet, urls: Sequence[str]) -> None:
        data = folder / "data"
        certificate = internet.authority.certificate
        _run(folder, "certutil", "-N", "--empty-password", "-d", f"sql:{data}")
        _run(folder, "certutil", "-A", "-d", f"sql:{data}", "-n", "test", "-t", "C,,", "-i", certificate)
        settings = {**_FIREFOX_SETTINGS, "network.proxy.http_port": internet.port}
        settings["network.proxy.ssl_port"] = internet.port
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
        (data / "user.js").write_text("".join(lines))
        words: list[str | Path] = [self.command, "--headless", "--no-remote", "--profile", data, PAGE]
        _run_until_done(folder, internet, signal.SIGTERM, *words)

    def read(self, folder: Path, names: Iterable[str]) -> dict[str, KnownHost]:
        slots = self.state(folder).read_bytes()
        known = {}
        for slot in self._slot.iter_unpack(slots[: len(slots) - len(slots) % self._slot.size]):
            _checksum, score, _day, key, value = slot
            if score:
                domain = key.rstrip(b"\0").decode().removesuffix(_partition(SITE))
                expiry, state, include_subdomains, *_source = value.rstrip(b"\0").decode().split(",")
                if state == "1":
                    known[domain] = KnownHost(domain, include_subdomains == "1", math.nan, int(expiry) / 1000)
        return known

    def state(self, folder: Path) -> Path:
        return folder / "data" / "SiteSecurityServiceState.bin"


_FIREFOX_SETTINGS: dict[str, bool | int | str] = {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.no_proxies_on": "",
    "network.proxy.allow_hijacking_localhost": True,
    # Its own ways to https, which are not HSTS.
    "dom.security.https_first": False,
    "dom.security.https_first_schemeless": False,
    # What would travel beside the test.
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.region.network.url": "",
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}

PROGRAMS: tuple[Program, ...] = (Curl(), Wget(), Chromium(), Firefox())


def _write(path: Path, known: Iterable[KnownHost], form: str) -> None:
    """A state file as we write it, which the program is to honour."""
    formats.write(str(path), known, formats.FORMATS[form], time.time())


def _page(urls: Sequence[str]) -> bytes:
    """A page that asks for every URL, whatever comes of it, and then for `/done`."""
    script = """
        const visit = url => url.startsWith("ws:")
            ? new Promise(over => { new WebSocket(url).onclose = over })
            : fetch(url, {mode: "no-cors", cache: "no-store"}).catch(() => {})
        Promise.all(URLS.map(visit)).then(() => fetch("/done"))"""
    head = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
    return f"{head}<script>{script.replace('URLS', json.dumps(urls))}</script>".encode()


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own: no proxies, no settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}


def _run(folder: Path, *words: str | Path) -> None:
    """Run to the end. Its exit status says only that some URL failed."""
    subprocess.run(words, env=_environment(folder), check=False, capture_output=True, timeout=PATIENCE)


def _run_until_done(folder: Path, internet: Internet, farewell: signal.Signals, *words: str | Path) -> None:
    """Run until the page has asked for `/done`, then ask the program to end, and wait for all its processes."""
    process = subprocess.Popen(
        words,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        done = internet.done.wait(PATIENCE)
        process.send_signal(farewell)
        # Ends when the last process that holds the pipe does: Chromium's state is written by a child of it.
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if not done:
        raise TimeoutError(f"{words[0]} was not done within {PATIENCE} seconds: {said.decode(errors='replace')}")


def _posix(text: str) -> float:
    """The time in a line of curl's file, whose year may have more than four digits."""
    if text == "unlimited":
        return math.inf
    year, *rest = map(int, re.findall(r"^\d+(?=\d{4} )|\d\d", text))
    cycles, year = divmod(year - 2000, 400)  # after which the calendar repeats itself
    return calendar.timegm((2000 + year, *rest)) + cycles * 146_097 * 86_400


def _hashed(domain: str) -> str:
    wire = b"".join(bytes([len(label)]) + label.encode() for label in domain.split("."))
    return base64.b64encode(hashlib.sha256(wire + b"\0").digest()).decode()


def _partition(site: str) -> str:
    """How Firefox's file says in the pages of which site an entry counts."""
    return f"^partitionKey=%28https%2C{site}%29"
