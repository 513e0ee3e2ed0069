"""Self-trade prevention against the real book."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import InputError, Inputs, Results, rule
from exchange_sim.analysis.rules.market import (
    MAKER_ACCOUNT,
    TAKER_ACCOUNT,
    Market,
    status,
)
from exchange_sim.matching.outcomes import TRADE, Outcome
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import BUY, MARKET, SELL, OrderType, StpMode, TimeInForce

_STP = int(CancelReason.STP)
_TRANSFER = "TRANSFER"


def effective_mode(taker_mode: str, maker_mode: str) -> str:
    """The mode that two orders meet under: the taker's.

    TRANSFER (documented from 2026) needs both sides; against any other mode it is DECREMENT.
    """
    if _TRANSFER in (taker_mode, maker_mode) and taker_mode != maker_mode:
        return StpMode.DECREMENT.name if taker_mode == _TRANSFER else taker_mode
    return taker_mode


@rule("binance.spot.stp", "binance.um.stp", "binance.stp", "bybit.smp")
def self_trade(given: Inputs) -> Results:
    """A taker meets resting orders of its own account (or of another, for comparison)."""
    if given.has("taker_mode"):
        mode = effective_mode(given.text("taker_mode"), given.text("maker_mode", default="NONE"))
        return {"effective_mode": mode}
    taker_in, makers_in = given.sub("taker"), given.subs("makers", "maker")
    side = BUY if taker_in.side(default=-1) == 1 else SELL
    price = taker_in.num("price", default=0)
    market = Market(
        [price, *(maker.num("price") for maker in makers_in)],
        [taker_in.num("qty"), *(maker.num("qty") for maker in makers_in)],
    )
    owner = TAKER_ACCOUNT if given.flag("same_account", default=True) else MAKER_ACCOUNT
    makers = [
        market.rest(
            _opposite(maker, side), maker.num("price"), maker.num("qty"), _owner(maker, owner)
        )
        for maker in makers_in
    ]
    mode = taker_in.text("stp", "selfTradePreventionMode", "mode", default="NONE").upper()
    if mode not in StpMode.__members__:
        raise InputError(f"{taker_in.path}: unknown self-trade prevention mode {mode}")
    kind = OrderType[taker_in.text("type", default="LIMIT" if price else "MARKET").upper()]
    taker = market.order(
        side,
        Fraction(0) if kind == MARKET else price,
        taker_in.num("qty"),
        order_type=int(kind),
        tif=int(TimeInForce[taker_in.text("tif", default="GTC").upper()]),
        stp=int(StpMode[mode]),
    )
    out: list[Outcome] = []
    market.engine.submit(taker, out)
    back, resting = market.lots.back, taker.level is not None
    return {
        "maker_status": [status(maker, out) for maker in makers],
        "prevented": [market.removed(maker, out, reason=_STP) for maker in makers],
        "maker_available": back(makers[0].leaves)
        if len(makers) == 1
        else [back(maker.leaves) for maker in makers],
        "taker_status": status(taker, out),
        "taker_prevented": market.removed(taker, out, reason=_STP),
        "taker_resting_qty": back(taker.leaves) if resting else Fraction(0),
        "trades": sum(outcome[0] == TRADE for outcome in out),
        "fills": market.fills(out),
        "executed": sum((qty for _, qty in market.fills(out)), Fraction(0)),
    }


def _opposite(maker: Inputs, side: int) -> int:
    if not maker.has("side"):
        return 1 - side
    return BUY if maker.side("side") == 1 else SELL


def _owner(maker: Inputs, default: int) -> int:
    if not maker.has("same_account"):
        return default
    return TAKER_ACCOUNT if maker.flag("same_account") else MAKER_ACCOUNT
