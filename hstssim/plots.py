"""Pictures for teaching: a timeline, a tree of names, a matrix, a sequence, the flow of a decision; and a slider.

Each is drawn from what the engine said (decisions, navigations, comparisons) and says in words what it shows.
A `Picture` is matplotlib's Figure: add to it, or save it. Never here: rules.
"""

from __future__ import annotations

import base64
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from hstssim.difference import Comparison
from hstssim.errors import HSTSSimError, MissingExtra, short
from hstssim.host import is_ip_address
from hstssim.interceptor import Decision
from hstssim.navigation import Hop, Navigation
from hstssim.store import Noted, Removed

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch
except ImportError:
    raise MissingExtra("pictures need matplotlib: pip install 'hstssim[plots]'") from None

if TYPE_CHECKING:
    from matplotlib.axes import Axes

T = TypeVar("T")

SECURE = "#0072b2"
"""Blue: https."""
PLAINTEXT = "#d55e00"
"""Vermilion: in the clear."""
QUIET = "#8a8f98"
SECURE_TINT, PLAINTEXT_TINT = "#d6e9f5", "#fbe0c8"
"""Their pale likes, for backgrounds."""
TINTS = ("#e6e8eb", "#f6eebc", "#d5ecdf", "#ead9ea", "#f3d9df", "#d3ecec", "#efe3d3", "#dfe0f2")
"""Backgrounds that mean nothing but that two texts are not the same. The colours are those of Okabe and Ito, for
the colour-blind; each thing also has a text or a form of its own."""

DAY = 86_400
_DPI = 110


