"""A run as series of numbers: what the measuring functions look at.

Times are nanoseconds since the epoch; windows of targets are seconds from the news.  Prices are in
quote per base, values in dollars (a unit of any quote asset counts as one).  Everything is read
once, sorted by instrument, and cached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Protocol

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.score.roles import Instrument, Roles
from exchange_sim.analysis.score.targets import Target
from exchange_sim.messages import events as e
from exchange_sim.messages.registry import Message
from exchange_sim.model.enums import FLAG_LIQUIDATION, Side
from exchange_sim.units import NANOS_PER_S, PPM

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

NANOS: Final = float(NANOS_PER_S)


class CannotMeasureError(Exception):
    """The run does not show the figure; the message says why."""


class Tables(Protocol):
    """Where a view reads from: a finished run, or tables made up by a test."""

    @property
    def book(self) -> pa.Table:
        """The table of books by second."""

    @property
    def accounts(self) -> list[dict[str, Any]]:
        """Rows of the account table."""

    @property
    def assets(self) -> list[dict[str, Any]]:
        """Rows of the asset table."""

    @property
    def balances(self) -> pa.Table:
        """Final balances."""

    @property
    def positions(self) -> pa.Table:
        """Positions left open at the end."""

    def table(self, kind: type[Message] | str) -> pa.Table:
        """The table of an event kind."""


@attrs.frozen(eq=False)
class Prices:
    """A price over time; between two points the earlier one holds."""

    t: Array
    p: Floats

    def __len__(self) -> int:
        return len(self.t)

    def at(self, time_ns: float) -> float:
        """The last price at or before an instant; NaN when there was none."""
        at = int(np.searchsorted(self.t, time_ns, side="right")) - 1
        return float(self.p[at]) if at >= 0 else float("nan")

    def before(self, time_ns: float) -> float:
        """The last price strictly before an instant, else the first one; NaN when there is none."""
        if not len(self.t):
            return float("nan")
        at = int(np.searchsorted(self.t, time_ns, side="left")) - 1
        return float(self.p[max(0, at)])

    def between(self, start_ns: float, end_ns: float) -> Prices:
        """The points of an interval, both ends included."""
        low, high = np.searchsorted(self.t, start_ns), np.searchsorted(self.t, end_ns, "right")
        return Prices(self.t[low:high], self.p[low:high])

    def grid(self, start_ns: float, end_ns: float, step_s: float) -> Prices:
        """The price at every whole step of an interval, both ends included; without NaN."""
        count = int((end_ns - start_ns) / NANOS / step_s + 1e-9) + 1
        steps = (np.arange(max(0, count)) * step_s * NANOS).astype(np.int64)
        times = int(start_ns) + steps
        at = np.searchsorted(self.t, times, side="right") - 1
        known = at >= 0
        return Prices(times[known], self.p[at[known]])

    def low(self) -> tuple[int, float]:
        """Instant and value of the lowest price.  Raises ``CannotMeasureError`` when empty."""
        if not len(self.t):
            raise CannotMeasureError("nothing was traded in the window")
        at = int(self.p.argmin())
        return int(self.t[at]), float(self.p[at])


@attrs.frozen(eq=False)
class Trades:
    """The trades of one instrument in order; ``sell`` says that the taker sold."""

    t: Array
    p: Floats
    usd: Floats
    sell: Array
    taker_order: Array
    forced: Array

    def between(self, start_ns: float, end_ns: float) -> Trades:
        """The trades of an interval, its end excluded."""
        low, high = np.searchsorted(self.t, start_ns), np.searchsorted(self.t, end_ns)
        names = ("t", "p", "usd", "sell", "taker_order", "forced")
        return Trades(*(getattr(self, name)[low:high] for name in names))


@attrs.frozen(eq=False)
class Book:
    """Touch and depth of one instrument by second; prices in quote, depths in dollars."""

    t: Array
    bid: Floats
    ask: Floats
    mid: Floats
    depths: dict[str, Floats]

    def within(self, start_ns: float, end_ns: float) -> Book:
        """The seconds of an interval, both ends included."""
        low, high = np.searchsorted(self.t, start_ns), np.searchsorted(self.t, end_ns, "right")
        cut = {name: values[low:high] for name, values in self.depths.items()}
        rows = slice(low, high)
        return Book(self.t[rows], self.bid[rows], self.ask[rows], self.mid[rows], cut)

    def depth(self, side: str, distance_bp: int) -> Floats:
        """Resting value within a distance of the mid; ``side`` is bid, ask or both."""
        sides = ("bid", "ask") if side == "both" else (side,)
        total: Floats = np.sum([self.depths[f"{name}_depth_{distance_bp}bp"] for name in sides], 0)
        return total

    @property
    def spread(self) -> Floats:
        """Quoted spread as a share of the mid; NaN while a side is empty."""
        two_sided = (self.bid > 0) & (self.ask > 0)
        found: Floats = np.where(
            two_sided, (self.ask - self.bid) / np.maximum(self.mid, 1e-300), np.nan
        )
        return found


class View:
    """A run and its roles, with cached series."""

    def __init__(
        self, run: Tables, roles: Roles, options: Sequence[str] = (), others: Sequence[View] = ()
    ) -> None:
        """``options`` are those of the run's manifest, ``others`` the runs it is held against."""
        self.run = run
        self.roles = roles
        self.options = tuple(options)
        self.others = tuple(others)
        self.news_ns = roles.news_ns
        self.cache: dict[Any, Any] = {}
        """What measuring functions have worked out, by what it is."""
        self._columns: dict[str, dict[str, Array]] = {}
        self._trades: dict[int, Trades] = {}
        self._books: dict[int, Book] = {}
        self._marks: dict[int, dict[str, Array]] = {}

    def ns(self, seconds: float) -> int:
        """The instant ``seconds`` after the news."""
        return self.news_ns + round(seconds * NANOS)

    def seconds(self, time_ns: float) -> float:
        """Seconds from the news to an instant."""
        return (time_ns - self.news_ns) / NANOS

    def window(self, target: Target) -> tuple[int, int]:
        """The target's window as instants, cut to the run.

        Raises ``CannotMeasureError`` when the run ends before it begins.
        """
        if target.window is None:
            return self.roles.start_ns, self.roles.end_ns
        start, end = (self.ns(second) for second in target.window)
        if start >= self.roles.end_ns:
            late = self.seconds(self.roles.end_ns)
            raise CannotMeasureError(f"the run ends {late:.0f} s after the news, before the window")
        return max(start, self.roles.start_ns), min(end, self.roles.end_ns)

    def books_of(self, target: Target) -> tuple[Instrument, ...]:
        """Instruments that a target means.  Raises ``CannotMeasureError`` when there is none."""
        return self.books(target.venue_kind, target.asset_kind)

    def books(self, venue_kind: str, asset_kind: str) -> tuple[Instrument, ...]:
        """Instruments by kinds.  Raises ``CannotMeasureError`` when there is none."""
        found = self.roles.books(venue_kind, asset_kind)
        if not found:
            kind = asset_kind or "any"
            raise CannotMeasureError(f"the run has no {kind} instrument on a {venue_kind} venue")
        return found

    def trades(self, item: Instrument) -> Trades:
        """All trades of an instrument."""
        if item.id not in self._trades:
            rows = self._traded.get(item.id)
            if rows is None:
                empty = np.empty(0)
                kinds = (np.int64, float, float, bool, np.int64, bool)
                self._trades[item.id] = Trades(*(empty.astype(kind) for kind in kinds))
            else:
                self._trades[item.id] = Trades(
                    t=rows["time_ns"],
                    p=rows["price"] * item.tick,
                    usd=_value(item, rows),
                    sell=rows["aggressor"] == Side.SELL,
                    taker_order=rows["taker_order"],
                    forced=(rows["taker_flags"] & FLAG_LIQUIDATION) != 0,
                )
        return self._trades[item.id]

    def prices(self, item: Instrument, text: str = "") -> Prices:
        """Trades of an instrument as prices; its marks when ``text`` speaks of the mark price."""
        if "mark price" in text or "mark close" in text or "mark or last" in text:
            marks = self.marks(item)
            if len(marks):
                return marks
        trades = self.trades(item)
        return Prices(trades.t, trades.p)

    def marks(self, item: Instrument) -> Prices:
        """Mark prices of a perpetual; empty for spot."""
        rows = self._marked.get(item.id)
        if rows is None:
            return Prices(np.empty(0, np.int64), np.empty(0))
        return Prices(rows["time_ns"], rows["mark"] / PPM * item.tick)

    def marked(self, item: Instrument) -> dict[str, Array] | None:
        """Rows of the mark table of a perpetual."""
        return self._marked.get(item.id)

    def book(self, item: Instrument) -> Book:
        """The book of an instrument by second."""
        if item.id not in self._books:
            rows = self._booked.get(item.id)
            if rows is None:
                raise CannotMeasureError(f"the book of {item.name} was not sampled")
            depths = {name: rows[name] / item.scale for name in rows if "_depth_" in name}
            bid, ask, mid = (rows[name] * item.tick for name in ("bid", "ask", "mid"))
            self._books[item.id] = Book(rows["time_ns"], bid, ask, mid, depths)
        return self._books[item.id]

    def columns(self, kind: type[Message] | str) -> dict[str, Array]:
        """The columns of an event table; they are shared and must not be changed."""
        name = kind if isinstance(kind, str) else kind.__name__
        if name not in self._columns:
            self._columns[name] = columns_of(self.run.table(kind))
        return self._columns[name]

    @cached_property
    def account_venues(self) -> Array:
        """Venue name of each account, by account id."""
        return np.array([row["venue_name"] for row in self.run.accounts], dtype=object)

    @cached_property
    def _traded(self) -> dict[int, dict[str, Array]]:
        names = (
            "time_ns", "instrument", "price", "qty", "aggressor", "taker_order", "base_amount",
            "quote_amount", "taker_flags",
        )  # fmt: skip
        return by_instrument(self.run.table(e.Traded), names)

    @cached_property
    def _booked(self) -> dict[int, dict[str, Array]]:
        return by_instrument(self.run.book)

    @cached_property
    def _marked(self) -> dict[int, dict[str, Array]]:
        return by_instrument(self.run.table(e.MarkPriceUpdated))


