"""Halts and call auctions: the status of an instrument and what changing it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.enums import InstrumentStatus
from exchange_sim.world import orders
from exchange_sim.world.settlement import settle

if TYPE_CHECKING:
    from exchange_sim.world.world import World


def set_status(w: World, c: tuple[int, ...]) -> None:
    """Change the status; leaving an auction for TRADING uncrosses the book at one price."""
    _, _, instrument, status = c
    known = 0 <= instrument < len(w.instruments) and 0 <= status <= 3
    if not known:
        w.out.append((15, -1, c[0], int(RejectReason.UNKNOWN_INSTRUMENT)))
        return
    engine, inst = w.engines[instrument], w.instruments[instrument]
    before, w.status[instrument] = w.status[instrument], status
    w.out.append((23, instrument, status))
    if status == InstrumentStatus.AUCTION:
        engine.auction = True
    elif before == InstrumentStatus.AUCTION:
        out: list[Outcome] = []
        price = engine.uncross(out)
        qty = sum(outcome[4] for outcome in out if outcome[0] == TRADE)
        w.out.append((24, instrument, price, qty))
        settle(w, inst, out)
        if engine.stops.orders:
            orders.fire_stops(w, engine, inst)
