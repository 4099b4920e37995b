"""HTML that notebooks show for an object: small tables that read on light and on dark, without scripts.

Everything in them is escaped unless it is a `Markup`. Never here: what a table says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Literal

Kind = Literal["secure", "plaintext", "internal"]

_STYLES: dict[Kind, str] = {
    "secure": "border-left: .3em solid #0072b2; padding-left: .4em",
    "plaintext": "border-left: .3em solid #d55e00; padding-left: .4em; font-weight: bold",
    "internal": "border-left: .3em dashed #0072b2; padding-left: .4em; font-style: italic",
}
"""Blue and vermilion of Okabe and Ito, which the colour-blind tell apart, and never colour alone."""


class Markup(str):
    """HTML already."""

    __slots__ = ()


def mark(text: object, kind: Kind) -> Markup:
    """A text that stands out."""
    return Markup(f'<span style="{_STYLES[kind]}">{escape(str(text))}</span>')


def table(caption: str, head: Sequence[object], rows: Iterable[Sequence[object]], note: str = "") -> str:
    """A table with a caption; no line of heads if `head` is empty; `note` stands below it."""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    heads = "".join(f'<th scope="col" style="text-align: left">{_text(name)}</th>' for name in head)
    thead = f"<thead><tr>{heads}</tr></thead>" if head else ""
    below = f'<div style="opacity: .7">{escape(note)}</div>' if note else ""
    return (
        '<div style="overflow-x: auto"><table style="border-collapse: collapse">'
        f'<caption style="text-align: left; font-weight: bold">{escape(caption)}</caption>'
        f"{thead}<tbody>{body}</tbody></table>{below}</div>"
    )


def _cell(content: object) -> str:
    return f'<td style="text-align: left">{_text(content)}</td>'


def _text(content: object) -> str:
    return content if isinstance(content, Markup) else escape(str(content))
