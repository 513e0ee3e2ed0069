"""Rules of a venue in words: why an account ended as it did, and how it was deleveraged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exchange_sim.messages.reasons import LiquidationAction, LiquidationOutcome
from exchange_sim.risk import profile as p
from exchange_sim.risk.profile import Profile

PRICES: Final = {
    p.BANKRUPTCY: "bankruptcy price",
    p.BANKRUPTCY_NEAR_MARK: "bankruptcy price, or the mark if too far away",
    p.AT_MARK: "mark price",
    p.PREVIOUS_MARK: "previous mark price",
}
RANKS: Final = {
    p.LEVERAGED_PNL: "profit on the wallet times margin ratio",
    p.PNL_LEVERAGE: "profit times leverage",
    p.GAIN_LEVERAGE: "mark over entry times leverage",
}
TRIGGERS: Final = {
    p.FUND_SHORT: "the insurance fund cannot pay",
    p.FUND_EXHAUSTED: "fund and account together are worth nothing",
    p.FUND_DROP: "the fund cannot pay or fell too far from its peak",
    p.SYMBOL_DRAWDOWN: "losses of the instrument used up the fund",
    p.NEGATIVE_EQUITY: "account value below zero",
}
_STEPS: Final = {
    LiquidationAction.SELL_ASSET: "sales of assets",
    LiquidationAction.BUY_LIABILITY: "purchases of what was owed",
    LiquidationAction.REDUCE_POSITION: "reductions",
    LiquidationAction.REDUCE_BY_TIER: "reductions by bracket",
    LiquidationAction.REDUCE_BY_SHARE: "reductions by a share",
    LiquidationAction.ADL: "positions deleveraged",
}


def steps_in_words(steps: Mapping[int, int]) -> str:
    """``2 reductions by bracket, 1 sales of assets``; empty when nothing traded."""
    return ", ".join(f"{steps[k]} {word}" for k, word in _STEPS.items() if steps.get(k))


def ending(profile: Profile, outcome: int, steps: Mapping[int, int]) -> str:
    """By which rule of its venue a liquidation ended."""
    if outcome == LiquidationOutcome.RECOVERED:
        return "stopped early: equity covers the maintenance margin again"
    if outcome == LiquidationOutcome.CLOSED:
        absorbing = profile.margin.kind == "absorbing"
        return "everything went through the book" + (", which nothing stops" if absorbing else "")
    if outcome == LiquidationOutcome.BACKSTOP:
        above, below = profile.takeover.share
        return f"equity below {above}/{below} of maintenance: the backstop vault took it"
    if outcome == LiquidationOutcome.DELEVERAGED:
        return f"deleveraged at the {PRICES[profile.adl_price.kind]}: the rest is the owner's"
    if steps.get(LiquidationAction.ADL):
        cause = TRIGGERS[profile.adl_trigger.kind]
        return f"{cause}: deleveraged at the {PRICES[profile.adl_price.kind]}"
    if outcome == LiquidationOutcome.TAKEN_OVER and profile.ladder.last == p.TAKEOVER:
        return "no step of the ladder was left: taken over at the bankruptcy price"
    return "net worth gone: taken over, the fund pays what is missing"


def adl_rule(profile: Profile) -> str:
    """Price and order of the ADL of a venue."""
    price, rank = PRICES[profile.adl_price.kind], RANKS[profile.adl_rank.kind]
    return f"at the {price}, by {rank}"
