"""Orders: checks in a fixed precedence, then hold, match, settle, and the stops that were fired.

The precedence of refusals is the order of the checks in ``new_order``: gateway (1xx), instrument
and filters (2xx), account state and margin (3xx), matching (4xx).  Every refusal is one
``OrderRejected`` event and changes nothing else.

Simplifications
---------------
The hold of a perpetual order is its full initial margin, whether or not it would close a position,
and buys and sells are not netted; reduce-only orders hold nothing.  Cash must be there for spot
orders in every account mode: the venue lends by itself only to cover losses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.limits import STOPS_PER_COMMAND_MAX
from exchange_sim.matching.outcomes import Outcome
from exchange_sim.messages.reasons import CancelReason, MarginBand, RejectReason
from exchange_sim.model.account import CASH, Account
from exchange_sim.model.enums import (
    BUY,
    FLAG_FORCED,
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    FLAG_REDUCE_ONLY,
    FLAG_SLIDE,
    FOK,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP_MARKET,
    InstrumentKind,
    InstrumentStatus,
    OrderType,
    StpMode,
    TimeInForce,
)
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.units import PPM
from exchange_sim.world.margin import available_margin
from exchange_sim.world.settlement import (
    change_hold,
    finish,
    hold_for,
    release_all,
    settle,
    trim_reduce_only,
)

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.world.world import World

Command = tuple[int, ...]
USER_FLAGS = FLAG_REDUCE_ONLY | FLAG_SLIDE | FLAG_MARK_TRIGGER | FLAG_PRICE_PROTECT | FLAG_FORCED
R = RejectReason
ORDER_TYPES, TIMES_IN_FORCE = range(len(OrderType)), range(len(TimeInForce))
STP_MODES = range(len(StpMode))
REDUCE_ONLY_BAND = int(MarginBand.REDUCE_ONLY)
USER, MASS, EXPIRED = int(CancelReason.USER), int(CancelReason.MASS), int(CancelReason.EXPIRED)
NO_FUNDS = int(CancelReason.INSUFFICIENT_FUNDS)
NO_POSITION = int(CancelReason.REDUCE_ONLY)
TRADING, HALT = int(InstrumentStatus.TRADING), int(InstrumentStatus.HALT)
CANCEL_ONLY = int(InstrumentStatus.CANCEL_ONLY)


def new_order(w: World, c: Command) -> None:
    """Check, hold, match, settle.  See the module docstring for the precedence of refusals."""
    (_, _, account_id, instrument, client_id, side, kind, tif, price, qty, display, trigger,
     trailing, flags, stp, expire_ns) = c  # fmt: skip
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        return reject(w, c, R.UNKNOWN_ACCOUNT)
    if not 0 <= instrument < len(w.instruments):
        return reject(w, c, R.UNKNOWN_INSTRUMENT)
    account, inst = w.accounts[account_id], w.instruments[instrument]
    if client_id <= 0 or flags & ~USER_FLAGS or side not in (0, 1) or stp not in STP_MODES:
        return reject(w, c, R.MALFORMED)
    if kind not in ORDER_TYPES or tif not in TIMES_IN_FORCE:
        return reject(w, c, R.MALFORMED)
    order = Order(
        w.next_order_id, account_id, instrument, client_id, side, kind, tif, price, qty,
        display, trigger, trailing, flags, stp, expire_ns,
    )  # fmt: skip
    reason = gate(w, account, inst, order)
    if reason:
        return reject(w, c, reason)
    engine = w.engines[instrument]
    if kind <= MARKET:
        reason = afford(w, engine, inst, account, order)
        if reason:
            return reject(w, c, reason)
    w.next_order_id += 1
    account.orders[client_id] = order
    if flags & FLAG_REDUCE_ONLY:
        account.reduce_only_orders += 1
    w.out.append(
        (1, order.order_id, account_id, instrument, client_id, side, kind, tif, price, order.qty,
         display, trigger, flags)
    )  # fmt: skip
    if kind > MARKET:
        account.trigger_orders += 1
    if tif == GTD:
        w.venues[inst.venue].gtd.append((expire_ns, account_id, client_id))
    execute(w, engine, inst, account, order)
    return None


def reject(w: World, c: Command, reason: int) -> None:
    """Refuse a command about an order; nothing else changes."""
    instrument, client_id = (c[3], c[4]) if c[0] == 1 else (-1, c[3])
    w.out.append((2, c[2], instrument, client_id, int(reason), c[0]))


def gate(w: World, account: Account, inst: Instrument, order: Order) -> int:
    """Refusals that need no money: venue, status, filters, account state, duplicates."""
    if account.venue != inst.venue:
        return R.WRONG_VENUE
    if w.status[inst.id] != TRADING:
        reason = status_refusal(w.status[inst.id], order)
        if reason:
            return reason
    reason = w.specs[inst.id].filters.check(
        order, w.last_prices[inst.id], len(account.orders), account.trigger_orders, w.time_ns
    )
    if reason:
        return reason
    if order.flags & FLAG_REDUCE_ONLY and w.brackets[inst.id] is None:
        return R.INVALID_COMBINATION
    if account.liquidating:
        return R.ACCOUNT_IN_LIQUIDATION
    if account.band >= REDUCE_ONLY_BAND and not reduces(account, inst, order):
        return R.ACCOUNT_REDUCE_ONLY
    if order.client_order_id in account.orders:
        return R.DUPLICATE_CLIENT_ORDER_ID
    return 0


def status_refusal(status: int, order: Order) -> int:
    """Why an instrument that is not trading refuses an order; 0 in an auction that takes it."""
    if status == HALT:
        return R.INSTRUMENT_HALTED
    if status == CANCEL_ONLY:
        return R.CANCEL_ONLY
    if order.order_type == MARKET or order.time_in_force in (IOC, FOK):
        return R.AUCTION_LIMIT_ONLY
    return 0


def reduces(account: Account, inst: Instrument, order: Order) -> bool:
    """Whether an order can only shrink risk: it closes part of a position or sells a held asset."""
    position = account.positions.get(inst.id)
    if position is None:
        return order.side == SELL and inst.kind == InstrumentKind.SPOT
    return 0 < order.qty <= (position.qty if order.side == SELL else -position.qty)


def afford(
    w: World, engine: MatchingEngine, inst: Instrument, account: Account, order: Order
) -> int:
    """Reserve what the order may cost; 0 when it can be paid for, else the reason.

    A reduce-only order is clipped to the position here.  The check counts the loss that a fill away
    from the mark would realize, so that no order of its own can make an account liquidatable
    (RISK-1).
    """
    if w.brackets[inst.id] is None:
        return _afford_spot(w, engine, inst, account, order)
    if order.flags & FLAG_REDUCE_ONLY:
        return _clip_reduce_only(account, inst, order)
    if account.mode == CASH:
        return R.INSUFFICIENT_MARGIN
    position = account.positions.get(inst.id)
    held = position.qty if position else 0
    if 0 < order.leaves <= (held if order.side == SELL else -held):
        closing = order.leaves
    else:
        closing = 0
    qty, price = order.leaves, order.price
    if order.order_type == LIMIT:
        notional = price * qty * inst.unit_value
    else:
        filled, total = engine.book.cost(1 - order.side, qty)
        notional = total * inst.unit_value
        qty = filled
    at_mark = qty * w.marks[inst.id] * inst.unit_value // PPM
    loss = notional - at_mark if order.side == BUY else at_mark - notional
    need = (max(0, loss)) + -(-notional * account.taker_ppm // PPM)
    if not closing:
        leverage = position.leverage if position else 0
        table = w.brackets[inst.id]
        assert table is not None
        margin = -(-notional // (leverage or w.specs[inst.id].default_leverage))
        exposure = abs(held) * w.marks[inst.id] * inst.unit_value // PPM + notional
        if (leverage or w.specs[inst.id].default_leverage) > table.leverage[0]:
            return R.LEVERAGE_LIMIT
        if exposure > table.floors[-1] and table.max_leverage(exposure) < 2:
            return R.POSITION_LIMIT
        need += margin
    if need > available_margin(w, account):
        return R.INSUFFICIENT_MARGIN
    if order.order_type == LIMIT:
        hold = hold_for(w, inst, account, order, order.leaves)
        order.reserved = hold
        account.order_margin += hold
    return 0


def _clip_reduce_only(account: Account, inst: Instrument, order: Order) -> int:
    """Cut a reduce-only order down to what still rests uncovered of the position, or refuse it."""
    position = account.positions.get(inst.id)
    held = position.qty if position else 0
    room = held if order.side == SELL else -held
    for other in account.orders.values():
        if other.instrument == inst.id and other.side == order.side and other.level is not None:
            room -= other.leaves
    if room <= 0:
        return R.REDUCE_ONLY_REJECTED
    if order.leaves > room:
        order.qty = order.leaves = order.shown = room
    return 0


def _afford_spot(
    w: World, engine: MatchingEngine, inst: Instrument, account: Account, order: Order
) -> int:
    """Reserve base or quote; a unified account must also afford the haircut of what it buys."""
    ledger, id = w.ledger, account.id
    if order.side == SELL:
        asset, amount = inst.base, order.leaves * inst.lot_units
    elif order.order_type == LIMIT:
        asset, amount = inst.quote, hold_for(w, inst, account, order, order.leaves)
    else:
        asset = inst.quote
        _, total = engine.book.cost(SELL, order.leaves)
        cost = total * inst.unit_value
        amount = cost + -(-cost * account.taker_ppm // PPM)
    if ledger.posted[id][asset] - ledger.reserved[id][asset] < amount:
        return R.INSUFFICIENT_BALANCE
    if account.mode != CASH and (account.positions or account.loans):
        if _collateral_loss(w, inst, order, amount) > available_margin(w, account):
            return R.INSUFFICIENT_MARGIN
    if order.order_type == LIMIT:
        ledger.reserved[id][asset] += amount
        order.reserved = amount
    return 0


def _collateral_loss(w: World, inst: Instrument, order: Order, amount: int) -> int:
    """How much equity an exchange of ``amount`` may cost a unified account, rounded up.

    What is given up counted at most in full; what is received counts by its haircut, and the fill
    may be worse than the collateral price.  An upper bound: tiers are taken at their last ratio.
    """
    venue = w.venues[inst.venue]
    given, got = (inst.base, inst.quote) if order.side == SELL else (inst.quote, inst.base)
    scale = w.config.assets[given].asset.scale * PPM
    value_given = -(-amount * venue.asset_prices[given] // scale)
    if order.side == SELL:
        price = order.price or 0
        received = price * order.leaves * inst.unit_value
        if order.order_type == MARKET:
            received = w.engines[inst.id].book.cost(BUY, order.leaves)[1] * inst.unit_value
    else:
        received = order.leaves * inst.lot_units
    scale = w.config.assets[got].asset.scale * PPM
    value_got = received * venue.asset_prices[got] // scale
    table = venue.spec.collateral.get(got)
    counted = min(ratio for _, ratio in table.tiers) * value_got // PPM if table else 0
    return max(0, value_given - counted)


def execute(
    w: World,
    engine: MatchingEngine,
    inst: Instrument,
    account: Account,
    order: Order,
    bound: int = 0,
) -> None:
    """Match an order whose hold is in place, settle it, and run the stops that it fired."""
    if not bound and order.order_type == MARKET and w.specs[inst.id].market_take_bound_ppm:
        bound = take_bound(w, inst, order.side)
    out: list[Outcome] = []
    engine.submit(order, out, bound)
    if out:
        settle(w, inst, out)
    if account.reduce_only_orders and order.level is not None:
        trim_reduce_only(w, account, inst.id)
    if engine.stops.orders:
        fire_stops(w, engine, inst)


def take_bound(w: World, inst: Instrument, side: int) -> int:
    """The worst price for a market order: mark -+ the take bound, rounded towards the mark."""
    ratio = w.specs[inst.id].market_take_bound_ppm
    mark = w.marks[inst.id]
    if side == BUY:
        return mark * (PPM + ratio) // (PPM * PPM)
    return max(1, -(-mark * (PPM - ratio) // (PPM * PPM)))


def fire_stops(w: World, engine: MatchingEngine, inst: Instrument) -> None:
    """Enter fired trigger orders one by one; each is checked again and settled before the next."""
    for _ in range(STOPS_PER_COMMAND_MAX):
        order = engine.next_triggered()
        if order is None:
            return
        account = w.accounts[order.account]
        account.trigger_orders -= 1
        trigger, order.trigger = order.trigger, 0
        w.out.append((5, order.order_id, account.id, inst.id, order.client_order_id, trigger))
        reason = afford(w, engine, inst, account, order)
        if reason:
            why = NO_POSITION if reason == R.REDUCE_ONLY_REJECTED else NO_FUNDS
            finish(account, order)
            w.out.append(
                (
                    3,
                    order.order_id,
                    account.id,
                    inst.id,
                    order.client_order_id,
                    order.leaves,
                    0,
                    why,
                )
            )
            continue
        out: list[Outcome] = []
        bound = 0
        if order.order_type == MARKET and w.specs[inst.id].market_take_bound_ppm:
            bound = take_bound(w, inst, order.side)
        engine.submit(order, out, bound)
        settle(w, inst, out)


def owned_order(w: World, c: Command) -> Order | None:
    """The open order that a cancel or replace names, or a refusal."""
    account_id, client_id = c[2], c[3]
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        reject(w, c, R.UNKNOWN_ACCOUNT)
        return None
    order = w.accounts[account_id].orders.get(client_id)
    if order is None:
        reject(w, c, R.UNKNOWN_ORDER)
    return order


def cancel_order(w: World, c: Command) -> None:
    """Cancel one open order; allowed in every instrument status."""
    order = owned_order(w, c)
    if order is not None:
        cancel(w, order, USER)


def cancel(w: World, order: Order, reason: int) -> None:
    """Take an open order off the market and give back its hold."""
    out: list[Outcome] = []
    w.engines[order.instrument].cancel(order, reason, out)
    settle(w, w.instruments[order.instrument], out)


def mass_cancel(w: World, c: Command) -> None:
    """Cancel an account's open orders in the order in which they were entered."""
    _, _, account_id, instrument, side = c
    if not 0 <= account_id < len(w.accounts) or w.accounts[account_id].owner < 0:
        return reject(w, (c[0], c[1], account_id, 0), R.UNKNOWN_ACCOUNT)
    for order in list(w.accounts[account_id].orders.values()):
        if instrument in (-1, order.instrument) and side in (-1, order.side):
            cancel(w, order, MASS)
    return None


