"""Each metric against a figure that was computed by hand from its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from exchange_sim.analysis import estimates
from exchange_sim.analysis.metrics_impact import (
    depth_at_bands,
    impact_per_dollar,
    kyle_lambda,
    resiliency,
)
from exchange_sim.analysis.metrics_trades import (
    fill_ratios,
    order_to_trade,
    slippage_against_mark,
    spreads,
    vpin,
    weighted,
)
from exchange_sim.analysis.stylised import aggregated, returns, stylised_facts

SECOND = 10**9


def table(columns: str, *rows: tuple[Any, ...]) -> pa.Table:
    """A table from its column names and rows."""
    names = columns.split()
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


MIDS = table("seq time_ns mid", (1, 0, 100.0), (5, 2 * SECOND, 99.0), (8, 9 * SECOND, 101.0))
TAPE = table(
    "seq time_ns price qty aggressor quote_amount",
    (4, SECOND, 99.5, 2.0, "SELL", 199.0),
    (5, 2 * SECOND, 99.0, 1.0, "SELL", 99.0),
    (7, 3 * SECOND, 99.3, 3.0, "BUY", 297.9),
)


def test_spreads() -> None:
    """Seller at 99.5 under a mid of 100 that is 99 five seconds later: it paid 100 bp, of which the
    maker lost 200 to the move.
    """
    first, second, third = spreads(TAPE, MIDS, "5s").to_pylist()

    assert first["effective"] == pytest.approx(100.0)
    assert first["realised"] == pytest.approx(-100.0)
    assert first["impact"] == pytest.approx(200.0)
    # The mid before a command is the one that its own trade has not moved yet.
    assert second["effective"] == pytest.approx(200.0)
    assert third["effective"] == pytest.approx(2 * 0.3 / 99 * 10_000)
    for row in (first, second, third):
        assert row["effective"] == pytest.approx(row["realised"] + row["impact"])
    assert weighted(spreads(TAPE, MIDS), "value", "value") == pytest.approx(
        (199**2 + 99**2 + 297.9**2) / (199 + 99 + 297.9)
    )
    assert spreads(TAPE, MIDS.slice(2)).num_rows == 0
    assert math.isnan(weighted(spreads(TAPE, MIDS.slice(2)), "effective"))


def moving_market(impact: float, noise: float = 0.0) -> tuple[pa.Table, pa.Table]:
    """Forty seconds with one trade each; the mid moves by ``impact`` per unit bought."""
    trades, mids, mid = [], [(0, 0, 100.0)], 100.0
    for second in range(40):
        qty = 1.0 + second % 7
        buys = second % 3 == 0
        mid += impact * (qty if buys else -qty) + noise * (-1) ** second
        price = 100.0
        trades.append((second, second * SECOND + 1, price, qty, "BUY" if buys else "SELL"))
        mids.append((second, second * SECOND + 2, mid))
    return table("seq time_ns price qty aggressor", *trades), table("seq time_ns mid", *mids)


def test_kyle_lambda() -> None:
    """A market that moves by exactly 0.02 per unit has that slope, and a band of nothing."""
    found = kyle_lambda(*moving_market(0.02))
    noisy = kyle_lambda(*moving_market(0.02, 0.05))

    assert found is not None
    assert noisy is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.02, 0.02, 0.02))
    assert found.count == 40
    assert noisy.low < 0.02 < noisy.high
    assert kyle_lambda(moving_market(0.02)[0].slice(0, 9), moving_market(0.02)[1]) is None


def test_impact_per_dollar() -> None:
    """One per mille per thousand dollars."""
    rows, trades, log_mid = [], [], math.log(100.0)
    for second in range(30):
        rows.append((second * SECOND, "X", math.exp(log_mid)))
        value = 1_000.0 * (1 + second % 5)
        trades.append((second * SECOND + 1, "X", value, "SELL" if second % 2 else "BUY"))
        log_mid += 1e-6 * (value if not second % 2 else -value)
    rows.append((30 * SECOND, "X", math.exp(log_mid)))
    traded = table("time_ns instrument quote_amount aggressor", *trades)
    found = impact_per_dollar(traded, table("time_ns instrument mid", *rows), "X")

    assert found is not None
    assert found.value == pytest.approx(1e-6)
    assert impact_per_dollar(traded, table("time_ns instrument mid", *rows), "Y") is None


def test_depth_and_resiliency() -> None:
    """A gap that halves every second is closed at a speed of one half."""
    sides = [f"{side}_depth_{bp}bp" for side in ("bid", "ask") for bp in (10, 100, 200, 500)]
    logs = [8.0 + 4.0 * 0.5**k * (-1) ** (k // 4) for k in range(4)]
    rows = [(k, "X", *([math.exp(value)] * 8)) for k, value in enumerate(logs)]
    book = table(" ".join(["time_ns", "instrument", *sides]), *rows)
    found = resiliency(book, "X")

    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert estimates.half_life(found.value) == pytest.approx(1.0)
    assert estimates.half_life(0.0) == math.inf
    bands = depth_at_bands(book, "X")
    assert bands.column_names == [
        "time_ns", "bid_10", "ask_10", "bid_100", "ask_100", "bid_200", "ask_200", "bid_500",
        "ask_500",
    ]  # fmt: skip
    assert bands.num_rows == 4
    assert depth_at_bands(book, "Y").num_rows == 0


def test_slippage_against_mark() -> None:
    """Forced sellers at 98 under a mark of 100 pay 200 bp; free ones are left out."""
    traded = table(
        "seq time_ns instrument price qty quote_amount aggressor taker_flags",
        (2, 1, "P", 98.0, 1.0, 98.0, "SELL", 4),
        (4, 2, "P", 97.0, 1.0, 97.0, "SELL", 0),
        (6, 3, "P", 103.0, 1.0, 103.0, "BUY", 32),
        (6, 3, "S", 50.0, 1.0, 50.0, "SELL", 4),
    )
    marks = table("seq instrument mark", (1, "P", 100.0), (5, "P", 101.0), (6, "P", 90.0))
    found = slippage_against_mark(traded, marks).to_pylist()

    assert [(row["seq"], row["value"]) for row in found] == [(2, 98.0), (6, 103.0)]
    assert [row["slippage"] for row in found] == pytest.approx([200.0, 2 / 101 * 10_000])
    assert slippage_against_mark(traded, marks, forced=False).num_rows == 3
    assert slippage_against_mark(traded, marks.slice(0, 0)).num_rows == 0


def test_vpin() -> None:
    """Four buckets of 3: bought 3, 1, 0, 2 of each; |2b - 3| / 3 is 1, 1/3, 1, 1/3."""
    rows = [(3.0, "BUY"), (1.0, "BUY"), (5.0, "SELL"), (2.0, "BUY"), (1.0, "SELL")]
    trades = table("time_ns qty aggressor", *((k * SECOND, *row) for k, row in enumerate(rows)))
    found = vpin(trades, buckets=4, window=2).to_pylist()

    assert [row["vpin"] for row in found] == pytest.approx([2 / 3, 2 / 3, 2 / 3])
    assert vpin(trades, 4, 4).to_pylist()[0]["vpin"] == pytest.approx(8 / 3 / 4)
    assert [row["time_ns"] for row in found] == [2 * SECOND, 2 * SECOND, 4 * SECOND]
    assert vpin(trades, buckets=2, window=4).num_rows == 0


def test_order_to_trade_and_fill_ratios() -> None:
    """Account 1: three orders, one change, two cancels, two trades: three messages a trade."""
    accepted = table("account_id flags", (1, 0), (1, 0), (1, 0), (2, 0), (2, 4), (3, 0))
    replaced = table("account_id", (1,))
    canceled = table("account_id instrument qty", (1, "X", 5.0), (1, "Y", 1.0), (3, "X", 2.0))
    traded = table(
        "maker_account_id taker_account_id instrument qty", (1, 2, "X", 10.0), (1, 2, "X", 5.0)
    )
    ratios = order_to_trade(accepted, replaced, canceled, traded).to_pylist()

    assert [tuple(row.values()) for row in ratios] == [
        (1, 6, 2, 3.0), (2, 1, 2, 0.5), (3, 2, 0, None),
    ]  # fmt: skip
    fills = fill_ratios(canceled, traded).to_pylist()
    assert [(row["account_id"], row["instrument"], row["ratio"]) for row in fills] == [
        (1, "X", 0.75), (1, "Y", 0.0), (2, "X", 1.0), (3, "X", 0.0),
    ]  # fmt: skip


def test_regression_by_hand() -> None:
    """y = 1, 2, 2 on x = 0, 1, 2: slope 1/2; robust error sqrt(2 / 36) / 2."""
    found = estimates.slope(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.0]))

    assert found is not None
    assert found.value == pytest.approx(0.5)
    assert found.high - found.value == pytest.approx(estimates.Z95 * math.sqrt(2 / 36) / 2)
    assert found.excludes(1.0)
    assert not found.excludes(0.5)
    assert estimates.slope(np.ones(5), np.arange(5.0)) is None


def test_autocorrelation_moments_and_mean_by_hand() -> None:
    """1, 2, 3, 4 around 2.5: lag 1 is (0.75 - 0.25 + 0.75) / 5."""
    values = np.array([1.0, 2.0, 3.0, 4.0])
    acf = estimates.autocorrelation(values, 1)
    kurtosis, skew = estimates.excess_kurtosis(values), estimates.skewness(values)
    average = estimates.mean(values)

    assert acf is not None
    assert acf.value == pytest.approx(1.25 / 5)
    assert acf.high - acf.value == pytest.approx(estimates.Z95 / 2)
    assert kurtosis is not None
    assert kurtosis.value == pytest.approx(((1.5**4 + 0.5**4) / 2) / 1.25**2 - 3)
    assert skew is not None
    assert skew.value == pytest.approx(0.0)
    assert average is not None
    assert (average.value, average.count) == (2.5, 4)
    assert average.high - 2.5 == pytest.approx(estimates.Z95 * math.sqrt(5 / 3) / 2)
    assert estimates.autocorrelation(np.ones(9), 1) is None


def test_hill_by_hand() -> None:
    """The largest two of 1, 2, 4, 8 against 2: 2 / (ln 4 + ln 2)."""
    found = estimates.tail_index(np.array([1.0, -2.0, 4.0, -8.0]), share=0.5)

    assert found is not None
    assert found.value == pytest.approx(2 / math.log(8))
    assert found.high - found.value == pytest.approx(estimates.Z95 * found.value / math.sqrt(2))
    pareto = (np.arange(1, 20_001) / 20_001) ** (-1 / 3)
    exact = estimates.tail_index(pareto)
    assert exact is not None
    assert not exact.excludes(3.0)


def test_returns_on_a_grid() -> None:
    """Mids at 0, 2 and 9 seconds on a grid of 3: 100, 99, 99, 101 at 0, 3, 6, 9."""
    found = returns(MIDS, "3s")

    assert found == pytest.approx([math.log(0.99), 0.0, math.log(101 / 99)])
    assert len(returns(MIDS.slice(0, 0))) == 0
    assert aggregated(np.arange(7.0), 3) == pytest.approx([3.0, 12.0])


def test_facts_tell_noise_from_clustering() -> None:
    """Independent normal returns have none of the facts; clustered ones have theirs."""
    rng = np.random.default_rng(7)
    noise = rng.standard_normal(5_000)
    plain = stylised_facts(noise)
    calm_and_wild = noise * np.where(np.arange(5_000) // 100 % 2, 5.0, 0.5)
    clustered = stylised_facts(calm_and_wild)

    assert not plain.acf[1].excludes(0.0)
    assert not plain.kurtosis_by_scale[1].excludes(0.0)
    assert not plain.acf_absolute[10].excludes(0.0)
    assert clustered.acf_absolute[10].low > 0.2
    assert clustered.kurtosis_by_scale[1].low > 1
    assert clustered.tail_index is not None
    assert plain.count == 5_000
    assert stylised_facts(np.zeros(3)).tail_index is None
