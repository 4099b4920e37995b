"""Runs a notebook's code without a kernel, by the standard library alone.

`python plain.py NOTEBOOK [without-pictures]`

Cells tagged `picture` can be left out; so can sockets, threads, subprocesses and ada-url be forbidden, as they
are where Python runs in a browser.
"""

from __future__ import annotations

import ast
import builtins
import json
import sys
import threading
from typing import Any

FORBIDDEN = (
    "socket.",
    "subprocess.",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "os.exec",
    "_thread.start_new_thread",
)


def forbid() -> None:
    """Make an error of every socket, thread and subprocess from here on, of ada-url and of matplotlib."""
    for missing in ("ada_url", "matplotlib"):
        sys.modules[missing] = None  # type: ignore[assignment]

    def refuse(event: str, *_: object) -> None:
        if event.startswith(FORBIDDEN):
            raise RuntimeError(f"a browser's Python has none of this: {event}")

    def refuse_thread(*_: object) -> None:
        raise RuntimeError("a browser's Python has none of this: threads")

    sys.addaudithook(refuse)
    threading.Thread.start = refuse_thread  # type: ignore[assignment, method-assign]


def code_of(path: str, *, pictures: bool) -> list[str]:
    """The code of a notebook's cells."""
    with open(path, encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    return [
        "".join(cell["source"])
        for cell in cells
        if cell["cell_type"] == "code" and (pictures or "picture" not in cell["metadata"].get("tags", ()))
    ]


def display(*shown: object) -> None:
    """Show each as a notebook would: everything that a rich display needs is asked."""
    for each in shown:
        for name in ("_repr_html_", "_repr_mimebundle_"):
            make = getattr(each, name, None)
            if make is not None:
                make()
        if each is not None:
            print(repr(each))


def run(cells: list[str], names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Execute cells one after the other; the value of a last expression is shown."""
    found: dict[str, Any] = {"__name__": "__main__"} if names is None else names
    builtins.display = display  # type: ignore[attr-defined]
    for number, source in enumerate(cells, 1):
        body = ast.parse(source, f"cell {number}")
        last = body.body.pop() if body.body and isinstance(body.body[-1], ast.Expr) else None
        exec(compile(body, f"cell {number}", "exec"), found)  # noqa: S102 - our own notebooks
        if isinstance(last, ast.Expr):
            display(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), found))  # noqa: S307
    return found


if __name__ == "__main__":
    if "without-pictures" in sys.argv:
        forbid()
    run(code_of(sys.argv[1], pictures="without-pictures" not in sys.argv))
