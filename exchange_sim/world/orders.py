"""Orders: checks in a fixed precedence, then hold, match, settle, and the stops that were fired.

The precedence of refusals is the order of the checks in ``new_order``: gateway (1xx), instrument
and filters (2xx), state of the account (304, 305), matching (4xx), and what needs money last (3xx,
in ``world.pretrade``).  Every refusal is one ``OrderRejected`` event and changes nothing else.
"""

from __future__ import annotations

from heapq import heappush
from typing import TYPE_CHECKING

from exchange_sim.limits import STOPS_PER_COMMAND_MAX
from exchange_sim.matching.outcomes import Outcome
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.account import Account
from exchange_sim.model.enums import (
    GTD,
    GTX,
    MARKET,
    SELL,
    STOP_MARKET,
    OrderType,
    StpMode,
    TimeInForce,
)
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.world import isolated
from exchange_sim.world.gates import (
    CANCEL_ONLY,
    HALT,
    TRADING,
    USER_FLAGS,
    entry_refusal,
    gate,
    state_refusal,
    status_refusal,
)
from exchange_sim.world.modes import open_order, open_orders, route
from exchange_sim.world.order_rates import over_rate
from exchange_sim.world.pretrade import afford
from exchange_sim.world.price_range import filter_price
from exchange_sim.world.price_rules import post_only, take_bound, within_range
from exchange_sim.world.repricing import reprice
from exchange_sim.world.settlement import (
    change_hold,
    finish,
    release_all,
    settle,
    trim_reduce_only,
)

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.world.world import World

Command = tuple[int, ...]
REPLACE = 3
R = RejectReason
ORDER_TYPES, TIMES_IN_FORCE = range(len(OrderType)), range(len(TimeInForce))
STP_MODES = range(len(StpMode))
USER, MASS = int(CancelReason.USER), int(CancelReason.MASS)
NO_FUNDS = int(CancelReason.INSUFFICIENT_FUNDS)
WHY_ENDED = {
    int(R.REDUCE_ONLY_REJECTED): int(CancelReason.REDUCE_ONLY),
    int(R.POST_ONLY_WOULD_CROSS): int(CancelReason.POST_ONLY),
    int(R.ACCOUNT_IN_LIQUIDATION): int(CancelReason.LIQUIDATION),
}
"""Why a trigger order ends whose entry is refused when it fires; for want of funds otherwise."""


def new_order(w: World, c: Command) -> None:
    """Check, hold, match, settle.  See the module docstring for the precedence of refusals."""
    (_, _, account_id, instrument, client_id, side, kind, tif, price, qty, display, trigger,
     trailing, flags, stp, expire_ns) = c  # fmt: skip
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        return reject(w, c, R.UNKNOWN_ACCOUNT)
    if not 0 <= instrument < len(w.instruments):
        return reject(w, c, R.UNKNOWN_INSTRUMENT)
    account, inst = w.accounts[account_id], w.instruments[instrument]
    known = kind in ORDER_TYPES and tif in TIMES_IN_FORCE and stp in STP_MODES
    if client_id <= 0 or side not in (0, 1) or not known:
        return reject(w, c, R.MALFORMED)
    if (flags & ~USER_FLAGS or w.order_rates) and (
        reason := entry_refusal(w, account, inst, flags)
    ):
        return reject(w, c, reason)
    if account.modes is not None:
        account, flags, reason = route(w, account, inst, side, flags, client_id)
        if reason:
            return reject(w, c, reason)
        account_id = account.id
    order = Order(
        w.next_order_id, account_id, instrument, client_id, side, kind, tif, price, qty,
        display, trigger, trailing, flags, stp, expire_ns,
    )  # fmt: skip
    reason = gate(w, account, inst, order)
    engine = w.engines[instrument]
    if not reason and kind <= MARKET:
        if tif == GTX:
            reason = post_only(engine, order)
        if not reason:
            pay = afford if account.parent < 0 else isolated.afford
            reason = pay(w, engine, inst, account, order)
    if reason:
        return reject(w, c, reason)
    w.next_order_id += 1
    account.enter(order)
    w.out.append(
        (1, order.order_id, account_id, instrument, client_id, side, kind, tif, order.price,
         order.qty, display, trigger, flags)
    )  # fmt: skip
    if tif == GTD:
        heappush(w.venues[inst.venue].gtd, (expire_ns, order.order_id, account_id, client_id))
    execute(w, engine, inst, account, order)
    return None


