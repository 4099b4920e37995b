"""Sites from a TOML file, and the built-in ones, which are such a file (`sites.toml`).

```toml
http_port = 8080                # optional, as are https_port and idle_timeout: what `Lab` takes

[[site]]                        # what `Lab.site` takes, and `about`
name = "shop.test"
sts = "max-age=300"

[[site.on]]                     # what `Site.on` takes; redirect = "to-https" is the function of that name
path = "*"
scheme = "http"
redirect = "to-https"
```
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hstssim.errors import LabError, short
from hstssim.lab.lab import Lab
from hstssim.script import to_https

BUILT_IN = os.path.join(os.path.dirname(__file__), "sites.toml")
TO_HTTPS = "to-https"

_LAB = {"http_port": int, "https_port": int, "idle_timeout": (int, float)}
_SITE = {"name": str, "about": str, "sts": (str, list), "certificate": str, "subdomains": bool, "refuse_tls": bool}
_ON = {
    "path": str,
    "scheme": str,
    "status": int,
    "headers": (dict, list),
    "body": str,
    "redirect": str,
    "sts": (str, list),
    "delay": (int, float),
    "drop": bool,
}


class SiteFile(NamedTuple):
    """What a file says."""

    path: str
    settings: dict[str, Any]
    """For `Lab`."""
    about: dict[str, str]
    """Of each site, by name."""
    sites: list[tuple[dict[str, Any], list[dict[str, Any]]]]

    def put_into(self, lab: Lab) -> None:
        """Make the sites.

        Raises:
            LabError: what is said of one could not be; it names the site.
        """
        for site, answers in self.sites:
            name = site["name"]
            with _named(self.path, f"site {name}"):
                made = lab.site(**site)
            for answer in answers:
                with _named(self.path, f"site {name}, {answer['path']}"):
                    made.on(**answer)


def read(path: str = BUILT_IN) -> SiteFile:
    """Read such a file, by default that of the built-in sites.

    Raises:
        LabError: it cannot be read, is no TOML, or says what is not known; it names the place.
    """
    try:
        with open(path, "rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise LabError(f"a file of sites is required; seen {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LabError(f"a file of sites is TOML; seen in {path}: {error}") from None
    sites = content.pop("site", [])
    _check(content, _LAB, path, "above the sites, beside [[site]],")
    _tables(sites, path, "site")
    made = []
    about: dict[str, str] = {}
    for number, table in enumerate(sites, 1):
        answers = table.pop("on", [])
        name = table.get("name")
        where = f"site {number if name is None else name}"
        _check(table, _SITE, path, where)
        if name is None:
            raise LabError(f"{path}: each [[site]] has a name; site {number} has none")
        _tables(answers, path, "site.on")
        for answer in answers:
            _check(answer, _ON, path, f"{where}, on")
            if "path" not in answer:
                raise LabError(f"{path}: each [[site.on]] has a path; one of {where} has none")
            if answer.get("redirect") == TO_HTTPS:
                answer["redirect"] = to_https
            if isinstance(answer.get("headers"), list):
                answer["headers"] = [tuple(pair) if isinstance(pair, list) else pair for pair in answer["headers"]]
        about[name] = table.pop("about", "")
        made.append((table, answers))
    if not made:
        raise LabError(f"{path}: a file of sites has a [[site]]; seen none")
    return SiteFile(path, content, about, made)


def _tables(found: Any, path: str, name: str) -> None:
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise LabError(f"{path}: {name} is written [[{name}]], once for each")


def _check(table: dict[str, Any], known: dict[str, Any], path: str, where: str) -> None:
    for key, value in table.items():
        if key not in known:
            raise LabError(f"{path}: {where} may say {', '.join(known)}; seen {short(key)}")
        kinds = known[key]
        if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
            names = {int: "a whole number", str: "a text", bool: "true or false", list: "a list", dict: "a table"}
            wanted = kinds if isinstance(kinds, tuple) else (kinds,)
            said = " or ".join(names.get(kind, "a number") for kind in wanted)
            raise LabError(f"{path}: {where} has {said} as {key}; seen {short(value)}")


@contextmanager
def _named(path: str, where: str) -> Iterator[None]:
    try:
        yield
    except (LabError, TypeError, ValueError) as error:
        raise LabError(f"{path}: {where}: {error}") from None
