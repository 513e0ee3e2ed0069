"""Playing a finished run again: books, tape and news of chosen instruments, in order of happening.

``Watch`` merges three streams by time: every change of the displayed books, every trade, and the
lines of the narrative.  Tables are read row group by row group and nothing that has been shown is
kept beyond a few lines, so memory is bounded by the chosen books' histories (a row per change of a
level), whatever the length of the run.
"""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sortedcontainers import SortedDict

from exchange_sim.analysis.run_manifest import RunCorrupt
from exchange_sim.errors import UsageError
from exchange_sim.messages.events import Traded
from exchange_sim.model.enums import BUY, FLAG_FORCED, FLAG_LIQUIDATION, SELL, InstrumentKind
from exchange_sim.units import NANOS_PER_MS, parse_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

TAPE_LINES: Final = 50
NEWS_LINES: Final = 100
_TRADE, _TICK, _NEWS = range(3)
"""Within a command: what traded, then what the book is after it, then what was said."""
_BP: Final = 10_000
_QUIET_KEYS: Final = frozenset({"time", "level", "event", "seq", "link"})
_PLAIN_KEYS: Final = frozenset({"account", "venue", "instrument", "cause", "name", "band", "who"})
"""What needs no name in front of it."""

Happening = tuple[int, int, int, Any]
"""Time, command (the last one's for news without), which stream, and what it holds."""


@attrs.frozen
class TapeLine:
    """One trade: decimals, and whether the aggressor was forced to it."""

    time_ns: int
    buy: bool
    price: float
    qty: float
    forced: bool


@attrs.frozen
class NewsLine:
    """One line of the narrative; ``level`` is ``info``, ``warning`` or ``error``."""

    time_ns: int
    level: str
    event: str
    details: str


class Screen:
    """One instrument as it stands: ``bids`` and ``asks`` are lots by ticks, newest trade last."""

    def __init__(self, run: RunData, instrument: int, start_ns: int) -> None:
        self.instrument = instrument
        self.symbol: str = run.instruments[instrument]["symbol"]
        self.bids, self.asks = SortedDict(), SortedDict()
        self.tape: deque[TapeLine] = deque(maxlen=TAPE_LINES)
        self.trades = 0
        self.first = self.last = 0.0
        self._facts = run.facts
        self._inverse = run.instruments[instrument]["kind"] == InstrumentKind.INVERSE_PERPETUAL
        history = run.book_of(instrument)
        snapshot = history.at(start_ns - 1)
        self.bids.update(snapshot.levels(BUY))
        self.asks.update(snapshot.levels(SELL))
        self.ticks = history.ticks(start_ns - 1)

    def price(self, ticks: float) -> float:
        """Ticks in quote."""
        return float(self._facts.prices(ticks, self.instrument))

    def qty(self, lots: float) -> float:
        """Lots in base; those of an inverse contract in quote."""
        return float(self._facts.quantities(lots, self.instrument))

    def change(self, changes: Iterable[tuple[int, int, int]]) -> None:
        """Take new quantities of levels."""
        for side, ticks, lots in changes:
            book = self.bids if side == BUY else self.asks
            if lots:
                book[ticks] = lots
            else:
                book.pop(ticks, None)

    def trade(self, line: TapeLine) -> None:
        """Take a trade."""
        self.trades += 1
        self.tape.append(line)
        self.last = line.price
        self.first = self.first or line.price

    @property
    def mid(self) -> float:
        """Middle of the best prices in ticks, the best price when a side is empty, or 0."""
        bid = self.bids.peekitem(-1)[0] if self.bids else 0
        ask = self.asks.peekitem(0)[0] if self.asks else 0
        return (bid + ask) / 2 if bid and ask else float(bid or ask)

    def spread_bp(self) -> float | None:
        """Distance of the best prices over their middle; None while a side is empty."""
        if not self.bids or not self.asks:
            return None
        bid, ask = self.bids.peekitem(-1)[0], self.asks.peekitem(0)[0]
        return float(ask - bid) / self.mid * _BP

    def depth(self, side: int, share: float = 0.01) -> float:
        """Displayed value within ``share`` of the middle, in quote."""
        mid = self.mid
        book, low, high = self.bids, mid * (1 - share), mid
        if side == SELL:
            book, low, high = self.asks, mid, mid * (1 + share)
        if self._inverse:
            return self.qty(sum(book[ticks] for ticks in book.irange(low, high)))
        value: int = sum(ticks * book[ticks] for ticks in book.irange(low, high))
        return self.price(1) * self.qty(1) * value