def reject(w: World, c: Command, reason: int) -> None:
    """Refuse a command about an order; nothing else changes."""
    instrument, client_id = (c[3], c[4]) if c[0] == 1 else (-1, c[3])
    w.out.append((2, c[2], instrument, client_id, int(reason), c[0]))


def execute(
    w: World, engine: MatchingEngine, inst: Instrument, account: Account, order: Order
) -> None:
    """Match an order whose hold is in place, settle it, and run the stops that it fired."""
    _match(w, engine, inst, account, order)
    if engine.stops.orders:
        fire_stops(w, engine, inst)


def _match(
    w: World, engine: MatchingEngine, inst: Instrument, account: Account, order: Order
) -> None:
    """Submit and settle; an order that only rests (one outcome) has nothing to settle."""
    out: list[Outcome] = []
    bound = take_bound(w, inst, order) if order.order_type == MARKET else 0
    if w.ranges:
        bound = within_range(w, engine, inst, order, bound)
    engine.submit(order, out, bound)
    w.touched_ns[inst.id] = w.time_ns
    if len(out) > 1 or (out and order.level is None):
        settle(w, inst, out)
    if account.reduce_only_orders and order.level is not None:
        trim_reduce_only(w, account, inst.id)


def fire_stops(w: World, engine: MatchingEngine, inst: Instrument) -> None:
    """Enter fired trigger orders one by one; each is checked again and settled before the next.

    Nothing fires while the instrument is not trading: the orders stay armed.
    """
    if w.status[inst.id] != TRADING:
        return
    for _ in range(STOPS_PER_COMMAND_MAX):
        order = engine.next_triggered()
        if order is None:
            return
        account = w.accounts[order.account]
        account.trigger_orders -= 1
        if account.open_counts is not None:
            account.open_counts[inst.id][1] -= 1
        trigger, order.trigger = order.trigger, 0
        name = order.order_id, account.id, inst.id, order.client_order_id
        w.out.append((5, *name, trigger))
        price, leaves = order.price, order.leaves
        reason = state_refusal(account, inst, order) or post_only(engine, order)
        if order.price != price:
            w.out.append((4, *name, order.price, leaves, 0))
        pay = afford if account.parent < 0 else isolated.afford
        reason = reason or pay(w, engine, inst, account, order)
        if reason:
            order.leaves = order.shown = 0
            finish(account, order)
            w.out.append((3, *name, leaves, 0, WHY_ENDED.get(reason, NO_FUNDS)))
            continue
        if order.leaves < leaves:
            cut = leaves - order.leaves
            w.out.append((3, *name, cut, order.leaves, int(CancelReason.REDUCE_ONLY)))
        _match(w, engine, inst, account, order)


def owned_order(w: World, c: Command) -> Order | None:
    """The open order that a cancel or replace names, or a refusal."""
    account_id, client_id = c[2], c[3]
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        reject(w, c, R.UNKNOWN_ACCOUNT)
        return None
    order = open_order(w, w.accounts[account_id], client_id)
    if order is None:
        reject(w, c, R.UNKNOWN_ORDER)
    elif w.order_rates and c[0] == REPLACE and over_rate(w, w.accounts[order.account]):
        reject(w, c, R.ACCOUNT_ORDER_RATE)
        return None
    return order


def cancel_order(w: World, c: Command) -> None:
    """Cancel one open order; allowed in every instrument status."""
    order = owned_order(w, c)
    if order is not None:
        cancel(w, order, USER)


def cancel(w: World, order: Order, reason: int) -> None:
    """Take an open order off the market and give back its hold.

    As ``settle`` would do with the one outcome, without the way through it (0.5 us of 2.4).
    """
    account, inst, qty = w.accounts[order.account], w.instruments[order.instrument], order.leaves
    w.engines[inst.id].cancel(order, reason, [])
    w.touched_ns[inst.id] = w.time_ns
    release_all(w, inst, account, order)
    finish(account, order)
    w.out.append((3, order.order_id, account.id, inst.id, order.client_order_id, qty, 0, reason))


