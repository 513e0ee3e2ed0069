"""The book of any instrument at any instant: what a replay that stops there holds.

Nothing is interpolated: the world that a replay has rebuilt is asked, so the book is exact down to
the last lot.  Prices and quantities are decimals in the instrument's own units.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import attrs

from exchange_sim.model.enums import BUY, SELL, InstrumentKind
from exchange_sim.model.instrument import Instrument
from exchange_sim.units import PPM
from exchange_sim.world import World


@attrs.frozen
class PriceLevel:
    """What rests at one price: displayed quantity in base, and the value up to here in quote.

    The quantity of an inverse contract is in quote, and so is its value at any price.
    """

    price: Decimal
    qty: Decimal
    value: Decimal


@attrs.frozen
class BookAt:
    """A book after command ``seq`` at ``time_ns``, best levels first.

    ``last`` and ``mark`` are prices in quote (only perpetuals have a mark); ``orders`` counts all
    resting orders.
    """

    symbol: str
    time_ns: int
    seq: int
    last: Decimal
    mark: Decimal | None
    orders: int
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]

    @property
    def spread_bp(self) -> Decimal | None:
        """Distance of the best prices in 1/10,000 of their middle; None when a side is empty."""
        if not self.bids or not self.asks:
            return None
        bid, ask = self.bids[0].price, self.asks[0].price
        return (ask - bid) * 20_000 / (ask + bid)


def book_at(world: World, instrument: int, depth: int) -> BookAt:
    """The book as the world holds it now, with at most ``depth`` levels a side."""
    inst = world.instruments[instrument]
    book = world.engines[instrument].book
    tick = inst.tick_size
    perpetual = inst.kind != InstrumentKind.SPOT
    return BookAt(
        symbol=inst.symbol,
        time_ns=world.time_ns,
        seq=world.seq,
        last=world.last_prices[instrument] * tick,
        mark=world.marks[instrument] * tick / PPM if perpetual else None,
        orders=len(book),
        bids=_levels(inst, book.depth(BUY, depth)),
        asks=_levels(inst, book.depth(SELL, depth)),
    )


def _levels(inst: Instrument, levels: Sequence[tuple[int, int]]) -> tuple[PriceLevel, ...]:
    found = []
    value = Decimal(0)
    for ticks, lots in levels:
        price, qty = ticks * inst.tick_size, lots * inst.lot_size
        value += qty if inst.inverse else price * qty
        found.append(PriceLevel(price, qty, value))
    return tuple(found)
