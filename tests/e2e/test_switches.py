"""Each cause, taken away alone, moves the outcome as its mechanism predicts (``small_chain``)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.outcome import Outcome, outcome

Prediction = Callable[[Outcome, Outcome], bool]

CALL, BAND, STARTED, ADL = 72, 30, 31, 35

PREDICTIONS: dict[str, dict[str, Prediction]] = {
    "macro_shock": {
        "nobody is liquidated": lambda _, off: off.counts[STARTED] == 0,
        "nobody is called": lambda _, off: off.counts[CALL] == 0,
        "the dollar holds": lambda _, off: off.low("USDE") > 0.99,
    },
    "loop_lending": {
        "the dollar breaks less": lambda base, off: off.low("USDE") > base.low("USDE") + 0.1,
        "no account falls because of the dollar": lambda base, off: (
            off.caused["USDE"] < base.caused["USDE"]
        ),
    },
    "cefi_loans": {
        "no calls, no forced sales": lambda _, off: off.counts[CALL] == off.forced == 0,
        "alts fall less": lambda base, off: off.alts() > base.alts() + 0.1,
        "no whale must leave its loop": lambda _, off: off.low("USDE") > 0.99,
    },
    "unified_account": {
        "there are no bands": lambda base, off: base.counts[BAND] > 0 == off.counts[BAND],
        "no coins of makers are sold": lambda base, off: (
            off.sold["SOL"] + off.sold["ADA"] < base.sold["SOL"] + base.sold["ADA"]
        ),
        "wrappers fall less": lambda base, off: off.low("WBETH") > base.low("WBETH") + 0.1,
    },
    "collateral_sale": {
        "less collateral is sold": lambda base, off: (
            sum(off.sold.values()) < sum(base.sold.values())
        ),
        "wrappers fall less": lambda base, off: off.low("WBETH") > base.low("WBETH"),
        "more is lost": lambda base, off: off.bad_debt > base.bad_debt,
    },
    "mm_withdrawal": {
        "alts fall less": lambda base, off: off.alts() > base.alts() + 0.1,
        "fewer borrowers are called": lambda base, off: off.counts[CALL] < base.counts[CALL],
    },
    "own_book_collateral_price": {
        "the peg liquidates nobody": lambda base, off: (
            base.caused["USDE"] >= 5 and off.caused["USDE"] <= base.caused["USDE"] * 0.05
        ),
        "the majors do not notice": lambda base, off: (
            abs(off.low("BTC") - base.low("BTC")) < 0.15 * (1 - base.low("BTC"))
        ),
    },
    "adl": {
        "no winner is closed": lambda base, off: base.counts[ADL] > 0 == off.counts[ADL],
        "more is lost": lambda base, off: off.bad_debt > base.bad_debt,
    },
    "dip_buyers": {
        "majors fall further": lambda base, off: off.low("BTC") < base.low("BTC"),
        "more are liquidated": lambda base, off: off.counts[STARTED] > base.counts[STARTED],
    },
    "stale_bids": {
        "the second venue falls further": lambda base, off: (
            off.low("SOL", "second") < base.low("SOL", "second")
        ),
    },
}

CASES = [(switch, claim) for switch, claims in PREDICTIONS.items() for claim in claims]


def test_the_base_has_every_link() -> None:
    """What the switches are compared with is a crash with everything in it."""
    base = outcome()

    assert base.counts[STARTED] > 50
    assert base.forced > 100_000
    assert base.low("USDE") < 0.8
    assert base.low("WBETH") < 0.9
    assert base.alts() < 0.5
    assert base.caused["USDE"] >= 5


@pytest.mark.parametrize(("switch", "claim"), CASES)
def test_prediction(switch: str, claim: str) -> None:
    """One claim about one switch; the run without it is made once."""
    assert PREDICTIONS[switch][claim](outcome(), outcome(switch)), claim
