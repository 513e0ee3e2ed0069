"""Slow return of a maker to flat inventory, partly by hedging in another market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL, StpMode
from exchange_sim.strategy.api import Strategy
from strategies.pair import Pair

_STP: Final = int(StpMode.EXPIRE_MAKER)


@attrs.frozen
class UnwindParams:
    """``per_s`` of the inventory leaves, in one order every ``interval_s``; 0 switches it off.

    Only above ``start`` of the limit (when all makers are long, the orders only pass the parcel on
    and push the price); slower by ``outage_factor`` during an outage.  The share
    ``hedge`` is traded in ``hedge_symbol`` (which must be one of the maker's pairs) instead of the
    own market. ``slippage`` times beta bounds the price.
    """

    per_s: float = 0.003
    interval_s: float = 10.0
    start: float = 0.6
    outage_factor: float = 0.55
    slippage: float = 0.005
    hedge: float = 1.0 / 3.0
    hedge_symbol: str = ""


def unwind(
    owner: Strategy, params: UnwindParams, pairs: Sequence[Pair], seconds: float, outage: bool
) -> None:
    """Send the orders that are due after ``seconds`` for these pairs."""
    share = params.per_s * seconds * (params.outage_factor if outage else 1.0)
    hedge = next((pair for pair in pairs if pair.params.symbol == params.hedge_symbol), None)
    if hedge is not None and not hedge.fair_ticks:
        hedge = None
    for pair in pairs:
        if abs(pair.inventory) < params.start:
            continue
        lots = pair.inventory * pair.limit_lots * share
        if hedge is None or hedge is pair:
            _take(owner, params, pair, lots)
            continue
        _take(owner, params, pair, lots * (1.0 - params.hedge))
        ratio = pair.lot_value() / hedge.lot_value()
        # a hedge is no inventory: it must not skew the quotes of the market that it is made in
        hedge.base_lots -= _take(owner, params, hedge, lots * params.hedge * ratio)


def _take(owner: Strategy, params: UnwindParams, pair: Pair, lots: float) -> int:
    """Sell (buy when negative) within the price bound; returns the lots ordered, signed."""
    slip = params.slippage * pair.params.beta
    side, factor = (SELL, 1.0 - slip) if lots > 0 else (BUY, 1.0 + slip)
    qty = int(abs(lots))
    if qty < pair.min_lots():
        return 0
    owner.submit(pair.market, side, qty, int(pair.fair_ticks * factor), LIMIT, IOC, stp_mode=_STP)
    return qty if side == SELL else -qty
