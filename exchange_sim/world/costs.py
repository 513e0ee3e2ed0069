"""What trading costs against the mark, and the margin of a larger position: the parts of the
pre-trade check.

Amounts of perpetuals are in units of the asset they settle in; ``in_numeraire`` values them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import Account, Position
from exchange_sim.model.enums import BUY, FOK, IOC, SELL, StpMode
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.units import PPM
from exchange_sim.world.margin import asset_value

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.world.world import World

R = RejectReason
EXPIRE_MAKER = int(StpMode.EXPIRE_MAKER)
ROUNDING = 4
"""Units by which the loss of a fill may differ from the change of two rounded values."""


def in_numeraire(w: World, inst: Instrument, amount: int) -> int:
    """Value of an amount of the settlement asset in numeraire units, rounded up."""
    if not inst.inverse:
        return amount
    return -asset_value(w, inst.venue, inst.settle, -amount)


def trade_cost(
    w: World,
    inst: Instrument,
    account: Account,
    position: Position | None,
    side: int,
    qty: int,
    notional: int,
) -> tuple[int, int]:
    """What trading ``qty`` for ``notional`` costs against the mark, and what it leaves to be lent.

    The fee is part of both.  A loss that is realized takes cash, and what the wallet lacks becomes
    a loan, which needs margin of its own.  Both are rounded up.
    """
    at_mark, asset = inst.value_at(qty, w.marks[inst.id]), inst.settle
    fee = -(-abs(notional) * account.taker_ppm // PPM)
    loss = notional - at_mark if side == BUY else at_mark - notional
    cash = w.ledger.posted[account.id][asset] - w.ledger.reserved[account.id][asset] - fee
    held = position.qty if position else 0
    if position is not None and qty and (held > 0 if side == SELL else held < 0):
        closed = min(qty, abs(held))
        paid = notional if side == BUY else -notional
        cash -= -(-paid * closed // qty) - (-position.entry_notional * closed // abs(held)) + 1
    return max(loss, 0) + fee + ROUNDING, max(0, -cash)


def loan_margin(w: World, inst: Instrument, debt: int) -> int:
    """Initial margin of a loan in the numeraire, rounded up."""
    return -(-debt * w.venues[inst.venue].spec.loan_imr_ppm // PPM) + 1 if debt else 0


def added_margin(
    w: World, inst: Instrument, position: Position | None, growth: int, qty: int, notional: int
) -> tuple[int, int]:
    """Initial margin of ``growth`` more lots, out of ``qty`` worth ``notional``, and why not, or 0.

    The growth is valued at the order's price or the mark, whichever is higher: a sale far below the
    mark leaves a position that is worth more than it brought.
    """
    if growth <= 0:
        return 0, 0
    table = w.brackets[inst.id]
    assert table is not None
    leverage, before = w.leverages[inst.id], 0
    if position is not None:
        leverage = position.leverage or leverage
        before = abs(inst.value_at(position.qty, w.marks[inst.id]))
    value = abs(notional) if growth == qty else -(-abs(notional) * growth // qty)
    after = before + max(value, abs(inst.value_at(-growth, w.marks[inst.id])))
    if after > table.floors[-1] and table.max_leverage(after) < 2:
        return 0, R.POSITION_LIMIT
    return table.initial(after, leverage) - table.initial(before, leverage), 0


def terms_now(engine: MatchingEngine, inst: Instrument, order: Order) -> tuple[int, int]:
    """Lots and notional of a limit order: what trades now at book prices, the rest at its own.

    What an IOC or FOK order does not trade at once costs nothing.
    """
    if engine.auction or (order.time_in_force not in (IOC, FOK) and not _crosses(engine, order)):
        return order.leaves, inst.entry_at(order.leaves, order.price * PPM)
    qty, notional = walk(engine, inst, order, order.price)
    if order.time_in_force not in (IOC, FOK):
        notional += inst.entry_at(order.leaves - qty, order.price * PPM)
        qty = order.leaves
    return qty, notional


def _crosses(engine: MatchingEngine, order: Order) -> bool:
    """Whether a limit order reaches the best price of the other side."""
    if order.side == BUY:
        return 0 < engine.book.best_ask <= order.price
    return engine.book.best_bid >= order.price


def walk(engine: MatchingEngine, inst: Instrument, order: Order, limit: int) -> tuple[int, int]:
    """Lots and notional that an order would trade now, no further than ``limit`` (0: any price).

    Own resting orders are passed over when self-trade prevention would remove them; the other modes
    stop or shrink the order, so counting them is an upper bound.  O(levels), with that mode
    O(orders).
    """
    book = engine.book
    if inst.inverse:
        return _walk_inverse(engine, inst, order, limit)
    if order.stp_mode != EXPIRE_MAKER:
        qty, total = book.cost(1 - order.side, order.leaves, limit)
        return qty, total * inst.unit_value
    left, total = order.leaves, 0
    for maker in book.orders_of(1 - order.side):
        beyond = maker.price > limit if order.side == BUY else maker.price < limit
        if not left or (limit and beyond):
            break
        if not book.is_own(maker, order.account):
            lots = min(left, maker.leaves)
            total += lots * maker.price
            left -= lots
    return order.leaves - left, total * inst.unit_value


def _walk_inverse(
    engine: MatchingEngine, inst: Instrument, order: Order, limit: int
) -> tuple[int, int]:
    """As ``walk`` for contracts: coins depend on the price of each level.  O(levels)."""
    left, entry = order.leaves, 0
    for price, resting in engine.book.totals(1 - order.side, limit):
        lots = min(left, resting)
        entry += inst.entry_at(lots, price * PPM)
        left -= lots
        if not left:
            break
    return order.leaves - left, entry
