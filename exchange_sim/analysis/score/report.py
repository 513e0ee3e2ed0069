"""A run held against a list of targets: one line per target, and the weighted share that fits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pyarrow as pa

from exchange_sim.analysis.run_dir import RunCorrupt, RunData
from exchange_sim.analysis.score.roles import roles_of
from exchange_sim.analysis.score.rules import find
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import CannotMeasureError, View
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.schema import table_name
from exchange_sim.messages.registry import Message


@attrs.frozen
class Line:
    """One target: what was measured (``None``: nothing, see ``reason``) and by which function."""

    target: Target
    value: float | None
    measured_by: str
    how: str
    reason: str = ""

    @property
    def inside(self) -> bool:
        """Whether the value lies in the band, its edges included."""
        return self.value is not None and self.target.low <= self.value <= self.target.high

    @property
    def off(self) -> float | None:
        """Signed distance from the band in the target's unit, 0 inside it."""
        if self.value is None:
            return None
        return self.value - min(max(self.value, self.target.low), self.target.high)

    @property
    def off_bands(self) -> float | None:
        """The same in widths of the band; by factors where the target asks for a log scale."""
        if self.value is None or self.off is None:
            return None
        low, high = self.target.low, self.target.high
        if "log scale" in self.target.notes and min(low, self.value) > 0:
            nearest = low if self.off < 0 else high
            return 0.0 if not self.off else math.log(self.value / nearest) / math.log(high / low)
        width = high - low
        return self.off / width if width else math.copysign(math.inf, self.off) if self.off else 0.0

    def asdict(self) -> dict[str, Any]:
        """For ``--json``."""
        target = self.target
        return {
            "id": target.id, "area": target.area, "quantity": target.quantity,
            "venue_kind": target.venue_kind, "asset_kind": target.asset_kind,
            "unit": target.unit, "value_low": target.low, "value_high": target.high,
            "confidence": target.confidence, "weight": target.weight, "role": target.role,
            "value": self.value, "inside": self.inside, "off": self.off,
            "measured_by": self.measured_by, "how": self.how, "reason": self.reason,
            "source_url": target.source_url,
        }  # fmt: skip


@attrs.frozen
class Score:
    """All lines of one run.  Inputs are listed and do not count."""

    scenario: str
    seed: int
    digest: str
    lines: tuple[Line, ...]

    @property
    def scored(self) -> tuple[Line, ...]:
        """The lines that count."""
        return tuple(line for line in self.lines if line.target.role == "score")

    @property
    def weight(self) -> int:
        """Weight of all targets that count."""
        return sum(line.target.weight for line in self.scored)

    @property
    def weight_inside(self) -> int:
        """Weight of the targets inside their bands."""
        return sum(line.target.weight for line in self.scored if line.inside)

    @property
    def percent(self) -> float:
        """The weighted share of targets inside their bands, 0 to 100."""
        return 100.0 * self.weight_inside / self.weight if self.weight else 0.0

    def _repr_html_(self) -> str:
        from exchange_sim.analysis.notebook import score_html

        return score_html(self)

    def asdict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "scenario": self.scenario, "seed": self.seed, "digest": self.digest,
            "percent": self.percent, "weight": self.weight, "weight_inside": self.weight_inside,
            "inside": sum(line.inside for line in self.scored), "targets": len(self.scored),
            "lines": [line.asdict() for line in self.lines],
        }  # fmt: skip


@attrs.frozen
class Series:
    """Several runs (seeds) of one scenario: each target by its median and its worst value."""

    scores: tuple[Score, ...]
    lines: tuple[Line, ...]
    """Each target with the median value of the runs (``None`` when most could not show it)."""
    worst: tuple[float | None, ...]
    """Of each target the value farthest from its band; ``None`` when a run could not show it."""
    hits: tuple[int, ...]
    """Runs in which the target is inside."""

    @property
    def percents(self) -> list[float]:
        """The weighted score of each run."""
        return [score.percent for score in self.scores]

    @property
    def median(self) -> float:
        """Median of the runs' weighted scores."""
        return float(np.median(self.percents))

    @property
    def lowest(self) -> float:
        """The worst run's weighted score."""
        return min(self.percents)


