"""What an account was worth before it was deleveraged, rebuilt from the tables."""

from __future__ import annotations

import numpy as np
import pytest

from exchange_sim.analysis.score.accounts import RunningSum
from exchange_sim.messages.events import (
    AssetPriceUpdated,
    LedgerPosted,
    LoanChanged,
    PositionOpened,
    Traded,
)
from exchange_sim.messages.reasons import PostingKind
from tests.doubles.made_up_run import MadeUpRun, book_of


def test_running_sum_counts_what_came_before() -> None:
    total = RunningSum(np.array([5, 3, 5]), np.array([1, 2, 4]), np.array([10.0, 7.0, -4.0]))

    assert total.before(np.array([5, 5, 5, 3, 4]), np.array([1, 2, 9, 9, 9])).tolist() == [
        0.0, 10.0, 6.0, 7.0, 0.0,
    ]  # fmt: skip


def test_leverage_of_the_deleveraged() -> None:
    """Account 3: 1000 paid in, 200 lent, 10 coins bought for 500 and priced 40, fee 4.

    Short 20 lots at 50 and 10 more at 48; the mark is 30, so the value is
    1000 + 200 - 200 - 500 - 4 + 400 + (20 * 20 + 10 * 18) = 1476 against 900 of position.
    """
    run = MadeUpRun([book_of(0, "BTC", kind="PERPETUAL"), book_of(1, "A")])
    run.add(LedgerPosted, -9, seq=1, asset=0, from_account=0, to_account=3, amount=1000, kind=1)
    lent = {"asset": 0, "to_account": 3, "amount": 200, "kind": int(PostingKind.BORROW)}
    run.add(LedgerPosted, -8, seq=2, **lent)
    run.add(LoanChanged, -8, seq=2, account=3, asset=0, loan=200, change=200)
    run.add(
        PositionOpened, -7, seq=3, long_account=2, short_account=3, instrument=0, price=50, qty=20
    )
    run.add(
        Traded, 1, seq=4, instrument=1, price=50, qty=10, aggressor=0, maker_account=2,
        taker_account=3, base_amount=10, quote_amount=500, taker_fee=4,
    )  # fmt: skip
    run.add(
        Traded, 2, seq=5, instrument=0, price=48, qty=10, aggressor=1, maker_account=2,
        taker_account=3, quote_amount=480,
    )  # fmt: skip
    run.add(AssetPriceUpdated, 3, seq=6, venue=0, asset=2, price=40 * 10**6)
    run.marks([(3, 30)])
    run.adl(4, 30, 5)
    rows = run._rows["adl_executed"]
    rows[0]["seq"] = 7
    words = "median leverage of ADL-closed accounts"

    found = run.measure(words, venue="primary_perp", asset="all", window=(0, 60), unit="x")
    assert found == pytest.approx(900 / 1476)


def test_an_inverse_contract_is_a_fixed_sum_of_dollars_at_any_mark() -> None:
    """Account 3: 10 coins at 40 less a fee of one, long 20 contracts of 10 dollars bought at 50.

    At a mark of 40 it owes 20 * 10 / 40 = 5 coins and was to pay 4: it lost one coin.  Its value is
    (10 - 1 - 1) * 40 = 320 against a position that is 200 at any price.
    """
    coin = book_of(0, "A", kind="INVERSE_PERPETUAL", lot=10.0)
    run = MadeUpRun([coin])
    run.add(LedgerPosted, -9, seq=1, asset=2, from_account=0, to_account=3, amount=10, kind=1)
    run.add(
        Traded, 1, seq=2, instrument=0, price=50, qty=20, aggressor=0, maker_account=2,
        taker_account=3, quote_amount=200, taker_fee=1,
    )  # fmt: skip
    run.add(AssetPriceUpdated, 2, seq=3, venue=0, asset=2, price=40 * 10**6)
    run.marks([(3, 40)])
    run.adl(4, 40, 5)
    run._rows["adl_executed"][0]["seq"] = 7

    found = run.measure(
        "median leverage of ADL-closed accounts", venue="primary_perp", asset="all",
        window=(0, 60), unit="x",
    )  # fmt: skip
    assert found == pytest.approx(200 / 320)
