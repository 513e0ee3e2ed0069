"""Nothing is lost and nothing appears: balances against the event tables, in small and at scale."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from exchange_sim import open_run
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.enums import InstrumentKind
from tests.e2e.harness import events, here, run_into

SLICE = ("--set", "scenario.start=2025-10-10T20:49:40Z", "--until", "75s")
"""Ten seconds of calm and the first minute of the news, on all books of the article's crash."""


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slice of ``oct10_article``."""
    return run_into(tmp_path_factory.mktemp("crash"), *SLICE, scenario="oct10_article")


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Path:
    """The run that a test asks for by name."""
    found: Path = request.getfixturevalue(request.param)
    return found


both = pytest.mark.parametrize("run", ["small_run", "crash"], indirect=True)


@both
def test_second_bookkeeper_agrees(run: Path) -> None:
    """Every balance and loan of every account follows from the event tables alone."""
    data = open_run(run)

    assert check_balances(data) == []
    assert data.balances.num_rows > 100


@both
def test_every_asset_sums_to_nothing(run: Path) -> None:
    """Double entry: what one account has, another has given; the outside world included."""
    rows = open_run(run).balances.to_pylist()
    totals: Counter[int] = Counter()
    for row in rows:
        totals[row["asset"]] += row["amount"]

    assert len(totals) >= 3
    assert set(totals.values()) == {0}


@both
def test_trades_have_two_sides_and_fees_arrive(run: Path) -> None:
    """A trade's fees go to the fee account of its venue, which receives nothing else.

    They are paid in what the instrument settles in: coins of the base for an inverse perpetual.
    """
    data = open_run(run)
    fees: Counter[tuple[int, int]] = Counter()
    for trade in events(run, "traded").to_pylist():
        inst = data.instruments[trade["instrument"]]
        inverse = inst["kind"] == InstrumentKind.INVERSE_PERPETUAL
        settled = inst["base_asset"] if inverse else inst["quote_asset"]
        fees[inst["fee_account"], settled] += trade["maker_fee"] + trade["taker_fee"]
        assert trade["qty"] > 0
        assert trade["price"] > 0
    posted = events(run, "ledger_posted").to_pylist()
    accounts = {account for account, _ in fees}
    for row in posted:
        for sign, end in ((1, "to_account"), (-1, "from_account")):
            if row[end] in accounts:
                fees[row[end], row["asset"]] += sign * row["amount"]
    final = {(r["ledger_account"], r["asset"]): r["amount"] for r in data.balances.to_pylist()}

    assert {key: final.get(key, 0) for key in fees} == dict(fees)


def test_small_run_has_everything_in_it(small_run: Path) -> None:
    """The scenario of these tests does reach what they are about."""
    counts = open_run(small_run).manifest.counts
    wanted = (
        "adl_executed",
        "bad_debt_recorded",
        "funding_rate_set",
        "insurance_changed",
        "liquidation_ended",
        "loan_changed",
        "order_triggered",
        "position_taken_over",
        "transfer_finished",
        "transfers_switched",
    )
    kinds = {row["kind"] for row in events(small_run, "ledger_posted").to_pylist()}

    assert [kind for kind in wanted if not counts.get(kind)] == []
    assert {PostingKind.BORROW, PostingKind.REPAY} <= kinds


def test_verify_agrees_with_the_slice(crash: Path) -> None:
    """Files, journal, replay, tables and books of a large run, in one question."""
    done = here("verify", crash)

    assert done.code == 0, done.out