class Picture(Figure):
    """A matplotlib Figure that a notebook shows by itself, with words for those who do not see it.

    Args:
        alt: what it shows, in a sentence.
        width, height: in inches.
    """

    def __init__(self, alt: str, width: float = 7.5, height: float = 3.0) -> None:
        super().__init__(figsize=(width, height), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(self)
        self.alt = alt

    def png(self) -> str:
        """The picture as PNG, in base64."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=_DPI, pil_kwargs={"optimize": True})
        return base64.b64encode(buffer.getvalue()).decode()

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, Any]]:
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {"alt": self.alt}}

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"


class Slider:
    """Pictures behind a slider that needs no kernel; where no script runs, the one at the start is seen."""

    def __init__(self, label: str, names: Sequence[str], pictures: Sequence[Picture], start: int) -> None:
        self.label = label
        self.names = names
        self.pictures = pictures
        self.start = start

    @property
    def text(self) -> str:
        """What each picture shows."""
        return "\n".join(f"{name}: {picture.alt}" for name, picture in zip(self.names, self.pictures, strict=True))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text}

    def html(self) -> str:
        """The slider as a piece of HTML that needs nothing else."""
        frames = [f"data:image/png;base64,{picture.png()}" for picture in self.pictures]
        alts = [picture.alt for picture in self.pictures]
        move = (
            "const box = this.closest('div'), image = box.querySelector('img'), "
            "[name, alt] = JSON.parse(this.dataset.texts)[this.value]; "
            "image.src = this.dataset.frames.split(' ')[this.value]; image.alt = alt; "
            "box.querySelector('output').textContent = name; this.ariaValueText = name"
        )
        texts = escape(json.dumps(list(zip(self.names, alts, strict=True)), ensure_ascii=False))
        name = escape(self.names[self.start])
        # JupyterLab takes the arrow keys for itself but where it is told not to.
        return (
            f'<div style="max-width: 100%; overflow-x: auto"><label>{escape(self.label)}: '
            f'<input type="range" min="0" max="{len(frames) - 1}" value="{self.start}" step="1" '
            f'aria-valuetext="{name}" title="in JupyterLab: run the cell if this is grey" '
            'data-lm-suppress-shortcuts="true" '
            f'style="width: min(24em, 60%); vertical-align: middle" data-frames="{" ".join(frames)}" '
            f'data-texts="{texts}" oninput="{escape(move)}"></label> <output>{name}</output><br>'
            f'<img src="{frames[self.start]}" alt="{escape(alts[self.start])}" '
            f'style="max-width: 100%; min-width: min(34em, 200%); height: auto"></div>'
        )

    def __repr__(self) -> str:
        return f"<Slider {self.label}: {', '.join(self.names)}>"


def slide(
    draw: Callable[[T], Picture],
    values: Iterable[T],
    *,
    label: str,
    start: int = 0,
    name: Callable[[T], str] = str,
) -> Slider:
    """Draw a picture for each value, and put them behind a slider.

    Args:
        draw: makes the picture of a value.
        values: at least one, in order.
        label: what is moved.
        start: the index of the value that is shown first.
        name: how a value is written.

    Raises:
        HSTSSimError: there is no value, or `start` is none of them.
    """
    moved = list(values)
    if not -len(moved) <= start < len(moved):
        raise HSTSSimError(f"a slider starts at one of its values, by its index; seen {start} of {len(moved)}")
    return Slider(label, [name(value) for value in moved], [draw(value) for value in moved], start % len(moved))


# ── time


def timeline(navigations: Iterable[Navigation], *, until: float | None = None) -> Picture:
    """When each host was known, and how each visit went: the windows that visits open, one stair a visit.

    Args:
        navigations: what a `Browser` gave, in order; their times are those of its store's clock.
        until: the end in POSIX seconds; None for a little after the last window that has one.

    Raises:
        HSTSSimError: there is no navigation.
    """
    visited = list(navigations)
    if not visited:
        raise HSTSSimError("a timeline has navigations; seen none")
    began = visited[0].hops[0].time
    windows: dict[str, list[tuple[float, float]]] = {}
    visits: dict[str, list[tuple[float, str]]] = {}
    for navigation in visited:
        first = navigation.hops[0]
        how = "clear" if navigation.plaintext else "secure" if navigation.error is None else "failed"
        visits.setdefault(first.request.host, []).append((first.time, how))
        for hop in navigation.hops:
            _note_window(windows, hop)
    lanes = list(dict.fromkeys([*visits, *windows]))
    last = visited[-1].hops[-1].time
    ends = [end for some in windows.values() for _, end in some if math.isfinite(end)]
    stop = until if until is not None else max([last + max(0.08 * (last - began), 1.0), *ends])
    unit, size = _unit(stop - began)
    count = Counter(how for some in visits.values() for _, how in some)
    told = f"{len(visited)} visits, {count['clear']} of them with a request in the clear"
    told += f", {count['failed']} without an answer" if count["failed"] else ""
    known = sum(map(len, windows.values()))
    alt = f"Timeline of {', '.join(lanes)}: {told}; windows in which the host is known: {known}."
    height = 0.9 + sum(0.55 + 0.16 * len(windows.get(lane, ())) for lane in lanes)
    picture = Picture(alt, 7.5, min(max(height, 1.6), 7))
    axes = picture.subplots()
    bottom = 0.0
    ticks = []
    for lane in lanes:
        ticks.append(bottom)
        steps = windows.get(lane, [])
        for number, (start, end) in enumerate(steps, 1):
            width, left = (min(end, stop) - start) / size, (start - began) / size
            axes.barh(bottom + 0.35 * number, width, left=left, height=0.22, color=SECURE, alpha=0.35)
        for when, how in visits.get(lane, []):
            marker, colour, _ = _VISITS[how]
            place = 4 if how == "clear" else 3
            axes.plot((when - began) / size, bottom, marker, color=colour, markersize=9, zorder=place)
        bottom += 1 + 0.35 * len(steps)
    axes.set_yticks(ticks, [_shortened(lane, 30) for lane in lanes], parse_math=False)
    axes.set_ylim(-0.6, bottom - 0.3)
    axes.set_xlim(-0.02 * (stop - began) / size, (stop - began) / size)
    axes.set_xlabel(f"{unit} since the first visit")
    _bare(axes, "bottom")
    shown = [row for how, row in _VISITS.items() if how != "failed" or count["failed"]]
    _legend(axes, [*shown, ("s", "#a6cde5", "known until")])
    return picture


_VISITS = {
    "clear": ("X", PLAINTEXT, "visit in the clear"),
    "secure": ("o", SECURE, "visit by https"),
    "failed": ("d", QUIET, "no answer"),
}


def _note_window(windows: dict[str, list[tuple[float, float]]], hop: Hop) -> None:
    learned = hop.learned
    if isinstance(learned, Noted):
        domain, start, end = learned.host.domain, learned.host.last_observed, learned.host.expiry
    elif isinstance(learned, Removed):
        domain, start, end = learned.domain, hop.time, hop.time
    else:
        return
    earlier = windows.setdefault(domain, [])
    for number, (since, until) in enumerate(earlier):  # a later field ends what earlier ones promised
        if until > end:
            earlier[number] = since, max(start, since)
    if end > start:
        earlier.append((start, end))


def _unit(seconds: float) -> tuple[str, int]:
    for unit, size in (("years", 365 * DAY), ("days", DAY), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return unit, size
    return "seconds", 1


# ── names


def tree(decisions: Iterable[Decision]) -> Picture:
    """The names that were asked for, below their superdomains, coloured by what became of the request.

    A name with an entry of its own has a black outline, and says how far the entry goes.

    Raises:
        HSTSSimError: there is no decision, one is of a host without labels, or two are of one name.
    """
    asked: dict[str, Decision] = {}
    for decision in decisions:
        if decision.host in asked:
            raise HSTSSimError(f"a tree has a name once; seen {short(decision.host)} twice")
        asked[decision.host] = decision
    if not asked:
        raise HSTSSimError("a tree has decisions; seen none")
    children: dict[str, list[str]] = {}
    for host in asked:
        for name, above in pairwise([*_upward(host), ""]):
            if name not in children.setdefault(above, []):
                children[above].append(name)
    entries = {
        match.domain: match.include_subdomains
        for decision in asked.values()
        for match in (decision.dynamic, decision.preload)
        if match is not None
    }
    rows = list(_preorder("", children))
    depths = {name: len(_upward(name)) - 1 for name in rows}
    labels = {name: _label(name, entries) for name in rows}
    across = max(5.2, *(depths[name] + 0.4 + 0.092 * len(labels[name]) for name in rows))  # where the fates stand
    wide = across + 0.1 + 0.085 * max(len(_fate(decision)) for decision in asked.values())
    upgraded = sum(map(bool, asked.values()))
    told = "; ".join(f"{host} {_fate(decision)}" for host, decision in asked.items())
    alt = f"Tree of {len(asked)} names, {upgraded} upgraded: {told}."
    picture = Picture(alt, max(7.5, 0.95 * wide), 0.2 + 0.36 * len(rows))
    axes = picture.subplots()
    places = {name: (depths[name], -row) for row, name in enumerate(rows)}
    for name, (depth, row) in places.items():
        decision_here = asked.get(name)
        colour = QUIET if decision_here is None else _colour(decision_here)
        for above in _upward(name)[1:2]:
            stem = places[above][0] + 0.15
            axes.plot([stem, stem, depth], [places[above][1], row, row], color=QUIET, linewidth=1, zorder=1)
        box = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": colour, "linewidth": 1.0}
        if decision_here is None:
            box |= {"facecolor": "#eceef1", "edgecolor": QUIET}
        if name.rstrip(".") in entries:
            box |= {"edgecolor": "black", "linewidth": 2.2}
        ink = "black" if decision_here is None else "white"
        _say(axes, depth + 0.06, row, labels[name], color=ink, fontsize=9, bbox=box, zorder=2)
        if decision_here is not None:
            _say(axes, across, row, _fate(decision_here), fontsize=8.5, color=colour)
    axes.set_xlim(-0.05, max(7.8, wide))
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.axis("off")
    return picture


def _upward(host: str) -> list[str]:
    """The name and those above it; an address is one name."""
    if is_ip_address(host):
        return [host]
    labels = host.rstrip(".").split(".")
    if not all(labels):
        raise HSTSSimError(f"a tree has names of labels; seen {short(host)}")
    return [host, *(".".join(labels[number:]) for number in range(1, len(labels)))]


def _label(name: str, entries: Mapping[str, bool]) -> str:
    base = name.rstrip(".")
    label = name if is_ip_address(name) else base.partition(".")[0] + name[len(base) :]
    if base in entries:
        label += "  includeSubDomains" if entries[base] else "  alone"
    return label


def _preorder(name: str, children: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for child in children.get(name, ()):
        yield child
        yield from _preorder(child, children)


def _fate(decision: Decision) -> str:
    if decision:
        return f"https ({decision.by})"
    return f"as it is ({decision.reason})" if _kept(decision) else f"in the clear ({decision.reason})"


def _kept(decision: Decision) -> bool:
    """Whether HSTS has nothing to say of the URL."""
    return decision.reason in ("already-https", "not-http")


def _colour(decision: Decision) -> str:
    if _kept(decision):
        return SECURE if decision.reason == "already-https" else QUIET
    return SECURE if decision else PLAINTEXT


# ── many against many


def matrix(
    cells: Iterable[Comparison] | Mapping[str, Mapping[str, object]], *, tints: Mapping[str, str] | None = None
) -> Picture:
    """Rows and columns with a text in each cell; what says the same has one colour, in a row or everywhere.

    Args:
        cells: what `diff` gave, a row a header, coloured row by row; or by row and column whatever should stand
            there, coloured alike in all of them.
        tints: the colours of texts for which it matters, as matplotlib takes them.

    Raises:
        HSTSSimError: there is no row.
    """
    everywhere: dict[str, str] | None = None
    if isinstance(cells, Mapping):
        everywhere = dict(tints or {})
        rows = {str(row): {str(column): str(cell) for column, cell in some.items()} for row, some in cells.items()}
    else:
        rows = {_heard(found): {name: str(outcome) for name, outcome in found.outcomes.items()} for found in cells}
    columns = list(dict.fromkeys(column for some in rows.values() for column in some))
    if not columns:
        raise HSTSSimError("a matrix has rows and columns; seen none")
    split = sum(len(set(some.values())) > 1 for some in rows.values())
    told = "; ".join(f"{row}: {', '.join(map(' '.join, some.items()))}" for row, some in rows.items())
    alt = f"Matrix of {len(rows)} rows and {len(columns)} columns; in {split} rows the columns disagree. {told}."
    left = 0.066 * max(len(row) for row in rows) + 0.2
    longest = [0.062 * len(cell) for some in rows.values() for cell in some.values()]
    wide = max(0.6, *longest, *(0.085 * len(column) for column in columns)) + 0.08
    picture = Picture(alt, left + wide * len(columns), 0.5 + 0.3 * len(rows))
    axes = picture.subplots()
    for number, (row, some) in enumerate(rows.items()):
        known = dict(tints or {}) if everywhere is None else everywhere
        for place, column in enumerate(columns):
            cell = some.get(column)
            if cell is None:
                continue
            tint = known.setdefault(cell, next((free for free in TINTS if free not in known.values()), TINTS[0]))
            axes.barh(-number, 0.98, left=place, height=0.94, color=tint)
            _say(axes, place + 0.49, -number, cell, ha="center", fontsize=7.5)
        _say(axes, -0.08, -number, row, ha="right", fontsize=8, family="monospace")
    for place, column in enumerate(columns):
        _say(axes, place + 0.49, 0.62, column, ha="center", va="bottom", fontsize=8.5, weight="bold")
    axes.set_xlim(-left / wide, len(columns))
    axes.set_ylim(-len(rows) + 0.45, 1.3)
    axes.axis("off")
    return picture


def _heard(found: Comparison) -> str:
    where = "" if found.asked == "example.com" else f"  ({found.asked})"
    return f"{' | '.join(found.fields)}{where}"


# ── one navigation, one decision


def sequence(navigation: Navigation) -> Picture:
    """Who says what to whom: the browser to itself (internal), and to each host."""
    spoken = [hop.request.host for hop in navigation.hops if hop.source == "network" or hop.error is not None]
    hosts = list(dict.fromkeys(spoken))
    clear = len(navigation.plaintext)
    end = (
        navigation.error.name if navigation.error is not None else str(getattr(navigation.response, "status", ""))
    )
    alt = f"Sequence of {len(navigation.hops)} hops, {clear} in the clear, to {navigation.url}: {end}."
    rows = sum(1.2 if hop.internal else 2.0 for hop in navigation.hops)
    picture = Picture(alt, max(7.5, 2.6 * len(hosts)), 0.5 + 0.4 * rows)
    axes = picture.subplots()
    step = 5.0
    places = {host: (number + 1) * step for number, host in enumerate(hosts)}
    row = 0.0
    for hop in navigation.hops:
        row = _draw_hop(axes, hop, row, places.get(hop.request.host, 0.0))
    for lane, place in {"browser": 0.0, **places}.items():
        axes.plot([place] * 2, [0.2, row - 0.2], color=QUIET, linewidth=1, zorder=0)
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#eceef1", "edgecolor": QUIET}
        _say(axes, place, 0.3, _shortened(lane, 30), ha="center", fontsize=9, bbox=box)
    axes.set_xlim(-1.2, max(len(hosts), 1) * step + (1.2 if hosts else 2.0))
    axes.set_ylim(row - 0.4, 0.8)
    axes.axis("off")
    return picture


def _draw_hop(axes: Axes, hop: Hop, row: float, there: float) -> float:
    """Draw a hop below `row` to the host's place, and say where the next begins."""
    response, asked = hop.response, f"{hop.request.method} {hop.request.url}"
    if hop.replaced is not None:
        asked += f" in place of {hop.replaced}"
    if response is not None:
        said = f"{response.status} {response.reason}".rstrip()
    else:
        said = hop.error.name if hop.error is not None else "no response"
    if isinstance(hop.learned, Noted):
        said += f"   (notes {hop.learned.host.domain})"
    elif isinstance(hop.learned, Removed):
        said += f"   (forgets {hop.learned.domain})"
    if response is not None and hop.source != "network":
        row -= 1.0
        why = hop.reason if hop.internal else "from the cache"
        label = f"{_shortened(hop.request.url, 74)}\n{said} [{why}]: nothing is sent"
        style = {"arrowstyle": "-|>", "linestyle": "--", "color": SECURE, "connectionstyle": "arc3,rad=-1.2"}
        axes.annotate("", (0, row - 0.25), (0, row + 0.3), arrowprops=style)
        _say(axes, 0.75, row, label, fontsize=8, color=SECURE, style="italic")
        return row - 0.4
    row -= 0.8
    if response is None and not hop.plaintext:  # it came to nothing before it could be read
        arrow = {"arrowstyle": "-|>", "color": QUIET, "linestyle": ":", "linewidth": 1.4}
        axes.annotate("", (there - 0.6, row), (0.0, row), arrowprops=arrow)
        _say(axes, there - 0.45, row, "✕", ha="center", fontsize=11, color=QUIET)
        _say(axes, there / 2, row + 0.12, _shortened(asked, 74), ha="center", va="bottom", fontsize=8, color=QUIET)
        _say(axes, there / 2, row - 0.15, said, ha="center", va="top", fontsize=8)
        return row - 0.9
    colour = PLAINTEXT if hop.request.plaintext else SECURE
    marked = f"PLAINTEXT {asked}" if hop.plaintext else asked
    for start, end, label in ((0.0, there, marked), (there, 0.0, said)):
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6}
        axes.annotate("", (end, row), (start, row), arrowprops=arrow)
        _say(
            axes, there / 2, row + 0.12, _shortened(label, 74), ha="center", va="bottom", fontsize=8, color=colour
        )
        row -= 0.75
    return row - 0.1


