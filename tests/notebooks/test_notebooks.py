"""The notebooks do what they show: executed, they say what is committed; the engine's part in Pyodide, too."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

import hstssim
from tests.notebooks import notebooks, plain
from tests.programs import missing, need

ROOT = notebooks.FOLDER.parent
PLAIN = Path(plain.__file__)
IN_MEMORY = [name for name in notebooks.NAMES if name < "06"]
"""Those whose engine's part runs in a browser's Python."""

each = pytest.mark.parametrize("name", notebooks.NAMES)


def test_there_are_eight() -> None:
    assert [name[:2] for name in notebooks.NAMES] == [f"{number:02}" for number in range(1, 9)]
    assert sorted(path.stem for path in notebooks.FOLDER.glob("*.ipynb")) == notebooks.NAMES


@each
def test_a_notebook_says_what_is_committed(name: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.notebooks.notebooks", name, "--into", str(tmp_path)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    executed = notebooks.committed(name, tmp_path)
    assert notebooks.printed(executed) == notebooks.printed(notebooks.committed(name))


@each
def test_a_notebook_is_its_text(name: str) -> None:
    text, kept = notebooks.text(name), notebooks.committed(name)
    assert [(cell.cell_type, cell.source) for cell in kept.cells] == [
        (cell.cell_type, cell.source) for cell in text.cells
    ]
    assert [cell.metadata for cell in kept.cells] == [cell.metadata for cell in text.cells]
    assert jupytext.writes(text, "md").count("```python") == sum(cell.cell_type == "code" for cell in text.cells)


def test_saving_in_jupyterlab_keeps_both_in_step_and_changes_nothing_else(tmp_path: Path) -> None:
    name = notebooks.NAMES[0]
    folder = shutil.copytree(notebooks.FOLDER, tmp_path / "notebooks")
    manager = jupytext.TextFileContentsManager()
    manager.root_dir = str(folder)  # as `jupyter lab notebooks` has it
    model = manager.get(f"{name}.ipynb")
    model["content"].metadata.kernelspec.display_name = "Python 3 (ipykernel)"
    model["content"].cells[1].source += "\n# changed"
    manager.save(model, f"{name}.ipynb")
    before, after = ((place / f"{name}.md").read_text("utf-8") for place in (notebooks.FOLDER, folder))
    first, fence, rest = before.partition("\n```\n")
    assert after == f"{first}\n# changed{fence}{rest}"


@each
def test_a_notebook_is_one_story_with_pictures_something_to_move_and_exercises(name: str) -> None:
    kept = notebooks.committed(name)
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert len(kept.cells) <= 15
    assert all(cell.execution_count for cell in code)
    assert not any(output.output_type == "error" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert sum('type="range"' in output.get("data", {}).get("text/html", "") for output in outputs) >= 1
    assert any(re.search(r"^ *assert ", cell.source, re.MULTILINE) for cell in code)
    assert kept.cells[0].source.startswith("# ")
    assert "## Exercises" in kept.cells[-1].source
    assert notebooks.answers(kept) != []


@each
def test_pictures_are_seen_by_those_who_do_not_see_them(name: str) -> None:
    for cell in notebooks.committed(name).cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 20


@each
def test_outputs_hold_nothing_of_the_machine(name: str) -> None:
    said = "\n".join(text for cell in notebooks.printed(notebooks.committed(name)) for text in cell)
    assert re.findall(r"/tmp|/home/|/root/|site-packages|127\.0\.0\.1:\d+|\bat 0x[0-9a-f]+", said) == []  # noqa: S108


@pytest.mark.allow_hosts(["127.0.0.1"])
@each
def test_the_hidden_answers_hold(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(notebooks.FOLDER)
    names = plain.run(plain.code_of(str(notebooks.FOLDER / f"{name}.ipynb"), pictures=True))
    for answer in notebooks.answers(notebooks.committed(name)):
        plain.run([answer], names)


@pytest.mark.parametrize("name", IN_MEMORY)
def test_the_engine_needs_no_sockets_threads_subprocesses_or_ada_url(name: str) -> None:
    notebook = str(notebooks.FOLDER / f"{name}.ipynb")
    words = [sys.executable, str(PLAIN), notebook, "without-pictures"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import threading; threading.Thread(target=print).start()",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
        "import os; os.fork()",
        "import ada_url",
    ],
)
def test_what_a_browsers_python_lacks_is_refused(code: str) -> None:
    program = f"import sys; sys.path.insert(0, {str(PLAIN.parent)!r}); import plain; plain.forbid()\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "a browser's Python has none of this" in done.stderr or "ada_url" in done.stderr


@pytest.mark.oracle
def test_the_engine_runs_in_pyodide_from_our_wheel(tmp_path: Path) -> None:
    need("node")
    if subprocess.run(
        ["node", "--eval", "require.resolve('pyodide')"], capture_output=True, check=False
    ).returncode:
        missing("npm's pyodide is not installed (NODE_PATH says where it is)")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    for needed in ("h11", "publicsuffixlist"):  # what the engine takes of its dependencies, both pure Python
        [place] = __import__(needed).__path__
        shutil.copytree(place, tmp_path / "libraries" / needed)
    script = str(PLAIN.with_name("pyodide.mjs"))
    paths = [str(notebooks.FOLDER / f"{name}.ipynb") for name in IN_MEMORY]
    words = ["node", script, str(wheel), str(tmp_path / "libraries"), str(PLAIN), *paths]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("\ndone /") == len(IN_MEMORY)
    assert done.stdout.endswith("ran in emscripten\n")


def test_the_readme_of_the_folder_names_each() -> None:
    readme = (notebooks.FOLDER / "README.md").read_text("utf-8")
    assert [name for name in notebooks.NAMES if f"{name}.ipynb" not in readme] == []
    assert hstssim.__name__ in readme
