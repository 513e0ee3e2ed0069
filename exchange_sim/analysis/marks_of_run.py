"""Prices by which holdings are valued: the mids of the books, second by second; never a last print.

A mid stands from its second until the next one; while a side is empty, or bid and ask are so far
apart that their middle says nothing, the last mid stands, and before the first one the first.  A
perpetual is valued no further than ``INDEX_BAND_PERCENT`` from its index of that second, which
comes from spot books: in a contract that nobody quotes, mid and mark follow a single far order, and
whoever holds it has not become rich.  Before its first mid the index itself stands.  In half ticks
mids are integers, so that profits add up exactly.  A contract that is settled in its coin is worth
coins, and these are worth what their spot book says.

Simplification: an asset without a book of its own against a numeraire counts as one dollar when
something is quoted in it, else as nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.facts import Floats, Ints
from exchange_sim.messages.events import MarkPriceUpdated
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData


SPREAD_MAX_PERCENT: Final = 20
"""Widest spread, in percent of the mid, of a book whose mid is taken seriously."""


INDEX_BAND_PERCENT: Final = 20
"""How far from its index a perpetual is valued at most, in percent of the index."""


@attrs.frozen
class Pricing:
    """How units of something become dollars: ``units * half_ticks * factor``.

    ``instrument`` is whose mid counts; -1: units are worth ``factor`` each.  ``over`` is a book by
    whose mid that of ``instrument`` is divided, -1 for none: a contract of a coin is so many coins,
    which its own price makes fewer and the coin's price dearer.
    """

    instrument: int
    factor: Fraction
    over: int = -1


class Marks:
    """Mids of all books of a run, in half ticks."""

    def __init__(self, run: RunData) -> None:
        self._run = run
        book = run.book
        columns = {name: book.column(name).to_numpy() for name in ("time_ns", "instrument")}
        bid, ask = book.column("bid").to_numpy(), book.column("ask").to_numpy()
        both = (bid > 0) & (ask > 0)
        both &= (ask - bid) * 100 <= SPREAD_MAX_PERCENT * ((ask + bid) // 2)
        self.grid: Ints = np.unique(columns["time_ns"]).astype(np.int64)
        self._times: list[Ints] = []
        self._mids: list[Ints] = []
        self._plain: dict[int, tuple[list[int], list[int]]] = {}
        indexes = _indexes(run)
        for instrument in range(len(run.instruments)):
            every = columns["instrument"] == instrument
            times = columns["time_ns"][every].astype(np.int64)
            mids = (bid + ask)[every].astype(np.int64)
            usable = both[every]
            if instrument in indexes:
                mids = _within_band(times, mids, usable, *indexes[instrument])
            else:
                times, mids = times[usable], mids[usable]
            self._times.append(times)
            self._mids.append(mids)
        self._numeraires = dict.fromkeys(row["quote_asset"] for row in run.instruments)

    def at(self, instrument: int, time_ns: int) -> int:
        """The mid at an instant in half ticks; 0 when there never was one."""
        times, mids = self._lists(instrument)
        return mids[max(0, bisect_right(times, time_ns) - 1)] if times else 0

    def _lists(self, instrument: int) -> tuple[list[int], list[int]]:
        """As lists: a look-up in one takes a thirtieth of the time of NumPy's."""
        found = self._plain.get(instrument)
        if found is None:
            found = self._times[instrument].tolist(), self._mids[instrument].tolist()
            self._plain[instrument] = found
        return found

    def on(self, instrument: int, times: Ints) -> Ints:
        """The mids at many instants."""
        known = self._times[instrument]
        if not len(known):
            return np.zeros(len(times), np.int64)
        found: Ints = self._mids[instrument][
            np.maximum(0, np.searchsorted(known, times, "right") - 1)
        ]
        return found

    def pricing(self, asset: int, venue: int) -> Pricing:
        """How an asset held on a venue is priced: by its spot book there against the numeraire.

        Where there is none, by another book there, else by its first one anywhere.
        """
        run = self._run
        one = self._one(asset)
        if asset in self._numeraires and not self._spot_books(asset):
            return Pricing(-1, Fraction(1, one))
        books = self._spot_books(asset)
        if not books:
            return Pricing(-1, Fraction(0))
        numeraire = int(run.facts.numeraires[venue]) if venue >= 0 else -1

        def preference(row: dict[str, Any]) -> tuple[bool, bool]:
            return row["venue"] != venue, row["quote_asset"] != numeraire

        chosen = min(books, key=preference)
        half_tick = Fraction(chosen["tick_size"]) / 2
        return Pricing(chosen["instrument"], half_tick / one)

    def contract(self, instrument: int) -> Pricing:
        """How lots of a perpetual are priced; those of an inverse one by their value in coins."""
        row = self._run.instruments[instrument]
        if row["kind"] == InstrumentKind.INVERSE_PERPETUAL:
            coin, half_tick = self.settlement(instrument), Fraction(row["tick_size"]) / 2
            coins = -Fraction(row["lot_size"]) / half_tick * self._one(row["base_asset"])
            return Pricing(coin.instrument, coins * coin.factor, instrument)
        return Pricing(instrument, Fraction(row["tick_size"]) / 2 * Fraction(row["lot_size"]))

    def settlement(self, instrument: int) -> Pricing:
        """How a unit of the asset that a perpetual is settled in is priced."""
        row = self._run.instruments[instrument]
        if row["kind"] == InstrumentKind.INVERSE_PERPETUAL:
            return self.pricing(row["base_asset"], row["venue"])
        return Pricing(-1, Fraction(1, self._one(row["quote_asset"])))

    def value(self, pricing: Pricing, time_ns: int) -> int | Fraction:
        """What ``pricing`` multiplies units and ``factor`` by at an instant."""
        if pricing.instrument < 0:
            return 1
        mid = self.at(pricing.instrument, time_ns)
        if pricing.over < 0:
            return mid
        below = self.at(pricing.over, time_ns)
        return Fraction(mid, below) if below else 0

    def values(self, pricing: Pricing, times: Ints) -> Floats:
        """``value`` at many instants, in floats."""
        if pricing.instrument < 0:
            return np.ones(len(times))
        mids = self.on(pricing.instrument, times).astype(np.float64)
        if pricing.over < 0:
            return mids
        below = self.on(pricing.over, times)
        return np.divide(mids, below, out=np.zeros(len(times)), where=below > 0)

    def entry(self, instrument: int, lots: int, price: int) -> int:
        """What ``lots`` signed lots bought at ``price`` ticks add to the entry, in units settled.

        Coins are rounded down in size, as the contract says.
        """
        row = self._run.instruments[instrument]
        if row["kind"] != InstrumentKind.INVERSE_PERPETUAL:
            return lots * price * self.unit_value(instrument)
        coin_value = Fraction(row["lot_size"]) / Fraction(row["tick_size"])
        coins = abs(lots) * int(coin_value * self._one(row["base_asset"])) // price
        return -coins if lots > 0 else coins

    def size(self, instrument: int, lots: int, price: int) -> float:
        """Dollars that lots are worth at a price in ticks: contracts of a coin are dollars."""
        row = self._run.instruments[instrument]
        value = lots * float(row["lot_size"])
        inverse = row["kind"] == InstrumentKind.INVERSE_PERPETUAL
        return value if inverse else value * price * float(row["tick_size"])

    def _one(self, asset: int) -> int:
        return int(10 ** self._run.assets[asset]["decimals"])

    def unit_value(self, instrument: int) -> int:
        """Quote units of one tick times one lot."""
        row = self._run.instruments[instrument]
        scale = self._one(row["quote_asset"])
        return int(Fraction(row["tick_size"]) * Fraction(row["lot_size"]) * scale)

    def _spot_books(self, asset: int) -> list[dict[str, Any]]:
        return [
            row
            for row in self._run.instruments
            if row["kind"] == InstrumentKind.SPOT
            and row["base_asset"] == asset
            and len(self._times[row["instrument"]])
        ]


def _indexes(run: RunData) -> dict[int, tuple[Ints, Ints]]:
    """(instants, indexes in half ticks) of every perpetual that had one."""
    table = run.table(MarkPriceUpdated).select(["time_ns", "instrument", "index"])
    times, ids, micro = (column.to_numpy() for column in table.columns)
    found = {}
    for instrument in np.unique(ids).tolist():
        mine = (ids == instrument) & (micro > 0)
        if mine.any():
            found[instrument] = times[mine], np.maximum(1, 2 * micro[mine] // PPM)
    return found


def _within_band(times: Ints, mids: Ints, usable: Any, known: Ints, indexes: Ints) -> Ints:
    """The last usable mid of every second, kept within the band around the index."""
    index = indexes[np.maximum(0, np.searchsorted(known, times, "right") - 1)]
    last = np.maximum.accumulate(np.where(usable, np.arange(len(times)), -1))
    mid = np.where(last >= 0, mids[last], index)
    low = -(-index * (100 - INDEX_BAND_PERCENT) // 100)
    high = index * (100 + INDEX_BAND_PERCENT) // 100
    found: Ints = np.clip(mid, low, np.maximum(low, high))
    return found