def mass_cancel(w: World, c: Command) -> None:
    """Cancel an account's open orders in the order in which they were entered."""
    _, _, account_id, instrument, side = c
    named = (c[0], c[1], account_id, 0)
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        return reject(w, named, R.UNKNOWN_ACCOUNT)
    if not -1 <= instrument < len(w.instruments):
        return reject(w, named, R.UNKNOWN_INSTRUMENT)
    if not -1 <= side <= 1:
        return reject(w, named, R.MALFORMED)
    for order in open_orders(w, w.accounts[account_id]):
        if instrument in (-1, order.instrument) and side in (-1, order.side):
            cancel(w, order, MASS)
    return None


def replace_order(w: World, c: Command) -> None:
    """Change price or open quantity.

    What a new order would be refused for, a replace is too; only shrinking in place is always
    allowed while the instrument takes orders.
    """
    order = owned_order(w, c)
    if order is None:
        return None
    _, _, _, _, price, qty = c
    account, inst = w.accounts[order.account], w.instruments[order.instrument]
    price, qty = price or order.price, order.leaves if qty == -1 else qty
    if qty == 0:
        return cancel(w, order, USER)
    if w.status[inst.id] in (HALT, CANCEL_ONLY):
        return reject(w, c, status_refusal(w.status[inst.id], order))
    if qty < 0:
        return reject(w, c, R.BAD_QTY)
    engine = w.engines[inst.id]
    if price != order.price or qty > order.leaves:
        reference = filter_price(w, inst, price)
        reason = w.specs[inst.id].filters.check_replace(order, price, qty, reference)
        if not reason:
            if reprice(w, engine, inst, account, order, price, qty):
                if engine.stops.orders:
                    fire_stops(w, engine, inst)
                return None
            reason, price = _recheck(w, engine, inst, account, order, price, qty)
        if reason:
            return reject(w, c, reason)
    out: list[Outcome] = []
    bound = 0
    if w.ranges:
        old, order.price = order.price, price
        bound = within_range(w, engine, inst, order, 0)
        order.price = old
    kept = engine.replace(order, price, qty, out, bound)
    w.touched_ns[inst.id] = w.time_ns
    w.out.append(
        (4, order.order_id, account.id, inst.id, order.client_order_id, price, qty, int(kept))
    )
    if kept:
        change_hold(w, inst, account, order, order.leaves)
    settle(w, inst, out)
    if account.reduce_only_orders and order.level is not None:
        trim_reduce_only(w, account, inst.id)
    if engine.stops.orders:
        fire_stops(w, engine, inst)
    return None


def _recheck(
    w: World,
    engine: MatchingEngine,
    inst: Instrument,
    account: Account,
    order: Order,
    price: int,
    qty: int,
) -> tuple[int, int]:
    """Judge an order at its new terms and swap its hold; nothing has changed when it is refused.

    Returns the reason or 0, and the price, which a sliding post-only order may not get as asked.
    """
    old = order.price, order.leaves, order.qty, order.shown
    held, level = order.reserved, order.level
    armed = order.order_type >= STOP_MARKET
    if not armed:
        release_all(w, inst, account, order)
    order.price, order.leaves, order.qty, order.level = price, qty, qty, None
    reason = state_refusal(account, inst, order)
    if not armed:
        reason = reason or post_only(engine, order)
        pay = afford if account.parent < 0 else isolated.afford
        reason = reason or pay(w, engine, inst, account, order)
        if not reason and order.leaves != qty:
            reason = R.REDUCE_ONLY_REJECTED
    price = order.price
    order.price, order.leaves, order.qty, order.shown = old
    order.level = level
    if reason and not armed:
        _hold_again(w, inst, account, order, held)
    return reason, price


def _hold_again(w: World, inst: Instrument, account: Account, order: Order, held: int) -> None:
    """Hold what an order held before a change that was refused."""
    order.reserved = held
    if inst.perpetual:
        account.order_margin += held
    else:
        w.ledger.reserved[account.id][inst.base if order.side == SELL else inst.quote] += held
