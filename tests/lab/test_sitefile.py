"""Files of sites: the built-in ones, and what may be said in one's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstssim.errors import LabError
from hstssim.lab import Lab, sitefile
from tests.lab.conftest import Get


def test_the_built_in_sites_can_all_be_made_and_say_what_they_are_for(lab: Lab) -> None:
    file = sitefile.read()
    file.put_into(lab)
    assert len(lab.sites) == len(file.about) == 32
    assert all(file.about.values())
    assert {site.certificate for site in lab.sites} >= {"expired", "self-signed", "wrong-name", "not-yet-valid"}


def test_a_file_says_what_lab_site_and_on_take(lab: Lab, get: Get, tmp_path: Path) -> None:
    path = tmp_path / "shop.toml"
    path.write_text(
        """
idle_timeout = 2.5
[[site]]
name = "shop.test"
sts = ["max-age=1", "max-age=2"]
[[site.on]]
path = "/a"
status = 404
body = "none"
headers = [["X-A", "1"], ["X-A", "2"]]
[[site.on]]
path = "*"
scheme = "http"
redirect = "to-https"
"""
    )
    file = sitefile.read(str(path))
    assert file.settings == {"idle_timeout": 2.5}
    file.put_into(lab)
    got = get("https://shop.test/a")
    assert (got.status, got.body) == (404, b"none")
    assert got.values("X-A") == ["1", "2"]
    assert got.values("Strict-Transport-Security") == ["max-age=1", "max-age=2"]
    assert get("http://shop.test/b").values("Location") == ["https://shop.test/b"]


def test_the_site_of_every_name_answers_where_no_other_does(lab: Lab, get: Get) -> None:
    sitefile.read().put_into(lab)
    assert get("https://github.com/x").body == b"the lab answers https://github.com/x\n"
    assert get("http://a.good.test/").values("Location") == ["https://a.good.test/"]
    assert lab.unknown_requests == []


BAD = {
    "no TOML": ("[[site]", r"is TOML; seen in .*line 1"),
    "no site": ("", r"has a \[\[site\]\]; seen none"),
    "a table": ("[site]\nname = 'a.test'", r"site is written \[\[site\]\]"),
    "no name": ("[[site]]\nsts = 'max-age=1'", "each .* has a name; site 1 has none"),
    "a name that is none": ("[[site]]\nname = 'a b'", "site a b: a site has the name of a host"),
    "twice": ("[[site]]\nname = 'a.test'\n[[site]]\nname = 'a.test'", "a name has one site"),
    "an unknown key": ("[[site]]\nname = 'a.test'\nstss = ''", "site a.test may say name, .*; seen 'stss'"),
    "an unknown setting": ("port = 1\n[[site]]\nname = 'a.test'", "may say http_port, .*; seen 'port'"),
    "another type": ("[[site]]\nname = 'a.test'\nsts = 1", "site a.test has a text or a list as sts; seen 1"),
    "a bool for a number": (
        "http_port = true\n[[site]]\nname = 'a.test'",
        "a whole number as http_port; seen True",
    ),
    "a kind": ("[[site]]\nname = 'a.test'\ncertificate = 'odd'", "a certificate is one of valid"),
    "no path": ("[[site]]\nname = 'a.test'\n[[site.on]]\nstatus = 200", "has a path; one of site a.test has none"),
    "a path": ("[[site]]\nname = 'a.test'\n[[site.on]]\npath = 'a'", "site a.test, a: a path begins with"),
    "headers": ("[[site]]\nname = 'a.test'\n[[site.on]]\npath = '/'\nheaders = [1]", "headers are pairs"),
    "a bad field": ("[[site]]\nname = 'a.test'\nsts = \"a\\u0100\"", "headers are pairs that HTTP can carry"),
}


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_place(lab: Lab, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(LabError, match=said) as caught:
        sitefile.read(str(path)).put_into(lab)
    assert str(path) in str(caught.value)


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: f"[[site]]\n{text}".encode())))
def test_any_bytes_are_sites_or_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        sitefile.read(str(path)).put_into(Lab())
    except LabError:
        pass
