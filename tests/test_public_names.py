"""What people outside depend on: names, errors, and a light import."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import hstssim
from hstssim import audit, errors, lab

# The stable names of the first release so far; a name that is here stays.
STABLE = {
    *("HSTSStore", "KnownHost", "PreloadList", "PreloadEntry", "Interceptor", "Decision", "Match"),
    *("InternalRedirect", "Directives", "parse_header", "Profile", "CHROME", "RFC6797"),
    *("FIREFOX", "CURL", "CURL_7_88", "WGET", "WGET_1_21", "PROFILES", "diff", "Comparison", "Outcome"),
    *("TELLING_HEADERS", "TELLING_HOSTS"),
    *("Browser", "Clock", "Navigation", "ScriptedNetwork", "LiveNetwork", "InvalidRequest"),
    *("Noted", "Removed", "Ignored", "HSTSSimError", "InvalidHeader", "InvalidHost", "InvalidURL", "InvalidTime"),
    *("FormatError", "StoreError", "PreloadError", "MissingExtra", "LabError", "AuditError", "open_store"),
}


def test_the_stable_names_are_public() -> None:
    assert set(hstssim.__all__) >= STABLE


@pytest.mark.parametrize("name", hstssim.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    value = getattr(hstssim, name)
    assert name in dir(hstssim)
    assert getattr(value, "__module__", "hstssim.").startswith("hstssim.")


def test_all_is_sorted_without_regard_to_kind_and_complete() -> None:
    constants = sorted(name for name in hstssim.__all__ if name.isupper())
    classes = sorted(name for name in hstssim.__all__ if not name.isupper() and name[0].isupper())
    functions = sorted(name for name in hstssim.__all__ if name[0].islower())
    assert hstssim.__all__ == constants + classes + functions
    assert set(hstssim._HOME) == set(hstssim.__all__)
    for_type_checkers = {
        alias.name
        for node in ast.walk(ast.parse(Path(hstssim.__file__).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("hstssim.")
        for alias in node.names
    }
    assert for_type_checkers == set(hstssim.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'hstssim' has no attribute 'colour'"):
        _ = hstssim.colour


def modules_after(statement: str) -> set[str]:
    """What a fresh interpreter has loaded for a statement."""
    before, after = "import sys, json; before = {*sys.modules}", "print(json.dumps([*({*sys.modules} - before)]))"
    program = f"{before}\n{statement}\n{after}"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return set(json.loads(said))


def test_the_package_alone_loads_nothing_but_itself() -> None:
    loaded = modules_after("import hstssim")
    assert {name for name in loaded if name.startswith("hstssim")} == {"hstssim"}
    assert {name.split(".")[0] for name in loaded} <= sys.stdlib_module_names | {"hstssim"}


def test_a_plain_question_loads_the_standard_library_only() -> None:
    loaded = modules_after(
        "import hstssim\n"
        "store = hstssim.HSTSStore(preload=hstssim.PreloadList.bundled())\n"
        "hstssim.Interceptor(store).request('http://www.example.app/').location"
    )
    assert {name.split(".")[0] for name in loaded} <= sys.stdlib_module_names | {"hstssim"}
    assert not loaded & {
        "argparse",
        "asyncio",
        "dataclasses",
        "http",
        "ipaddress",
        "pathlib",
        "socket",
        "ssl",
        "urllib",
    }


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from hstssim import *", names)  # noqa: S102
    assert set(names) >= set(hstssim.__all__)


def _browser() -> hstssim.Browser:
    return hstssim.Browser(store=hstssim.HSTSStore(), network=hstssim.ScriptedNetwork())


ERRORS = [
    ("InvalidHeader", ValueError, lambda: hstssim.parse_header("max-age")),
    ("InvalidHost", ValueError, lambda: hstssim.HSTSStore().add("a/b")),
    ("InvalidURL", ValueError, lambda: hstssim.Interceptor(hstssim.HSTSStore()).request("a")),
    ("InvalidTime", ValueError, lambda: hstssim.HSTSStore().add("a", expiry=float("nan"))),
    ("InvalidRequest", ValueError, lambda: _browser().navigate("http://a.test/", "A B")),
    ("PreloadError", Exception, lambda: hstssim.PreloadList.open("/")),
    ("FormatError", ValueError, None),
    ("StoreError", OSError, lambda: hstssim.open_store("/nowhere/at/all/hsts.sqlite")),
    ("MissingExtra", ImportError, None),
    ("AuditError", Exception, lambda: audit.CommandSubject(["curl"])),
    ("LabError", Exception, lambda: lab.Lab().site_of("shop.test")),
]


@pytest.mark.parametrize(("name", "base", "provoke"), ERRORS, ids=[name for name, *_ in ERRORS])
def test_every_error_is_one_of_the_tree(name: str, base: type[Exception], provoke: object) -> None:
    kind = getattr(hstssim, name)
    assert issubclass(kind, hstssim.HSTSSimError)
    assert issubclass(kind, base)
    if callable(provoke):
        with pytest.raises(kind) as caught:
            provoke()
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)


def test_the_tree_is_drawn_with_every_error() -> None:
    tree = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.HSTSSimError) and value is not errors.HSTSSimError
    }
    assert {name for name, *_ in ERRORS} == tree
    for name, *_ in ERRORS:
        assert f"── {name}" in str(errors.__doc__)


def raised(statement: str) -> Exception:
    try:
        eval(statement, {"hstssim": hstssim})  # noqa: S307
    except hstssim.HSTSSimError as error:
        return error
    raise AssertionError(statement)


@pytest.mark.parametrize(
    "error",
    [
        raised("hstssim.parse_header('foo; max-age')"),
        raised("hstssim.HSTSStore().add('a/b')"),
        raised("hstssim.Interceptor(hstssim.HSTSStore()).request('a')"),
        errors.InvalidTime("soon", "a time is a time"),
        errors.FormatError("no such line", format="curl", path="a.txt", line=3),
        errors.PreloadError("missing"),
        errors.MissingExtra("pip install it"),
        errors.LabError("no such site"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_copying(error: Exception) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_a_message_shows_the_requirement_and_then_what_was_seen_in_short() -> None:
    assert str(errors.InvalidHost("a/b", "a host is a name")) == "a host is a name; seen 'a/b'"
    shown = str(errors.InvalidHost("x" * 5000, "a host is a name"))
    assert len(shown) < 200
    assert shown.endswith("(5002 characters)")
    assert str(errors.FormatError("bad line", format="curl", path="a.txt", line=3)) == "a.txt:3: bad line"
    assert str(errors.FormatError("bad file", path="a.txt")) == "a.txt: bad file"
    assert str(errors.FormatError("bad")) == "bad"
