"""Halts and call auctions: the status of an instrument and what changing it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.enums import InstrumentStatus
from exchange_sim.model.instrument import Instrument
from exchange_sim.world import orders
from exchange_sim.world.settlement import settle

if TYPE_CHECKING:
    from exchange_sim.world.world import World

STATUSES = range(len(InstrumentStatus))


def set_status(w: World, c: tuple[int, ...]) -> None:
    """Change the status.  An auction ends with TRADING, which uncrosses the book at one price.

    Orders that an auction collected stay in the (possibly crossed) book through a halt; triggers
    that were reached meanwhile fire when trading resumes.
    """
    _, _, instrument, status = c
    if not 0 <= instrument < len(w.instruments):
        w.out.append((15, -1, c[0], int(RejectReason.UNKNOWN_INSTRUMENT)))
        return
    if status not in STATUSES:
        w.out.append((15, -1, c[0], int(RejectReason.MALFORMED)))
        return
    engine, inst = w.engines[instrument], w.instruments[instrument]
    w.status[instrument] = status
    w.out.append((23, instrument, status))
    if status == InstrumentStatus.AUCTION:
        engine.auction = True
    elif status == InstrumentStatus.TRADING:
        if engine.auction:
            _uncross(w, inst)
        if engine.stops.orders:
            orders.fire_stops(w, engine, inst)


def _uncross(w: World, inst: Instrument) -> None:
    """End the auction: everything that can trade does, at one price."""
    out: list[Outcome] = []
    price = w.engines[inst.id].uncross(out)
    qty = sum(outcome[4] for outcome in out if outcome[0] == TRADE)
    w.out.append((24, inst.id, price, qty))
    settle(w, inst, out)
