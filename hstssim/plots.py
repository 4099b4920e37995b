"""Pictures for teaching: a timeline, a tree of names, a matrix, a sequence, the flow of a decision; and a slider.

Each is drawn from what the engine said (decisions, navigations, comparisons) and says in words what it shows.
A `Picture` is matplotlib's Figure: add to it, or save it. Never here: rules.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from hstssim.difference import Comparison
from hstssim.errors import HSTSSimError, MissingExtra, short
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
TINTS = ("#d6e9f5", "#fbe0c8", "#e6e8eb", "#f6eebc", "#d5ecdf", "#ead9ea", "#fad9d9", "#cfeef2", "#efe3d3")
"""Backgrounds for what a matrix tells apart. The first colours are those of Okabe and Ito, for the colour-blind;
each also has a text or a form of its own."""

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
        texts = [f"{name}\n{picture.alt}" for name, picture in zip(self.names, self.pictures, strict=True)]
        move = (
            "const box = this.closest('div'), image = box.querySelector('img'), text = "
            "this.dataset.texts.split('|')[this.value].split('\\n'); "
            "image.src = this.dataset.frames.split(' ')[this.value]; image.alt = text[1]; "
            "box.querySelector('output').textContent = text[0]; this.ariaValueText = text[0]"
        )
        joined = "|".join(text.replace("|", "/") for text in texts)
        return (
            f'<div style="max-width: 100%"><label>{escape(self.label)}: '
            f'<input type="range" min="0" max="{len(frames) - 1}" value="{self.start}" step="1" '
            f'style="width: min(24em, 60%); vertical-align: middle" data-frames="{" ".join(frames)}" '
            f'data-texts="{escape(joined)}" oninput="{escape(move)}"></label> '
            f"<output>{escape(self.names[self.start])}</output><br>"
            f'<img src="{frames[self.start]}" alt="{escape(self.pictures[self.start].alt)}" '
            f'style="max-width: 100%; height: auto"></div>'
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
        until: the end in POSIX seconds; None for a little after the last window.

    Raises:
        HSTSSimError: there is no navigation.
    """
    visited = list(navigations)
    if not visited:
        raise HSTSSimError("a timeline has navigations; seen none")
    began = visited[0].hops[0].time
    windows: dict[str, list[tuple[float, float]]] = {}
    visits: dict[str, list[tuple[float, bool]]] = {}
    for navigation in visited:
        first = navigation.hops[0]
        visits.setdefault(first.request.host, []).append((first.time, bool(navigation.plaintext)))
        for hop in navigation.hops:
            _note_window(windows, hop)
    lanes = list(dict.fromkeys([*visits, *windows]))
    ends = [end for some in windows.values() for _, end in some]
    last = visited[-1].hops[-1].time
    stop = until if until is not None else last + max([0.08 * (last - began), *(end - last for end in ends)])
    unit, size = _unit(stop - began)
    clear = sum(bad for some in visits.values() for _, bad in some)
    text = (
        f"Timeline of {', '.join(lanes)}: {len(visited)} visits, {clear} of them with a request in the clear; "
        f"windows in which the host is known: {sum(map(len, windows.values()))}."
    )
    height = 0.9 + sum(0.55 + 0.16 * len(windows.get(lane, ())) for lane in lanes)
    picture = Picture(text, 7.5, min(max(height, 1.6), 7))
    axes = picture.subplots()
    bottom = 0.0
    ticks = []
    for lane in lanes:
        ticks.append(bottom)
        steps = windows.get(lane, [])
        for number, (start, end) in enumerate(steps, 1):
            shown = min(end, stop)
            axes.barh(
                bottom + 0.35 * number,
                (shown - start) / size,
                left=(start - began) / size,
                height=0.22,
                color=SECURE,
                alpha=0.35,
            )
        for when, bad in visits.get(lane, []):
            axes.plot(
                (when - began) / size,
                bottom,
                marker="X" if bad else "o",
                color=PLAINTEXT if bad else SECURE,
                markersize=9,
                linestyle="",
                zorder=4 if bad else 3,
            )
        bottom += 1 + 0.35 * len(steps)
    axes.set_yticks(ticks, lanes)
    axes.set_ylim(-0.6, bottom - 0.3)
    axes.set_xlim(-0.02 * (stop - began) / size, (stop - began) / size)
    axes.set_xlabel(f"{unit} since the first visit")
    _bare(axes, "bottom")
    _legend(
        axes,
        [
            ("X", PLAINTEXT, "visit in the clear"),
            ("o", SECURE, "visit by https"),
            ("s", "#a6cde5", "known until"),
        ],
    )
    return picture


