"""What the sections of a report read: a run, its roles, and what several of them need."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from exchange_sim.analysis.report.figures import Array, Floats, at_steps, every
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.analysis.score.report import open_view
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.analysis.score.view import Book, CannotMeasureError, View
from exchange_sim.analysis.summary import RunSummary, summarise
from exchange_sim.defi.spec import ChainSpec
from exchange_sim.journal.reader import JournalReader
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import NoteKind
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.world_config import world_config
from exchange_sim.units import NANOS_PER_S

GRID_POINTS: Final = 1_200
"""Instants of a common grid: a screen is not wider."""


class Source:
    """A finished run, opened for its report."""

    def __init__(self, run: RunData) -> None:
        self.run = run
        self.view: View = open_view(run)
        self.start_ns = self.view.roles.start_ns or run.manifest.start_ns
        self.end_ns = max(run.manifest.end_ns, self.start_ns + NANOS_PER_S)
        self.has_news = bool(self.scenario.shocks) and self.start_ns < self.news_ns < self.end_ns

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario that the journal carries."""
        reader = JournalReader(self.run.journal_path)
        reader.close()
        return Scenario.from_json(reader.header.scenario_text)

    @cached_property
    def chain(self) -> ChainSpec | None:
        """Pools, markets and AMMs of the scenario; None without a chain."""
        return world_config(self.scenario).chain

    @property
    def news_ns(self) -> int:
        """The instant of the first shock; the start where there is none."""
        return self.view.news_ns

    @cached_property
    def summary(self) -> RunSummary:
        """The two tables of ``summary.json``."""
        return summarise(self.run)

    @cached_property
    def grid(self) -> Array:
        """Common instants of charts that show many series."""
        seconds = max(1, -(-(self.end_ns - self.start_ns) // NANOS_PER_S))
        step = max(1, round(seconds / GRID_POINTS)) * NANOS_PER_S
        return every(step, self.start_ns, self.end_ns)

    @cached_property
    def reference_ns(self) -> int:
        """The instant that prices and depths are compared with: just before the news, or after a
        tenth of the run.
        """
        if self.has_news:
            return self.news_ns - 1
        return self.start_ns + (self.end_ns - self.start_ns) // 10

    def items(self, kind: str = "", venue: str = "", spot: bool | None = None) -> list[Instrument]:
        """Main books by asset kind, venue and contract; all without arguments."""
        assets = self.view.roles.assets
        return [
            item
            for item in self.view.roles.instruments
            if item.main
            and (not kind or assets[item.base].kind == kind)
            and (not venue or item.venue == venue)
            and (spot is None or item.is_spot == spot)
        ]

    def volume(self, item: Instrument) -> float:
        """Dollars traded in a book."""
        return float(self.view.trades(item).usd.sum())

    def mids(self, item: Instrument) -> Floats:
        """Mid prices on the grid; where a side is empty the last mid before."""
        book = self._sampled(item)
        if book is None:
            return np.full(len(self.grid), np.nan)
        known = np.flatnonzero(book.mid > 0)
        return at_steps(book.t[known], book.mid[known], self.grid)

    def relative(self, item: Instrument) -> Floats:
        """Last trades on the grid in percent of the price just before the news, minus 100."""
        trades = self.view.trades(item)
        if not len(trades.t):
            return np.full(len(self.grid), np.nan)
        before = np.flatnonzero(trades.t <= self.reference_ns)
        start = trades.p[before[-1]] if len(before) else trades.p[0]
        found: Floats = (at_steps(trades.t, trades.p, self.grid) / start - 1.0) * 100.0
        return found

    def spread_bp(self, item: Instrument) -> Floats:
        """Quoted spread in basis points of the mid on the grid; NaN while a side is empty."""
        book = self._sampled(item)
        if book is None:
            return np.full(len(self.grid), np.nan)
        return at_steps(book.t, book.spread * 10_000.0, self.grid)

    def depth(self, item: Instrument, side: str = "bid", within_bp: int = 100) -> Floats:
        """Resting dollars within a distance of the mid on the grid."""
        book = self._sampled(item)
        if book is None:
            return np.full(len(self.grid), np.nan)
        return at_steps(book.t, book.depth(side, within_bp), self.grid)

    def _sampled(self, item: Instrument) -> Book | None:
        try:
            return self.view.book(item)
        except CannotMeasureError:
            return None

    @cached_property
    def moments(self) -> tuple[tuple[int, str], ...]:
        """News, outages, the first withdrawal, liquidation and ADL: what charts are marked with."""
        found: list[tuple[int, str]] = []
        notes = self.run.table(e.Noted)
        kinds = notes.column("kind").to_numpy()
        at, a = notes.column("time_ns").to_numpy(), notes.column("a").to_numpy()
        for row in np.flatnonzero(kinds == NoteKind.SHOCK).tolist():
            shocks, number = self.scenario.shocks, int(a[row])
            account = int(notes.column("account")[row].as_py())
            if account < 0 and number < len(shocks):
                found.append((int(at[row]), shocks[number].name or "news"))
        for outage in self.scenario.outages:
            if self.start_ns <= outage.start_ns < self.end_ns:
                found.append((outage.start_ns, f"{outage.kind} of {outage.venue} down"))
            if self.start_ns <= outage.end_ns < self.end_ns:
                found.append((outage.end_ns, f"{outage.kind} of {outage.venue} back"))
        withdrawn = np.flatnonzero(kinds == NoteKind.QUOTES_WITHDRAWN)
        if len(withdrawn):
            found.append((int(at[withdrawn[0]]), "first maker leaves"))
        for kind, words in (
            (e.LiquidationStarted, "first liquidation"),
            (e.AdlExecuted, "first ADL"),
        ):
            table = self.run.table(kind)
            if table.num_rows:
                found.append((table.column("time_ns")[0].as_py(), words))
        return tuple(sorted(found))

    def narrative(self, most: int) -> tuple[list[dict[str, Any]], int]:
        """The notable lines of the narrative, and how many there were in all.

        Links of the chain first, then warnings; the first of each kind before the second of any,
        until ``most`` are chosen; in order of time.
        """
        path = self.run.path / "narrative.jsonl"
        if not path.is_file():
            return [], 0
        lines: list[dict[str, Any]] = []
        with path.open(encoding="utf-8") as file:
            for text in file:
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    continue
        seen: Counter[str] = Counter()
        turns = []
        for line in lines:
            kind = str(line.get("event", ""))
            turns.append(seen[kind])
            seen[kind] += 1
        ranked = sorted(range(len(lines)), key=lambda at: (_rank(lines[at]), turns[at], at))
        chosen = sorted(ranked[:most])
        return [lines[at] for at in chosen], len(lines)

    def owners(self) -> Sequence[str]:
        """Owner of each account by id."""
        return [row["owner"] for row in self.run.accounts]


def _rank(line: dict[str, Any]) -> int:
    if line.get("link"):
        return 0
    return 1 if line.get("level") in {"warning", "error", "critical"} else 2
