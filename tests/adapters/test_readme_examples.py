"""The README's ten lines for each library, with the lab in the place of the network."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hstssim.lab import Lab

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = {
    "requests": "307 Internal Redirect HSTS https://github.com/",
    "httpx": "307 Internal Redirect HSTS https://github.com/",
    "urllib3": "307 https://github.com/",
    "aiohttp": "HTTP/1.1 307 Internal Redirect https://github.com/",
    "urllib.request": "HTTP/1.1 307 Internal Redirect https://github.com/",
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_readmes_lines_work(lab: Lab, capsys: pytest.CaptureFixture[str], name: str) -> None:
    lab.site("github.com")
    [lines] = re.findall(rf"```python\n(# {re.escape(name)}\n.*?)```", README, re.DOTALL)
    exec(compile(lines, "README.md", "exec"), {"__name__": "readme"})  # noqa: S102
    assert capsys.readouterr().out.strip() == SHOWN[name]
    assert [request.url for request in lab.requests] == ["https://github.com/"]