def _note_window(windows: dict[str, list[tuple[float, float]]], hop: Hop) -> None:
    learned = hop.learned
    if isinstance(learned, Noted):
        domain, start, end = learned.host.domain, learned.host.last_observed, learned.host.expiry
    elif isinstance(learned, Removed):
        domain, start, end = learned.domain, hop.time, hop.time
    else:
        return
    earlier = windows.setdefault(domain, [])
    if earlier and end < earlier[-1][1]:  # a later field ends what an earlier one promised
        earlier[-1] = earlier[-1][0], max(start, earlier[-1][0])
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
        HSTSSimError: there is no decision, or it is of a host without labels.
    """
    asked = {decision.host.rstrip("."): decision for decision in decisions}
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
    upgraded = sum(map(bool, asked.values()))
    told = "; ".join(f"{host} {_fate(decision)}" for host, decision in asked.items())
    picture = Picture(f"Tree of {len(asked)} names, {upgraded} upgraded: {told}.", 7.5, 0.2 + 0.36 * len(rows))
    axes = picture.subplots()
    places = {name: (name.count("."), -row) for row, name in enumerate(rows)}
    for name, (depth, row) in places.items():
        decision = asked.get(name)
        colour = QUIET if decision is None else SECURE if decision else PLAINTEXT
        superdomain = places.get(name.partition(".")[2])
        if superdomain is not None:
            across = superdomain[0] + 0.15
            axes.plot([across, across, depth], [superdomain[1], row, row], color=QUIET, linewidth=1, zorder=1)
        label = name.partition(".")[0]
        if name in entries:
            label += "  includeSubDomains" if entries[name] else "  alone"
        box = {"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": colour, "linewidth": 1.0}
        if decision is None:
            box |= {"facecolor": "#eceef1", "edgecolor": QUIET}
        if name in entries:
            box |= {"edgecolor": "black", "linewidth": 2.2}
        ink = "black" if decision is None else "white"
        axes.text(depth + 0.06, row, label, va="center", color=ink, fontsize=9, bbox=box, zorder=2)
        if decision is not None:
            axes.text(5.2, row, _fate(decision), va="center", fontsize=8.5, color=colour)
    axes.set_xlim(-0.05, 7.8)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.axis("off")
    return picture


def _upward(host: str) -> list[str]:
    labels = host.split(".")
    if not all(labels):
        raise HSTSSimError(f"a tree has names of labels; seen {short(host)}")
    return [".".join(labels[number:]) for number in range(len(labels))]


def _preorder(name: str, children: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for child in children.get(name, ()):
        yield child
        yield from _preorder(child, children)


def _fate(decision: Decision) -> str:
    return f"https ({decision.by})" if decision else f"in the clear ({decision.reason})"


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
    alt = f"Matrix of {len(rows)} rows and {len(columns)} columns; in {split} rows the columns disagree."
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
            axes.text(place + 0.49, -number, cell, ha="center", va="center", fontsize=7.5)
        axes.text(-0.08, -number, row, ha="right", va="center", fontsize=8, family="monospace")
    for place, column in enumerate(columns):
        axes.text(place + 0.49, 0.62, column, ha="center", va="bottom", fontsize=8.5, weight="bold")
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
    hosts = list(
        dict.fromkeys(
            hop.request.host for hop in navigation.hops if hop.source == "network" or hop.error is not None
        )
    )
    lanes = ["browser", *hosts]
    clear = len(navigation.plaintext)
    end = (
        navigation.error.name if navigation.error is not None else str(getattr(navigation.response, "status", ""))
    )
    text = f"Sequence of {len(navigation.hops)} hops, {clear} in the clear, to {navigation.url}: {end}."
    rows = sum(1.2 if hop.internal else 2.0 for hop in navigation.hops)
    picture = Picture(text, 7.5, 0.5 + 0.4 * rows)
    axes = picture.subplots()
    row = 0.0
    step = 5.0
    for hop in navigation.hops:
        row = _draw_hop(axes, hop, row, {lane: number * step for number, lane in enumerate(lanes)})
    for number, lane in enumerate(lanes):
        axes.plot([number * step] * 2, [0.2, row - 0.2], color=QUIET, linewidth=1, zorder=0)
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#eceef1", "edgecolor": QUIET}
        axes.text(number * step, 0.3, lane, ha="center", va="center", fontsize=9, bbox=box)
    axes.set_xlim(-1.2, max(len(lanes) - 1, 1) * step + (1.2 if hosts else 2.0))
    axes.set_ylim(row - 0.4, 0.8)
    axes.axis("off")
    return picture


def _draw_hop(axes: Axes, hop: Hop, row: float, lanes: Mapping[str, float]) -> float:
    """Draw a hop below `row`, and say where the next begins."""
    response = hop.response
    if response is not None:
        said = f"{response.status} {response.reason}".rstrip()
    else:
        said = hop.error.name if hop.error is not None else "no response"
    if isinstance(hop.learned, Noted):
        said += f"   (notes {hop.learned.host.domain})"
    elif isinstance(hop.learned, Removed):
        said += f"   (forgets {hop.learned.domain})"
    if hop.internal or hop.source == "cache":
        row -= 1.0
        why = hop.reason if hop.internal else "from the cache"
        label = f"{hop.request.url}\n{said} [{why}]: nothing is sent"
        style = {"arrowstyle": "-|>", "linestyle": "--", "color": SECURE, "connectionstyle": "arc3,rad=-1.2"}
        axes.annotate("", (0, row - 0.25), (0, row + 0.3), arrowprops=style)
        axes.text(0.75, row, label, va="center", fontsize=8, color=SECURE, style="italic")
        return row - 0.4
    there = lanes.get(hop.request.host, 0.0)
    colour = PLAINTEXT if hop.request.plaintext else SECURE
    mark = "PLAINTEXT " if hop.plaintext else ""
    row -= 0.8
    for start, end, label in ((0.0, there, f"{mark}{hop.request.method} {hop.request.url}"), (there, 0.0, said)):
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6}
        axes.annotate("", (end, row), (start, row), arrowprops=arrow)
        axes.text(there / 2, row + 0.12, label, ha="center", va="bottom", fontsize=8, color=colour)
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
        f"{step.domain}\nin the {'store' if step.source == 'dynamic' else 'preload list'}?"
        for step in decision.steps
    ]
    answers = [step.result.replace("-", " ") for step in decision.steps]
    end = f"307 → {decision.location}" if decision.location is not None else f"{decision.url}\nin the clear"
    if not decision and decision.url[:5] == "https":
        end = f"{decision.url}\nas it is"
    text = f"Decision on {decision.url}: " + "; ".join(
        f"{step.domain} ({step.source}): {step.result}" for step in decision.steps
    )
    picture = Picture(f"{text}; {'upgraded' if decision else decision.reason}.", 7.5, 0.3 + 0.5 * (len(asked) + 1))
    axes = picture.subplots()
    for number, question in enumerate(asked):
        matched = answers[number] == "match"
        _box(axes, 0.0, -number, question, "#d6e9f5" if matched else "#eceef1", 3.2)
        axes.annotate("", (1.95, -number), (1.62, -number), arrowprops={"arrowstyle": "-|>", "color": QUIET})
        weight = "bold" if matched else "normal"
        axes.text(2.05, -number, answers[number], va="center", fontsize=9, weight=weight)
        axes.annotate(
            "", (0, -number - 0.68), (0, -number - 0.3), arrowprops={"arrowstyle": "-|>", "color": QUIET}
        )
    colour = SECURE if decision or decision.url[:5] == "https" else PLAINTEXT
    _box(axes, 0.0, -len(asked), end, colour, 3.2, "white")
    axes.text(2.05, -len(asked), decision.reason.replace("-", " "), va="center", fontsize=9, weight="bold")
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
    axes.text(x, y, label, ha="center", va="center", fontsize=8, color=ink)


def _bare(axes: Axes, keep: str) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side == keep)
    axes.tick_params(left=False)


def _legend(axes: Axes, rows: Sequence[tuple[str, str, str]]) -> None:
    for marker, colour, label in rows:
        axes.plot([], [], marker=marker, color=colour, linestyle="", label=label)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.0), ncols=len(rows), frameon=False, fontsize=8)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.7)