def flow(decision: Decision) -> Picture:
    """The questions of a decision and their answers, from top to bottom.

    Raises:
        HSTSSimError: it has no steps: `explain` makes one that has.
    """
    if not decision.steps and decision.reason not in ("not-a-dns-name", "ip-address"):
        raise HSTSSimError("a flow is drawn of what `explain` gives, which has steps; seen none")
    asked = [
        f"{_shortened(step.domain, 48)}\nin the {'store' if step.source == 'dynamic' else 'preload list'}?"
        for step in decision.steps
    ]
    answers = [step.result.replace("-", " ") for step in decision.steps]
    if decision.location is not None:
        end = f"307 → {_shortened(decision.location, 44)}"
    else:
        end = f"{_shortened(decision.url, 48)}\n{'as it is' if _kept(decision) else 'in the clear'}"
    told = "; ".join(f"{step.domain} ({step.source}): {step.result}" for step in decision.steps)
    alt = f"Decision on {decision.url}: {told}; {'upgraded' if decision else decision.reason}."
    picture = Picture(alt, 7.5, 0.3 + 0.5 * (len(asked) + 1))
    axes = picture.subplots()
    for number, question in enumerate(asked):
        matched = answers[number] == "match"
        _box(axes, 0.0, -number, question, SECURE_TINT if matched else "#eceef1", 3.2)
        axes.annotate("", (1.95, -number), (1.62, -number), arrowprops={"arrowstyle": "-|>", "color": QUIET})
        _say(axes, 2.05, -number, answers[number], fontsize=9, weight="bold" if matched else "normal")
        down = {"arrowstyle": "-|>", "color": QUIET}
        axes.annotate("", (0, -number - 0.68), (0, -number - 0.3), arrowprops=down)
    _box(axes, 0.0, -len(asked), end, _colour(decision), 3.2, "white")
    _say(axes, 2.05, -len(asked), decision.reason.replace("-", " "), fontsize=9, weight="bold")
    axes.set_xlim(-1.8, 4.2)
    axes.set_ylim(-len(asked) - 0.5, 0.5)
    axes.axis("off")
    return picture


def _box(axes: Axes, x: float, y: float, label: str, colour: str, width: float, ink: str = "black") -> None:
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - 0.26), width, 0.52, boxstyle="round,pad=0.02", facecolor=colour, edgecolor=QUIET
        )
    )
    _say(axes, x, y, label, ha="center", fontsize=8, color=ink)


def _say(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Write a text as it is: a `$` begins no formula."""
    axes.text(x, y, text, parse_math=False, **{"va": "center", **style})


def _shortened(text: str, most: int) -> str:
    """A text without its middle, where it is too long."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def _bare(axes: Axes, keep: str) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side == keep)
    axes.tick_params(left=False)


def _legend(axes: Axes, rows: Sequence[tuple[str, str, str]]) -> None:
    for marker, colour, label in rows:
        axes.plot([], [], marker=marker, color=colour, linestyle="", label=label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=len(rows), frameon=False, fontsize=8)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.7)
