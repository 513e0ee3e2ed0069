"""Orders that a venue sends by itself: ordinary IOC orders, bounded by a collar.

Used by the liquidation engine and by lenders.  Nothing here computes slippage: a thin book gives
worse fills, or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.model.account import Account
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, IOC, LIMIT, SELL, InstrumentStatus
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.units import PPM
from exchange_sim.world import orders

if TYPE_CHECKING:
    from exchange_sim.world.world import World


def collar(w: World, instrument: int, side: int) -> int:
    """The worst price of a forced order: the collar beyond the worse of mid and mark, in ticks.

    With one side of the book empty the mark alone counts.  Rounded towards the market.

    A forced purchase of a perpetual never goes further above the index than a market order may go
    above the mark (``market_take_bound``).  A sale ends at zero.  A purchase has no end: in a
    contract that few quote, every print of a squeezed short moves mid and mark up, and both move
    the next limit up; only the index is made elsewhere.
    """
    book, ratio = w.engines[instrument].book, w.specs[instrument].liquidation_collar_ppm
    mark = w.marks[instrument] if w.brackets[instrument] else w.last_prices[instrument] * PPM
    bid, ask = book.best_bid, book.best_ask
    mid = (bid + ask) * PPM // 2 if bid and ask else mark
    if side == SELL:
        return max(1, -(-min(mid, mark) * (PPM - ratio) // (PPM * PPM)))
    limit = max(mid, mark) * (PPM + ratio)
    bound = w.specs[instrument].market_take_bound_ppm
    if bound and w.brackets[instrument]:
        limit = min(limit, w.indexes[instrument] * (PPM + bound))
    return max(1, limit // (PPM * PPM))


def lots_for(w: World, inst: Instrument, account: Account, owed: int, limit: int) -> int:
    """Lots whose sale raises ``owed`` after the fee: at the bids down to ``limit``, then at it.

    O(levels taken).
    """
    owed = -(-owed * PPM // (PPM - account.taker_ppm)) + 1
    lots = 0
    for price, resting in w.engines[inst.id].book.totals(BUY, limit):
        unit = price * inst.unit_value
        taken = min(resting, -(-owed // unit))
        lots += taken
        owed -= taken * unit
        if owed <= 0:
            return lots
    return lots - -owed // (limit * inst.unit_value)


def send_ioc(
    w: World, account: Account, inst: Instrument, side: int, limit: int, qty: int, tif: int = IOC
) -> tuple[int, int]:
    """Enter one forced IOC (or FOK) order; lots and quote value that it traded.

    (0, 0) during a halt.
    """
    if w.status[inst.id] != InstrumentStatus.TRADING:
        return 0, 0
    order = Order(
        w.next_order_id, account.id, inst.id, -w.next_order_id, side, LIMIT, tif, limit, qty,
        flags=FLAG_LIQUIDATION,
    )  # fmt: skip
    w.next_order_id += 1
    account.enter(order)
    w.out.append(
        (1, order.order_id, account.id, inst.id, order.client_order_id, side, LIMIT, tif, limit,
         qty, 0, 0, FLAG_LIQUIDATION)
    )  # fmt: skip
    start = len(w.out)
    orders.execute(w, w.engines[inst.id], inst, account, order)
    fills = [e for e in w.out[start:] if e[0] == 6 and e[7] == order.order_id]
    return sum(fill[4] for fill in fills), sum(fill[11] for fill in fills)
