"""Charts as plain data for Plotly, small enough for a file that is sent around.

A chart is what ``Plotly.newPlot`` takes (traces and layout); numbers travel as base64 of 32-bit
floats, times as milliseconds.  Colours are names of the page's palette (``"@blue"``), which the
page resolves for its light and its dark form.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Array = npt.NDArray[Any]

NANOS_PER_MS: Final = 1_000_000
CLOSE_NS: Final = 180_000_000_000
WORDS_MAX: Final = 48
SERIES: Final = ("@blue", "@orange", "@green", "@red", "@violet", "@brown", "@pink", "@grey")


@attrs.frozen(kw_only=True)
class Chart:
    """One chart.  ``time`` charts share the page's time axis; ``note`` says what is seen.

    ``choices`` (name, traces) make it a chart with a selector; ``height`` is in CSS pixels.
    """

    id: str
    title: str
    note: str = ""
    traces: tuple[dict[str, Any], ...] = ()
    choices: tuple[tuple[str, tuple[dict[str, Any], ...]], ...] = ()
    layout: dict[str, Any] = attrs.field(factory=dict)
    time: bool = True
    height: int = 340

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.traces and not self.choices

    def asdict(self) -> dict[str, Any]:
        """What the page's script reads."""
        return {
            "id": self.id,
            "traces": list(self.traces),
            "choices": [[name, list(traces)] for name, traces in self.choices],
            "layout": self.layout,
            "time": self.time,
        }


@attrs.frozen(kw_only=True)
class Table:
    """Rows of text under a title; ``note`` says what is seen."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@attrs.frozen(kw_only=True)
class Section:
    """A part of the page.  ``lead`` is a sentence with the numbers that matter."""

    id: str
    title: str
    lead: str = ""
    parts: tuple[Chart | Table, ...] = ()


def packed(values: Any, kind: str = "f4") -> dict[str, str]:
    """Numbers as Plotly's binary form; ``f4`` keeps seven digits, ``f8`` sixteen."""
    data = np.ascontiguousarray(values, dtype=f"<{kind}")
    return {"dtype": kind, "bdata": base64.b64encode(data.tobytes()).decode()}


def matrix(values: Array) -> dict[str, Any]:
    """A heat map's rows in binary form."""
    return {**packed(values), "shape": f"{values.shape[0]}, {values.shape[1]}"}


def times(time_ns: Any) -> dict[str, str]:
    """Nanoseconds as the milliseconds of a date axis."""
    return packed(np.asarray(time_ns, np.int64) / NANOS_PER_MS, "f8")


def line(
    name: str, time_ns: Any, values: Any, colour: str, *, step: bool = False, **style: Any
) -> dict[str, Any]:
    """A line over time; ``step`` keeps a value until the next one."""
    shape = {"shape": "hv"} if step else {}
    width = style.pop("width", 1.6)
    dash = style.pop("dash", "solid")
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": times(time_ns),
        "y": packed(values),
        "line": {"color": colour, "width": width, "dash": dash, **shape},
        **style,
    }


def bars(name: str, time_ns: Any, values: Any, colour: str, **style: Any) -> dict[str, Any]:
    """Bars over time."""
    trace = {"type": "bar", "name": name, "x": times(time_ns), "y": packed(values)}
    return {**trace, "marker": {"color": colour}, **style}


def points(
    name: str, time_ns: Any, values: Any, texts: Sequence[str], colour: str, **marker: Any
) -> dict[str, Any]:
    """Marks over time with words on hover."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": times(time_ns),
        "y": packed(values),
        "text": list(texts),
        "hoverinfo": "text+x+name",
        "marker": {"color": colour, "size": 8, **marker},
    }


def heat(time_ns: Any, rows: Sequence[Any], values: Array, **style: Any) -> dict[str, Any]:
    """Values by row and time; NaN stays empty."""
    return {
        "type": "heatmap",
        "x": times(time_ns),
        "y": list(rows),
        "z": matrix(values),
        "hoverongaps": False,
        **style,
    }


def flags(marks: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """Vertical lines at instants, for a chart's layout; words stand at the first of a group.

    What lies close together would be printed on top of each other, so it is said in one breath.
    """
    shapes = [
        {
            "type": "line", "x0": at / NANOS_PER_MS, "x1": at / NANOS_PER_MS, "y0": 0, "y1": 1,
            "yref": "paper", "line": {"color": "@faint", "width": 1, "dash": "dot"},
        }
        for at, _ in marks
    ]  # fmt: skip
    words = [
        {
            "x": at / NANOS_PER_MS, "y": 1.0, "yref": "paper", "yanchor": "bottom", "text": text,
            "showarrow": False, "xanchor": "left", "yshift": 13 * (turn % 3), "font": {"size": 10},
        }
        for turn, (at, text) in enumerate(_spoken(marks))
    ]  # fmt: skip
    return {"shapes": shapes, "annotations": words}


def _spoken(marks: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Marks with those that follow within three minutes joined to one."""
    found: list[tuple[int, str]] = []
    for at, text in marks:
        if found and at - found[-1][0] < CLOSE_NS:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {text}")
        else:
            found.append((at, text))
    return [
        (at, text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]} ...") for at, text in found
    ]


def every(step_ns: int, start_ns: int, end_ns: int) -> npt.NDArray[np.int64]:
    """Instants from the start to the end, both included where the step fits."""
    return np.arange(start_ns, end_ns + 1, step_ns, dtype=np.int64)


def at_steps(time_ns: Array, values: Any, grid: Array) -> Floats:
    """A series read at instants: the last value up to each, NaN before the first."""
    where = np.searchsorted(time_ns, grid, side="right") - 1
    padded = np.r_[np.asarray(values, np.float64), np.nan]
    found: Floats = padded[np.where(where < 0, len(padded) - 1, where)]
    return found


def extremes(time_ns: Array, values: Floats, count: int) -> tuple[npt.NDArray[np.int64], Floats]:
    """A long series with its lows and highs kept: at most ``2 * count`` points.

    Thinning by every n-th point would lose the wicks, which are what people look for.
    """
    if len(time_ns) <= 2 * count:
        return np.asarray(time_ns, np.int64), values
    cuts = np.linspace(0, len(values), count + 1).astype(np.int64)
    kept: set[int] = {0, len(values) - 1}
    for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        if last > first:
            part = values[first:last]
            kept.update((first + int(part.argmin()), first + int(part.argmax())))
    where = np.array(sorted(kept))
    return np.asarray(time_ns, np.int64)[where], values[where]


def per_minute(time_ns: Array, values: Any, start_ns: int, end_ns: int) -> tuple[Array, Floats]:
    """Sums by minute from the start; the instants are the beginnings of the minutes."""
    minute = 60_000_000_000
    count = max(1, -(-(end_ns - start_ns) // minute))
    where = np.clip((np.asarray(time_ns) - start_ns) // minute, 0, count - 1)
    sums = np.bincount(where, np.asarray(values, np.float64), count).astype(np.float64)
    return start_ns + np.arange(count) * minute, sums