def _value(item: Instrument, rows: dict[str, Array]) -> Floats:
    """Dollars of each trade."""
    if item.is_inverse:
        return rows["qty"] * item.lot
    values: Floats = rows["quote_amount"] / item.scale
    return values


def columns_of(table: pa.Table, names: Iterable[str] | None = None) -> dict[str, Array]:
    """Columns of a table as arrays."""
    return {name: table.column(name).to_numpy() for name in names or table.column_names}


def by_instrument(
    table: pa.Table, names: Iterable[str] | None = None
) -> dict[int, dict[str, Array]]:
    """The columns of a table, split by instrument; the order of rows is kept."""
    if not table.num_rows:
        return {}
    wanted = list(names or table.column_names)
    keys = table.column("instrument").to_numpy()
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    cuts = np.flatnonzero(np.diff(ranked)) + 1
    found: dict[int, dict[str, Array]] = {
        int(key): {} for key in ranked[np.concatenate(([0], cuts))]
    }
    for name in wanted:
        parts = np.split(table.column(name).to_numpy()[order], cuts)
        for own, part in zip(found.values(), parts, strict=True):
            own[name] = part
    return found


def count_rows(table: pa.Table, column: str, value: int) -> int:
    """Rows in which a column has a value."""
    return int(pc.sum(pc.equal(table.column(column), value)).as_py() or 0)
