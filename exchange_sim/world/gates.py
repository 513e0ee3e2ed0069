"""Refusals of an order that need no money: venue, status, filters, state of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import MarginBand, RejectReason
from exchange_sim.model.account import Account
from exchange_sim.model.enums import (
    FLAG_FORCED,
    FLAG_MARK_TRIGGER,
    FLAG_PRICE_PROTECT,
    FLAG_REDUCE_ONLY,
    FLAG_SLIDE,
    FOK,
    IOC,
    MARKET,
    SELL,
    InstrumentKind,
    InstrumentStatus,
    StpMode,
)
from exchange_sim.model.instrument import Instrument
from exchange_sim.model.order import Order
from exchange_sim.world.modes import flag_refusal
from exchange_sim.world.order_rates import over_rate
from exchange_sim.world.pretrade import resting_lots
from exchange_sim.world.price_range import filter_price

if TYPE_CHECKING:
    from exchange_sim.world.world import World

R = RejectReason
REDUCE_ONLY_BAND = int(MarginBand.REDUCE_ONLY)
TRADING, HALT = int(InstrumentStatus.TRADING), int(InstrumentStatus.HALT)
CANCEL_ONLY = int(InstrumentStatus.CANCEL_ONLY)
USER_FLAGS = FLAG_REDUCE_ONLY | FLAG_SLIDE | FLAG_MARK_TRIGGER | FLAG_PRICE_PROTECT | FLAG_FORCED
TRANSFER = int(StpMode.TRANSFER)


def entry_refusal(w: World, account: Account, inst: Instrument, flags: int) -> int:
    """Refusals of the rarer kind: the account entered too many orders, or its flags are not its."""
    if w.order_rates and over_rate(w, account):
        return R.ACCOUNT_ORDER_RATE
    return flag_refusal(account, inst, flags, USER_FLAGS) if flags & ~USER_FLAGS else 0


def gate(w: World, account: Account, inst: Instrument, order: Order) -> int:
    """Refusals that need no money: venue, status, filters, account state, duplicates."""
    if account.venue != inst.venue:
        return R.WRONG_VENUE
    if order.stp_mode == TRANSFER and (
        inst.perpetual or not w.venues[inst.venue].spec.stp_transfer
    ):
        return R.STP_MODE_NOT_OFFERED
    if w.status[inst.id] != TRADING:
        reason = status_refusal(w.status[inst.id], order)
        if reason:
            return reason
    filters = w.specs[inst.id].filters
    open_orders, armed = len(account.orders), account.trigger_orders
    if open_orders >= filters.orders_max or armed >= filters.algo_orders_max:
        open_orders, armed = account.open_in(inst.id)
    reference = filter_price(w, inst, order.price)
    reason = filters.check(order, reference, open_orders, armed, w.time_ns)
    if reason:
        return reason
    if order.flags & FLAG_REDUCE_ONLY and not inst.perpetual:
        return R.INVALID_COMBINATION
    if account.band or account.liquidating:
        reason = state_refusal(account, inst, order)
        if reason:
            return reason
    if order.client_order_id in account.orders:
        return R.DUPLICATE_CLIENT_ORDER_ID
    return 0


def state_refusal(account: Account, inst: Instrument, order: Order) -> int:
    """Why an account under a margin call or in liquidation may not enter this order; else 0."""
    if account.liquidating:
        return R.ACCOUNT_IN_LIQUIDATION
    if account.band >= REDUCE_ONLY_BAND and not reduces(account, inst, order):
        return R.ACCOUNT_REDUCE_ONLY
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
    """Whether an order can only shrink risk: it closes part of a position or sells a held asset.

    What already rests on the closing side counts first, so that orders cannot add up to a flip.
    """
    if order.flags & FLAG_REDUCE_ONLY:
        return True
    if inst.kind == InstrumentKind.SPOT:
        return order.side == SELL
    position = account.positions.get(inst.id)
    if position is not None and position.legs is not None:
        return False
    held = position.qty if position else 0
    room = (held if order.side == SELL else -held) - resting_lots(account, inst, order.side)
    return 0 < order.qty <= room
