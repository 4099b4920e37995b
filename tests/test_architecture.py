"""The plan of the house, held by reading the imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import hstssim
from hstssim.profile import PROFILES

PACKAGE = Path(hstssim.__file__).parent

# Rooms may import from rings of a lower number, and from their own ring but for the edges.
RINGS = {
    0: {"errors", "times", "clock", "markup"},
    1: {"header", "host", "site", "url", "whatwg", "profile"},
    2: {"match", "store", "preload", "preload_source", "redirect", "interceptor", "difference"},
    3: {"navigation", "network", "formats", "traces", "adapters", "script", "lab", "audit"},
    4: {"plots", "pytest_plugin", "cli", "__main__"},
}
RING = {room: ring for ring, rooms in RINGS.items() for room in rooms}
EDGES = 3
ALLOWED_AMONG_EDGES = {
    ("navigation", "network"),
    ("traces", "navigation"),
    ("traces", "network"),
    ("network", "script"),
    ("lab", "script"),
    ("audit", "lab"),  # design.md: a judge needs a lab, and our own browser to compare with
    ("audit", "navigation"),
    ("audit", "network"),
    ("audit", "formats"),
}

# Nothing of rings 0 to 2 knows of these.
NETWORK = {"socket", "ssl", "select", "selectors", "http", "urllib", "asyncio", "socketserver"}


class Import(NamedTuple):
    """One import that runs: what only a type checker reads does not count."""

    path: Path
    line: int
    module: str
    """With its dots: `hstssim.host`."""
    at_import: bool
    """Whether it runs when the module is imported, not later in a function."""

    @property
    def importer(self) -> str:
        return self.path.relative_to(PACKAGE).with_suffix("").parts[0]

    @property
    def room(self) -> str | None:
        """The room of this package that is imported."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "hstssim" and len(parts) > 1 else None

    def __str__(self) -> str:
        return f"{self.path.relative_to(PACKAGE.parent)}:{self.line} imports {self.module}"


def imports_of(path: Path) -> Iterator[Import]:
    def visit(node: ast.AST, at_import: bool) -> Iterator[Import]:
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                return
            case ast.Import(names=names):
                for alias in names:
                    yield Import(path, node.lineno, alias.name, at_import)
            case ast.ImportFrom(module=module, names=names, level=level):
                assert level == 0, f"{path}:{node.lineno}: imports are absolute"
                for alias in names:
                    whole = f"{module}.{alias.name}"
                    is_room = module == "hstssim" and alias.name in RING
                    yield Import(path, node.lineno, whole if is_room else str(module), at_import)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                at_import = False
        for child in ast.iter_child_nodes(node):
            yield from visit(child, at_import)

    return visit(ast.parse(path.read_text("utf-8")), True)


MODULES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for path in MODULES for found in imports_of(path)]


def test_the_imports_are_found() -> None:
    seen = {(found.importer, found.room) for found in IMPORTS}
    assert {("interceptor", "store"), ("store", "host"), ("cli", "interceptor"), ("whatwg", "errors")} <= seen
    assert ("errors", "header") not in seen, "for type checkers only"


def test_every_room_has_its_ring() -> None:
    rooms = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in MODULES} - {"__init__"}
    assert rooms <= set(RING)


def test_imports_go_upward_only() -> None:
    wrong = []
    for found in IMPORTS:
        if found.importer == "__init__" or found.room is None or found.room == found.importer:
            continue
        own, other = RING[found.importer], RING[found.room]
        among_edges = own == other == EDGES and (found.importer, found.room) not in ALLOWED_AMONG_EDGES
        if other > own or among_edges:
            wrong.append(str(found))
    assert wrong == []


def test_rules_and_knowledge_open_no_sockets() -> None:
    wrong = [
        str(found)
        for found in IMPORTS
        if RING.get(found.importer, 0) < EDGES and found.module.split(".")[0] in NETWORK
    ]
    assert wrong == []


def test_only_one_module_asks_ada_url_and_only_when_it_must() -> None:
    asking = [found for found in IMPORTS if found.module.split(".")[0] == "ada_url"]
    assert {(found.importer, found.at_import) for found in asking} == {("whatwg", False)}


def default_arguments(tree: ast.AST) -> set[ast.AST]:
    """The nodes of all default values of arguments."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for default in [*node.args.defaults, *node.args.kw_defaults]
        if default is not None
        for inner in ast.walk(default)
    }


def profiles_named(path: Path) -> list[str]:
    """Where code names a profile, other than as the default of an argument."""
    tree = ast.parse(path.read_text("utf-8"))
    defaults = default_arguments(tree)
    constants = {profile.name.upper() for profile in PROFILES.values()}
    return [
        f"{path.name}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id in constants)
        or (isinstance(node, ast.Attribute) and node.attr in constants)
        if node not in defaults
    ]


@pytest.mark.parametrize("path", [pytest.param(p, id=str(p.relative_to(PACKAGE))) for p in MODULES])
def test_code_asks_a_field_of_a_profile_and_never_which_profile_it_is(path: Path) -> None:
    if path.name != "profile.py":
        assert profiles_named(path) == []


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("def note(profile=CHROME): pass", 0),
        ("def note(*, profile=profile.CHROME): pass", 0),
        ("if profile is CHROME: pass", 1),
        ("profile.RFC6797", 1),
    ],
)
def test_a_profile_that_is_named_is_seen(tmp_path: Path, code: str, named: int) -> None:
    path = tmp_path / "module.py"
    path.write_text(code)
    assert len(profiles_named(path)) == named


@pytest.mark.parametrize("path", [pytest.param(p, id=str(p.relative_to(PACKAGE))) for p in MODULES])
def test_a_module_opens_by_saying_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))
