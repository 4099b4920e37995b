"""What Chromium, curl, wget, wget2 and Firefox were seen, or read, to make of a state file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from hstssim import FormatError, HSTSStore, Interceptor
from hstssim.errors import InvalidHost
from hstssim.formats import FORMATS, chrome, firefox, firefox_text, read, read_into
from hstssim.formats.content import Content
from hstssim.host import canonical, domain, hashed, wire_form
from hstssim.profile import PROFILES

NOW = 1_800_000_000.0

Case = dict[str, Any]


def store_of(tmp_path: Path, data: bytes, profile: str = "chrome", now: float = NOW) -> HSTSStore:
    path = tmp_path / "state"
    path.write_bytes(data)
    store = HSTSStore(profile=PROFILES[profile], clock=lambda: now)
    try:
        read_into(store, str(path))
    except FormatError:
        assert not len(store)
    return store


@pytest.mark.vectors("persistence_chrome_entry")
def test_chromium_takes_an_entry(case: Case, tmp_path: Path) -> None:
    entries = case["entries"] if "entries" in case else [case["entry"]]
    store = store_of(tmp_path, json.dumps({"version": 2, "sts": entries}).encode())
    match = store.match(case["host"])
    assert (match is not None) == case["expected"]["loaded"]
    if match is not None and "include_subdomains" in case["expected"]:
        assert match.include_subdomains == case["expected"]["include_subdomains"]


@pytest.mark.vectors("persistence_chrome_file")
def test_chromium_takes_a_file(case: Case, tmp_path: Path) -> None:
    store = store_of(tmp_path, case["input"].encode())
    expected = case["expected"]
    if "entry_loaded" in expected:
        assert (store.match(case["host"]) is not None) == expected["entry_loaded"]
    else:
        assert len(store) == expected["entries"]
        if "host" in expected:
            assert store.match(expected["host"]) is not None


@pytest.mark.vectors("persistence_curl")
@pytest.mark.parametrize("profile", ["curl-7.88", "curl"])
def test_curl_reads_a_line(case: Case, profile: str, tmp_path: Path) -> None:
    if "line" not in case:
        store = store_of(tmp_path, case["saved_line"].encode(), profile)
        assert store.match(case["host"]) is None
        return
    hsts = Interceptor(store_of(tmp_path, case["line"].encode() + b"\n", profile))
    upgrades = dict(case["expected"]["upgrades"])
    if profile == "curl":
        upgrades |= {k: v for k, v in case.get("expected_curl_head", {}).items() if k != "note"}
    assert {host: hsts.request(f"http://{host}/").upgraded for host in upgrades} == upgrades


@pytest.mark.vectors("persistence_wget")
@pytest.mark.parametrize("profile", ["wget-1.21", "wget"])
def test_wget_reads_a_line(case: Case, profile: str, tmp_path: Path) -> None:
    line = case["line"].replace("NOW-2000", f"{NOW - 2000:.0f}").replace("NOW", f"{NOW:.0f}")
    hsts = Interceptor(store_of(tmp_path, line.encode() + b"\n", profile))
    expected = dict(case["expected"]["connect_target_or_plain"])
    if profile == "wget":
        newer = {k: v for k, v in case.get("expected_wget_head", {}).items() if k != "note"}
        expected = newer or expected
    for authority, target in expected.items():
        assert hsts.request(f"http://{authority}/").upgraded == (target != "plain"), authority


@pytest.mark.vectors("persistence_wget2")
def test_wget2_reads_a_line(case: Case) -> None:
    content = FORMATS["wget2"].read(Content("wget2"), case["line"].encode(), case["now"], "exact")
    live = [known for known in content.entries.values() if known.expiry >= case["now"]]
    expected = case["expected"]
    if expected is None:
        assert live == []
    else:
        (known,) = live
        assert (known.domain, known.port or 443, known.expiry, known.include_subdomains, known.last_observed) == (
            expected["host"],
            expected["port"],
            expected["expiry"],
            expected["include_subdomains"],
            expected["mtime"],
        )


@pytest.mark.vectors("persistence_firefox_bin")
def test_firefox_packs_a_slot(case: Case) -> None:
    entry, expected = case["entry"], case["expected"]
    slot = firefox.pack(
        entry["key"].encode(), entry["value"].encode(), entry["score"], entry["last_accessed_days"]
    )
    assert (len(slot), slot[:16].hex()) == (expected["slot_length"], expected["first_16_bytes_hex"])
    assert int.from_bytes(slot[:2], "big") == expected["checksum"]
    assert hashlib.sha256(slot).hexdigest() == expected["slot_sha256"]
    assert firefox.recognises(slot)


@pytest.mark.vectors("persistence_firefox_value")
def test_firefox_reads_a_value(case: Case) -> None:
    value, expected = firefox.parse_value(case["input"]), case["expected"]
    if expected is None:
        assert value is None
    else:
        assert value is not None
        seen = {
            "expire_ms": value.expiry_ms,
            "state": value.state,
            "include_subdomains": value.include_subdomains,
        }
        assert {name: seen[name] for name in expected} == expected


@pytest.mark.vectors("persistence_firefox_txt")
def test_firefox_takes_over_a_line(case: Case) -> None:
    content = firefox_text.read(Content("firefox-txt"), case["line"].encode() + b"\n", NOW, "exact")
    assert bool(content.entries) == case["expected"]["migrated"]


@pytest.mark.vectors("host_key_chrome")
def test_chromium_has_a_key_for_a_host(case: Case) -> None:
    try:
        name = domain(canonical(case["input"]))
    except InvalidHost:
        name = None
    expected = case["expected"]
    assert (name is not None) == expected.get("storable", True)
    if "key_base64" in expected:
        assert name is not None
        wire = wire_form(name)
        assert wire is not None
        assert (wire.hex(), hashed(name)) == (expected["wire_hex"], expected["key_base64"])


def test_what_chromium_wrote_is_written_again_byte_for_byte(tmp_path: Path) -> None:
    text = (
        '{"sts":[{"expiry":1826984812.447501,"host":"kC6cRk+kP8qxCdGmuV3fgzOKjLw6UrT7/hqdhfIkbQ8=",'
        '"mode":"force-https","sts_include_subdomains":true,"sts_observed":1795448812.447504}],"version":2}'
    )
    (tmp_path / "TransportSecurity").write_text(text)
    content = read(str(tmp_path / "TransportSecurity"), NOW)
    assert chrome.write(content.entries.values(), content, NOW).decode() == text