class Watch:
    """A run that is played again: ``screens`` and ``news`` are what there is to see at ``now_ns``.

    Raises ``UsageError`` for an unknown instrument or an instant outside the run, ``RunCorrupt``
    for tables that cannot be read.
    """

    def __init__(self, run: RunData, instruments: Iterable[str] = (), start_ns: int = 0) -> None:
        self.start_ns, self.end_ns = run.manifest.start_ns, run.manifest.end_ns
        self.now_ns = start_ns or self.start_ns
        if not self.start_ns <= self.now_ns <= self.end_ns:
            raise UsageError("--from lies outside the run")
        chosen = dict.fromkeys(run.instrument_id(name) for name in instruments)
        self.screens = [Screen(run, k, self.now_ns) for k in chosen or [busiest(run)]]
        self.news: deque[NewsLine] = deque(maxlen=NEWS_LINES)
        self._by_id = {screen.instrument: screen for screen in self.screens}
        streams = [self._ticks(screen) for screen in self.screens]
        merged = heapq.merge(*streams, self._trades(run), self._lines(run), key=_when)
        self._happenings: Iterator[Happening] = merged
        self._next = next(merged, None)

    @property
    def done(self) -> bool:
        """Whether the end of the run is reached."""
        return self._next is None and self.now_ns >= self.end_ns

    def advance(self, to_ns: int) -> None:
        """Play up to and including this instant."""
        self.now_ns = max(self.now_ns, min(to_ns, self.end_ns))
        while self._next is not None and self._next[0] <= self.now_ns:
            self._take(self._next)
            self._next = next(self._happenings, None)
        if self._next is None and to_ns >= self.end_ns:
            self.now_ns = self.end_ns

    def step(self) -> None:
        """Play the next instant at which anything happens; without one, go to the end."""
        self.advance(self._next[0] if self._next is not None else self.end_ns)

    def _take(self, happening: Happening) -> None:
        _, instrument, stream, what = happening
        if stream == _NEWS:
            self.news.append(what)
        elif stream == _TRADE:
            self._by_id[instrument].trade(what)
        else:
            self._by_id[instrument].change(what)

    def _ticks(self, screen: Screen) -> Iterator[Happening]:
        """Changes of one book.  Its own screen applies them when their time has come."""
        for tick in screen.ticks:
            yield tick.time_ns, screen.instrument, _TICK, tick.changes

    def _trades(self, run: RunData) -> Iterator[Happening]:
        """Trades of the chosen instruments, row group by row group."""
        columns = ["time_ns", "instrument", "price", "qty", "aggressor", "taker_flags"]
        wanted = pa.array(list(self._by_id), pa.int64())
        for batch in run.batches(Traded, columns):
            mine = batch.filter(
                pc.and_(
                    pc.is_in(batch.column("instrument").cast(pa.int64()), wanted),
                    pc.greater_equal(batch.column("time_ns"), self.now_ns),
                )
            )
            for row in zip(*(mine.column(name).to_pylist() for name in columns), strict=True):
                time_ns, instrument, price, qty, aggressor, flags = row
                screen = self._by_id[instrument]
                forced = bool(flags & (FLAG_FORCED | FLAG_LIQUIDATION))
                line = TapeLine(
                    time_ns, aggressor == BUY, screen.price(price), screen.qty(qty), forced
                )
                yield time_ns, instrument, _TRADE, line

    def _lines(self, run: RunData) -> Iterator[Happening]:
        """The narrative: what is older than the start is news at once.  A run may have none."""
        path = run.path / "narrative.jsonl"
        try:
            with path.open(encoding="utf-8") as file:
                for number, text in enumerate(file, 1):
                    line = _news(text)
                    if line is None:
                        raise RunCorrupt(f"{path}:{number}: is not a line of a narrative")
                    if line.time_ns >= self.now_ns:
                        yield line.time_ns, -1, _NEWS, line
                    else:
                        self.news.append(line)
        except FileNotFoundError:
            return


def _when(happening: Happening) -> tuple[int, int]:
    return happening[0], happening[2]


def _news(text: str) -> NewsLine | None:
    """A line of ``narrative.jsonl``; None when it is none."""
    try:
        row = json.loads(text)
        # Written to the millisecond, cut: what it tells happened within the next one.
        time_ns = parse_utc(row["time"]) + NANOS_PER_MS - 1
        details = "  ".join(
            f"{value}" if key in _PLAIN_KEYS else f"{key} {value}"
            for key, value in row.items()
            if key not in _QUIET_KEYS
        )
        return NewsLine(time_ns, str(row["level"]), str(row["event"]), details)
    except (ValueError, KeyError, TypeError):
        return None


def busiest(run: RunData) -> int:
    """The instrument with most trades; the first one when there was no trade."""
    counts = np.zeros(max(1, len(run.instruments)), np.int64)
    for batch in run.batches(Traded, ["instrument"]):
        counts += np.bincount(batch.column("instrument").to_numpy(), minlength=len(counts))
    return int(counts.argmax())