class _Known:
    """A run in which a table with lost rows is no table: nothing is measured from it."""

    def __init__(self, run: RunData) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def table(self, kind: type[Message] | str) -> pa.Table:
        """As of the run.  Raises ``CannotMeasureError`` when rows are lost."""
        table = self._run.table(kind)
        return self._whole(table, kind if isinstance(kind, str) else table_name(kind))

    @property
    def book(self) -> pa.Table:
        """As of the run.  Raises ``CannotMeasureError`` when it is lost."""
        return self._whole(self._run.book, "book_1s")

    def _whole(self, table: pa.Table, name: str) -> pa.Table:
        if name in self._run.lost:
            raise CannotMeasureError(f"the table {name} is damaged")
        return table


def open_view(run: RunData, others: Sequence[RunData] = (), known: bool = False) -> View:
    """A view of a finished run.  ``known``: what needs a damaged table cannot be measured.

    Raises ``RunCorrupt`` when a table is missing or damaged and the run was not opened partially.
    """
    if not run.has_tables:
        raise RunCorrupt(f"{run.path}: the run was written without event tables")
    held = [View(other, roles_of(other), other.manifest.overrides) for other in others]
    tables: Any = _Known(run) if known else run
    return View(tables, roles_of(run), run.manifest.overrides, held)


def score_run(run: RunData, targets: Sequence[Target], others: Sequence[RunData] = ()) -> Score:
    """Measure every target in a run; ``others`` are runs that counterfactual targets need.

    Raises ``RunCorrupt``, ``JournalCorrupt`` and ``StorageError`` for damaged runs.
    """
    manifest = run.manifest
    others = [other for other in others if other.manifest.seed == manifest.seed]
    view = open_view(run, others, known=True)
    lines = tuple(measure(view, target) for target in targets)
    return Score(manifest.scenario, manifest.seed, manifest.digest, lines)


def measure(view: View, target: Target) -> Line:
    """Measure one target; what cannot be measured says why."""
    found = find(target)
    if found is None:
        reason = f"{target.where}: no rule measures {target.quantity!r}"
        return Line(target, None, "", "", reason)
    rule, match = found
    try:
        value = float(rule.measure(view, target, match))
    except CannotMeasureError as cause:
        return Line(target, None, rule.name, rule.how, str(cause))
    if not math.isfinite(value):
        return Line(target, None, rule.name, rule.how, "the figure is not defined in this run")
    return Line(target, value, rule.name, rule.how, _cut(view, target))


def series_of(scores: Sequence[Score]) -> Series:
    """Summarise runs of the same targets.  Raises ``UsageError`` when they differ."""
    if len({tuple(line.target.id for line in score.lines) for score in scores}) != 1:
        raise UsageError("the runs were not scored on the same targets")
    lines: list[Line] = []
    worst: list[float | None] = []
    hits: list[int] = []
    for column in zip(*(score.lines for score in scores), strict=True):
        hits.append(sum(line.inside for line in column))
        known = [line for line in column if line.value is not None]
        missing = next((line for line in column if line.value is None), None)
        if 2 * len(known) <= len(column) and missing is not None:
            lines.append(missing)
            worst.append(None)
            continue
        values = [line.value for line in known if line.value is not None]
        lines.append(attrs.evolve(known[0], value=float(np.median(values))))
        farthest = max(known, key=lambda line: abs(line.off or 0.0))
        worst.append(None if missing is not None else farthest.value)
    return Series(tuple(scores), tuple(lines), tuple(worst), tuple(hits))


def _cut(view: View, target: Target) -> str:
    """A remark when the run ends inside the window."""
    if target.window is None or view.ns(target.window[1]) <= view.roles.end_ns:
        return ""
    covered = view.seconds(view.roles.end_ns)
    return f"the run ends at {covered:.0f} s, the window at {target.window[1]:.0f} s"
