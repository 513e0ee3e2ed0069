"""By which rule an account ended, in words that name the rule of its venue."""

from __future__ import annotations

import pytest

from exchange_sim.eventlog import rule_words as words
from exchange_sim.eventlog.rule_words import adl_rule, ending, steps_in_words
from exchange_sim.messages.reasons import LiquidationAction, LiquidationOutcome
from exchange_sim.risk import profile as core
from exchange_sim.risk.profiles import BINANCE, BYBIT, HYPERLIQUID, OKX, PROFILES

End = LiquidationOutcome
ADL = {int(LiquidationAction.ADL): 2}


@pytest.mark.parametrize(
    ("profile", "outcome", "steps", "said"),
    [
        (BINANCE, End.CLOSED, {}, "which nothing stops"),
        (OKX, End.RECOVERED, {}, "stopped early"),
        (OKX, End.BANKRUPT, ADL, "deleveraged at the mark price"),
        (BYBIT, End.TAKEN_OVER, {}, "no step of the ladder was left"),
        (BYBIT, End.BANKRUPT, ADL, "fund and account together are worth nothing"),
        (HYPERLIQUID, End.BACKSTOP, {}, "below 2/3 of maintenance"),
        (HYPERLIQUID, End.DELEVERAGED, ADL, "previous mark price"),
        (BINANCE, End.BANKRUPT, {}, "the fund pays what is missing"),
    ],
)
def test_an_ending_names_its_rule(profile, outcome, steps, said):
    """The same outcome has other words under other rules."""
    assert said in ending(profile, outcome, steps)


def test_steps_are_counted_by_what_they_are():
    """In the order of the waterfall; nothing that did not happen."""
    steps = {int(LiquidationAction.REDUCE_BY_TIER): 2, int(LiquidationAction.SELL_ASSET): 1}
    assert steps_in_words(steps) == "1 sales of assets, 2 reductions by bracket"
    assert steps_in_words({int(LiquidationAction.CANCEL_ORDERS): 1}) == ""


def test_every_rule_of_adl_has_words():
    """A new kind needs a sentence as well."""
    assert set(words.PRICES) == set(core.AdlPriceRule.KINDS)
    assert set(words.RANKS) == set(core.AdlRankRule.KINDS)
    assert set(words.TRIGGERS) == set(core.AdlTriggerRule.KINDS)
    assert len({adl_rule(profile) for profile in PROFILES.values()}) == len(PROFILES)
