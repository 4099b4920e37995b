"""The notebooks: their text, what they print, and how they are executed.

`python -m tests.notebooks.notebooks [NAME …]` executes the texts (`notebooks/*.md`) and writes the
notebooks beside them (`*.ipynb`), outputs included.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("[0-9]*.md"))
_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def text(name: str) -> Any:
    """The notebook that the text makes, without outputs."""
    made = jupytext.read(FOLDER / f"{name}.md")
    for number, cell in enumerate(made.cells, 1):
        cell["id"] = f"cell-{number:02}"
    made.metadata = nbformat.NotebookNode(  # type: ignore[no-untyped-call]
        {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    )
    return made


def committed(name: str, folder: Path = FOLDER) -> Any:
    """The notebook as it is kept, with outputs."""
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def executed(name: str) -> Any:
    """The notebook of the text, executed in a fresh kernel."""
    made = text(name)
    with tempfile.TemporaryDirectory() as folder:  # the kernel is reached by files in it, not by ports
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{folder}/kernel")
        place = {"metadata": {"path": str(FOLDER)}}
        NotebookClient(made, km=kernel, timeout=140, resources=place, coalesce_streams=True).execute()
    for cell in made.cells:
        cell.metadata.pop("execution", None)
    return made


def printed(notebook: Any) -> list[list[str]]:
    """What each code cell says as text; pictures by the words that go with them."""
    said = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs = [_said(output) for output in cell.outputs]
            said.append([text for text in outputs if text])
    return said


def _said(output: Any) -> str:
    if output.output_type == "stream":
        return f"{output.name}: {output.text}"
    if output.output_type == "error":
        return f"error: {output.ename}: {output.evalue}"
    shown = output.data.get("text/plain", "")
    if "image/png" not in output.data and "data:image/png" not in output.data.get("text/html", ""):
        shown += "\n" + output.data.get("text/html", "")
    return str(shown)


def answers(notebook: Any) -> list[str]:
    """The code of the hidden answers."""
    hidden = [
        part
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for part in re.findall(r"<details>.*?</details>", cell.source, re.DOTALL)
    ]
    return [code for part in hidden for code in re.findall(r"```py\n(.*?)```", part, re.DOTALL)]


def main(words: list[str]) -> None:
    """Execute, and write."""
    parser = ArgumentParser(prog="python -m tests.notebooks.notebooks")
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--into", default=FOLDER, type=Path, help="the folder for what is made")
    arguments = parser.parse_args(words)
    for name in arguments.names:
        began = time.monotonic()
        made = executed(name)
        nbformat.write(made, arguments.into / f"{name}.ipynb")  # type: ignore[no-untyped-call]
        print(f"{name}: {time.monotonic() - began:.1f} s, {len(made.cells)} cells", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
