"""Each cause, taken away alone, moves the outcome as its mechanism predicts (``small_chain``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from exchange_sim import open_run
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.eventlog.links import LINKS
from exchange_sim.scenario.mechanisms import Mechanisms
from tests.e2e.harness import here, run_into
from tests.e2e.outcome import SMALL_CHAIN, Outcome, outcome

Prediction = Callable[[Outcome, Outcome], bool]

CALL, BAND, STARTED, ADL = 72, 30, 31, 35

PREDICTIONS: dict[str, dict[str, Prediction]] = {
    "macro_shock": {
        "nobody is liquidated": lambda _, off: off.counts[STARTED] == 0,
        "nobody is called": lambda _, off: off.counts[CALL] == 0,
        "the dollar holds": lambda _, off: off.low("USDE") > 0.99,
    },
    "loop_lending": {
        "the dollar breaks less": lambda base, off: off.low("USDE") > base.low("USDE"),
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
        "no collateral is sold under a position": lambda base, off: (
            base.under_position > 50_000 and off.under_position == 0
        ),
        "collateral is sold all the same, later": lambda _, off: sum(off.sold.values()) > 0,
    },
    "mm_withdrawal": {
        "alts fall less": lambda base, off: off.alts() > base.alts() + 0.1,
        "less is sold for lenders": lambda base, off: off.forced < base.forced * 0.8,
    },
    "own_book_collateral_price": {
        "the peg liquidates nobody": lambda base, off: (
            base.caused["USDE"] >= 5 and off.caused["USDE"] <= base.caused["USDE"] * 0.05
        ),
        "the majors do not notice": lambda base, off: (
            abs(off.low("BTC") - base.low("BTC")) < 0.15 * (1 - base.low("BTC"))
        ),
    },
    "defi_liquidation": {
        "nothing is liquidated in the pool": lambda base, off: (
            off.pool_liquidated == 0 < base.pool_liquidated
        ),
    },
    "liquidation_bots": {
        "nobody liquidates in the pool": lambda base, off: (
            off.pool_liquidated == 0 < base.pool_liquidated
        ),
    },
    "transfer_suspension": {
        "dollars reach their issuer": lambda base, off: base.redeemed == 0 < off.redeemed,
        "money leaves the venue": lambda base, off: base.sent == 0 and off.sent >= 5,
    },
    "adl": {
        "no winner is closed": lambda base, off: base.counts[ADL] > 0 == off.counts[ADL],
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
    assert base.pool_liquidated > 100_000


@pytest.mark.parametrize(("switch", "claim"), CASES)
def test_prediction(switch: str, claim: str) -> None:
    """One claim about one switch; the run without it is made once."""
    assert PREDICTIONS[switch][claim](outcome(), outcome(switch)), claim


def test_issuer_redemption_is_what_redeems() -> None:
    """With transfers free, dollars are redeemed; without the issuer's redemption none are."""
    open_ways = outcome("transfer_suspension")
    closed = outcome("issuer_redemption", "transfer_suspension")

    assert closed.redeemed == 0 < open_ways.redeemed
    assert closed.low("USDE", "second") <= open_ways.low("USDE", "second")


def test_every_switch_has_a_test() -> None:
    """No switch without a prediction."""
    assert {*PREDICTIONS, "issuer_redemption", "momentum"} == {
        field.name for field in attrs.fields(Mechanisms)
    }


def test_the_nine_links_are_told(tmp_path: Path) -> None:
    """Each link of the public account is a line with its time and its size in dollars."""
    run = run_into(tmp_path, "--until", "3m30s", scenario=SMALL_CHAIN)
    lines = [json.loads(line) for line in (run / "narrative.jsonl").read_text().splitlines()]
    told = {line["link"]: line for line in reversed(lines) if "link" in line}

    assert {*LINKS, "loan_call", "forced_sale", "wrapper_break"} <= set(told)
    assert all(line["usd"] > 0 for line in told.values())
    order = [told[link]["time"] for link in ("macro_shock", "loop_unwinding", "depeg")]
    assert order == sorted(order)
    assert told["depeg"]["time"] <= told["onchain_liquidation"]["time"]
    assert told["maker_collateral"]["time"] <= told["maker_liquidation"]["time"]
    assert check_balances(open_run(run)) == []
    assert here("verify", run).code == 0
