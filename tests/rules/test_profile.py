"""Profiles are data, and each fact has a source."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hstssim.profile import CHROME, PROFILES, Profile

profiles = pytest.mark.parametrize("profile", [pytest.param(p, id=p.name) for p in PROFILES.values()])
FACTS = set(Profile.__slots__) - {"name", "title", "sources", "simple"}


def facts(profile: Profile) -> dict[str, object]:
    return {field: getattr(profile, field) for field in Profile.__slots__}


@profiles
def test_every_fact_has_a_source(profile: Profile) -> None:
    assert set(profile.sources) == FACTS
    assert all(len(source) > 10 for source in profile.sources.values())


@profiles
def test_a_profile_goes_by_its_name(profile: Profile) -> None:
    assert PROFILES[profile.name] is profile
    assert repr(profile) == f"<Profile {profile.name}>"


def test_replace_makes_a_variant_and_leaves_the_original() -> None:
    strict = CHROME.replace(name="strict", max_age_cap=5, preload_bypass=frozenset({"dev"}))
    changed = {"max_age_cap": 5, "preload_bypass": frozenset({"dev"})}
    assert strict.name == "strict"
    assert CHROME.max_age_cap == 31_536_000
    for field in FACTS:
        assert getattr(strict, field) == changed.get(field, getattr(CHROME, field))
        assert (strict.sources[field] == "changed from chrome") == (field in changed)


def test_replace_refuses_a_field_that_no_profile_has() -> None:
    with pytest.raises(TypeError, match="max_agecap"):
        CHROME.replace(max_agecap=5)


@profiles
def test_a_profile_does_not_change(profile: Profile) -> None:
    with pytest.raises(AttributeError, match="replace"):
        profile.max_age_cap = 5
    with pytest.raises(AttributeError, match="replace"):
        del profile.max_age_cap


@profiles
@pytest.mark.parametrize(
    "again",
    [
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        *(
            pytest.param(lambda value, p=protocol: pickle.loads(pickle.dumps(value, p)), id=f"pickle {protocol}")  # noqa: S301
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_profile_survives_copying(profile: Profile, again: Callable[[Profile], Profile]) -> None:
    assert facts(again(profile)) == facts(profile)
    assert facts(again(profile.replace(max_age_cap=5))) == facts(profile.replace(max_age_cap=5))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"ticks_per_second": 0}, "at least 1"),
        ({"max_entries": 0}, "at least 1"),
        ({"max_entries": 2}, "go together"),
        ({"max_age_cap": -1}, "at least 0"),
        ({"max_age_cap": True}, "whole number"),
        ({"key": "host"}, "one of 'domain'"),
        ({"expires": None}, "one of"),
        ({"unverified_notes": 1}, "True or False"),
        ({"preload_bypass": {"dev"}}, "frozenset"),
        ({"grammar": "chrome"}, "function"),
        ({"sources": {}}, "follows from"),
        ({"name": 5}, "a str"),
        ({"simple": True}, "simple"),
    ],
    ids=str,
)
def test_replace_refuses_a_value_that_the_field_cannot_hold(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        CHROME.replace(**changes)


def test_profiles_are_equal_by_their_fields_and_their_sources_do_not_change() -> None:
    assert pickle.loads(pickle.dumps(CHROME)) == CHROME == CHROME.replace()  # noqa: S301
    assert hash(copy.deepcopy(CHROME)) == hash(CHROME)
    assert CHROME.replace(max_age_cap=5) != CHROME
    assert CHROME != "chrome"
    sources: Any = CHROME.sources
    with pytest.raises(TypeError):
        sources["key"] = "elsewhere"
    assert "title" not in CHROME.replace(title="Mine").facts()