def replace_order(w: World, c: Command) -> None:
    """Change price or open quantity.  What a new order would be refused for, a replace is too."""
    order = owned_order(w, c)
    if order is None:
        return None
    _, _, account_id, _, price, qty = c
    account, inst = w.accounts[account_id], w.instruments[order.instrument]
    price, qty = price or order.price, order.leaves if qty == -1 else qty
    if qty == 0:
        return cancel(w, order, USER)
    if qty < 0:
        return reject(w, c, R.BAD_QTY)
    if w.status[inst.id] in (HALT, CANCEL_ONLY):
        return reject(w, c, R.INSTRUMENT_HALTED if w.status[inst.id] == HALT else R.CANCEL_ONLY)
    keeps = price == order.price and qty <= order.leaves
    if not keeps:
        reason = w.specs[inst.id].filters.check_replace(order, price, qty, w.last_prices[inst.id])
        reason = reason or (R.ACCOUNT_IN_LIQUIDATION if account.liquidating else 0)
        reason = reason or _afford_replace(w, account, inst, order, price, qty)
        if reason:
            return reject(w, c, reason)
    out: list[Outcome] = []
    engine = w.engines[inst.id]
    kept = engine.replace(order, price, qty, out)
    if out and out[0][0] == 5:
        _restore_hold(w, account, inst, order)
        return reject(w, c, out[0][2])
    w.out.append(
        (4, order.order_id, account_id, inst.id, order.client_order_id, price, qty, int(kept))
    )
    if kept:
        change_hold(w, inst, account, order, order.leaves)
    settle(w, inst, out)
    if account.reduce_only_orders and order.level is not None:
        trim_reduce_only(w, account, inst.id)
    if engine.stops.orders:
        fire_stops(w, engine, inst)
    return None


def _afford_replace(
    w: World, account: Account, inst: Instrument, order: Order, price: int, qty: int
) -> int:
    """Swap the hold of an order for that of its new terms; unchanged when refused."""
    if order.order_type >= STOP_MARKET:
        return 0
    old = (order.price, order.leaves, order.qty, order.shown)
    release_all(w, inst, account, order)
    order.price, order.leaves, order.qty = price, qty, order.qty - order.leaves + qty
    level, order.level = order.level, None
    reason = afford(w, w.engines[inst.id], inst, account, order)
    clipped = order.leaves != qty
    order.level = level
    order.price, order.leaves, order.qty, order.shown = old
    if clipped and not reason:
        reason = R.REDUCE_ONLY_REJECTED
    if reason:
        _restore_hold(w, account, inst, order)
    return reason


def _restore_hold(w: World, account: Account, inst: Instrument, order: Order) -> None:
    """Hold again what the order's present terms need, after a refused change."""
    release_all(w, inst, account, order)
    hold = hold_for(w, inst, account, order, order.leaves)
    order.reserved = hold
    if w.brackets[inst.id] is not None:
        account.order_margin += hold
    else:
        w.ledger.reserved[account.id][inst.base if order.side == SELL else inst.quote] += hold


def expire_orders(w: World, c: Command) -> None:
    """Remove the GTD orders of a venue whose time has come, in the order of their expiry."""
    venue = w.venues[c[2]]
    due = sorted(entry for entry in venue.gtd if entry[0] <= w.time_ns)
    if not due:
        return
    venue.gtd = [entry for entry in venue.gtd if entry[0] > w.time_ns]
    for expire_ns, account_id, client_id in due:
        order = w.accounts[account_id].orders.get(client_id)
        if order is not None and order.expire_ns == expire_ns:
            cancel(w, order, EXPIRED)
