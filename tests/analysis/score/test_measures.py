"""Every measuring function against a figure worked out by hand on a few rows."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from exchange_sim.messages.events import (
    InsuranceChanged,
    MarkPriceUpdated,
    PositionTakenOver,
    TransfersSwitched,
)
from tests.doubles.made_up_run import MadeUpRun, book_of

PERP = "PERPETUAL"


@pytest.fixture
def spot() -> MadeUpRun:
    """BTC falls from 100 to 80 in a minute and comes back to 90; two alts fall by 70 and 90 %."""
    run = MadeUpRun([book_of(0, "BTC"), book_of(1, "A"), book_of(2, "B")])
    run.path([(-60, 100), (30, 95), (60, 80), (120, 85), (960, 90)])
    run.path([(-60, 1000), (60, 900), (120, 300), (180, 650)], at=1)
    run.path([(-60, 1000), (60, 500), (180, 100), (420, 200)], at=2)
    return run


def test_falls_and_lows(spot: MadeUpRun) -> None:
    alts = {"asset": "alt"}

    assert spot.measure("BTC maximum drawdown") == pytest.approx(20.0)
    assert spot.measure("median alt maximum drawdown", **alts) == pytest.approx(80.0)
    assert spot.measure("BTC maximum drawdown", window=(0, 40)) == pytest.approx(5.0)
    assert spot.measure("share of alt pairs falling more than 80%", **alts) == 50.0
    assert spot.measure("share of alt pairs falling more than 65.5 %", **alts) == 100.0
    assert spot.measure("interquartile range of alt drawdowns", **alts) == pytest.approx(10.0)
    assert spot.measure("BTC low", unit="usd") == 80.0
    assert spot.measure("BTC low", unit="price ratio") == pytest.approx(0.8)


def test_worst_steps(spot: MadeUpRun) -> None:
    """Closes of A at whole minutes: 1000, 900, 300, 650; of B: 1000, 500, 500, 100."""
    found = spot.measure("median worst one-minute fall over alts", asset="alt", window=(0, 180))

    assert found == pytest.approx(100 * (2 / 3 + 0.8) / 2)
    assert spot.measure("worst 2-minute fall", asset="B", window=(0, 240)) == pytest.approx(80.0)


def test_definition_may_ask_for_a_number_of_alts(spot: MadeUpRun) -> None:
    line = spot.line("median alt maximum drawdown", asset="alt", definition="at least 20 alts")

    assert line.value is None
    assert "2 instruments" in line.reason


def test_recovery(spot: MadeUpRun) -> None:
    """15 minutes after its low of 80 BTC is back at 90 of 100: half of the fall of 20."""
    btc = spot.measure("BTC share of the fall recovered 15 minutes after the trough")

    assert btc == pytest.approx(50.0)
    assert spot.measure("median alt share recovered after 1 minutes", asset="A") == pytest.approx(
        100 * 350 / 700
    )
    assert spot.measure("median time from low to half of the fall retraced", asset="A") == 1.0
    assert spot.measure("time from low to 10% of the fall retraced", asset="B") == 4.0
    assert (
        "not retraced" in spot.line("time from low to half of the fall retraced", asset="B").reason
    )
    assert "60 minutes" in spot.line("share recovered after 60 minutes", spot.view(end=1200)).reason


def test_secondary_venue_retraces_sooner() -> None:
    run = MadeUpRun([book_of(0, "A", kind="INVERSE"), book_of(1, "A", "second")])
    run.path([(-1, 100), (60, 50), (660, 75)], at=0)
    run.path([(-1, 100), (60, 60), (360, 80)], at=1)
    words = "secondary venue retraces half sooner than the leading venue"

    assert run.measure(words, venue="secondary_spot", asset="alt") == pytest.approx(2.0)


def test_two_legs() -> None:
    """-3 % at once, a plateau, -4 % from minute 21 on, the low in minute 30."""
    run = MadeUpRun([book_of(0, "BTC", kind=PERP)])
    run.marks([(60 * m, p) for m, p in [(-1, 1000), (3, 970), (11, 972), (15, 968), (21, 970)]])
    run.marks([(60 * 22, 950), (60 * 23, 930), (60 * 30, 880), (60 * 40, 920)])
    perp: dict[str, Any] = {"venue": "primary_perp"}
    rule = "first minute after which price falls 3% within the next 3 minutes, excluding the first"

    first = "BTC drawdown of the first leg after the news"
    assert run.measure(
        first, window=(0, 420), definition="over the first 7 minutes, mark price", **perp
    ) == pytest.approx(3.0)
    assert run.measure(
        "delay from news to start of the main leg", window=(0, 1800),
        definition=f"{rule} 10 minutes", **perp,
    ) == 20.0  # fmt: skip
    assert run.measure("main leg duration, start to trough", window=(0, 2100), **perp) == 10.0
    assert run.measure("news to trough", window=(0, 2400), **perp) == 30.0
    closes = [970, 972, 972, 972, 972, 968]
    expected = 100 * 4 / (sum(closes) / 6)
    found = run.measure("BTC range during the plateau", window=(600, 900), **perp)
    assert found == pytest.approx(expected, rel=1e-3)
    assert "no minute" in run.line("main leg duration", window=(0, 1140), **perp).reason


def test_time_of_the_fall_and_synchrony() -> None:
    """From 1000 to 0 in ten steps of a minute: 10 % after one, 90 % after nine."""
    run = MadeUpRun([book_of(0, "A"), book_of(1, "B")])
    run.path([(60.0 * step, 1001 - 100 * step) for step in range(11)], at=0)
    run.path([(0, 100), (300, 50), (301, 60)], at=1)
    alts = {"asset": "alt", "window": (0, 2400)}

    assert run.measure("time from 10% to 90% of the fall", asset="A", window=(0, 2400)) == 8.0
    assert run.measure("synchrony of alt lows", **alts) == 5.0


def test_pegs() -> None:
    """USDe is under 0.97 for two seconds; a wrapper of two BTC trades at a quarter of fair."""
    run = MadeUpRun(
        [book_of(0, "BTC"), book_of(1, "USDe"), book_of(2, "WBETH"), book_of(3, "BTC", kind=PERP)]
    )
    run.instruments = (
        run.instruments[0],
        book_of(1, "USDe").__class__(1, "USDeUSDT", "lead", "SPOT", "USDe", "USDT", 0.01, 1, 1),
        *run.instruments[2:],
    )
    run.path([(0, 100), (20, 50)], at=0)
    run.path([(0, 100), (100, 96), (102, 99), (200, 65), (201, 100)], at=1)
    run.path([(0, 200), (300, 50), (310, 100)], at=2)
    run.marks([(-1, 100), (80, 90), (110, 95)], at=3)
    peg: dict[str, Any] = {"asset": "synthetic_dollar"}

    assert run.measure("synthetic-dollar low", unit="usd", **peg) == pytest.approx(0.65)
    assert run.measure("dislocation length", unit="minutes", **peg) == pytest.approx(3 / 60)
    words = "maximum discount to fair"
    assert run.measure(words, asset="wrapped_lst") == pytest.approx(50.0)
    words = "pegged-collateral dislocation starts after the market trough"
    assert run.measure(words, **peg) == pytest.approx((200 - 80) / 60)
    fields = {"definition": "trades more than 3% under fair", **peg}
    assert run.measure(words, **fields) == pytest.approx((100 - 80) / 60)
    never = run.line(words, definition="more than 50% under fair", **peg)
    assert "50 % under fair" in never.reason


def test_books() -> None:
    """Depth of 1000 a side before, then 200 and 20 with a spread of 10 instead of 1."""
    run = MadeUpRun([book_of(0, "BTC", kind=PERP)])
    for second in (-3, -2, -1):
        run.quote(second, 1000, 1001, 1000)
    run.quote(1, 1000, 1001, 200)
    run.quote(2, 900, 910, 20, ask_depth_100bp=600)
    run.quote(3, 0, 910, 0, mid=0, spread=0, ask_depth_100bp=700)
    run.trade(2, 900)
    perp = {"venue": "primary_perp", "window": (0, 10)}

    lowest = (400 + 620 + 700) / 3
    assert run.measure("two-sided depth fall, maximum", **perp) == pytest.approx(
        100 * (1 - lowest / 2000)
    )
    assert run.measure("depth fall in the first 15 minutes of the collapse", **perp) == (
        pytest.approx(100 * (1 - (400 + 620 + 700) / 3 / 2000))
    )
    found = run.measure("BTC top-of-book depth fall, key venues", **perp)
    assert found == pytest.approx(100 * (1 - (400 + 40) / 3 / 2000))
    expected = (10 / 905) / (1 / 1000.5)
    assert run.measure("BTC peak quoted spread over its normal level", **perp) == (
        pytest.approx(expected)
    )
    assert run.measure("quoted spread at trough", **perp) == pytest.approx(100 * 10 / 905)
    words = "time during which bids exist only beyond 2% of mid"
    assert run.measure(words, **perp) == pytest.approx(2 / 60)
    assert run.measure(words, definition="less than 30% of normal", **perp) == pytest.approx(3 / 60)
    assert run.measure("BTC ask-side near depth", **perp) == pytest.approx(60.0)
    assert run.measure("BTC bid depth per percent already lost", **perp) == pytest.approx(98.0)
    words = "share of snapshots with 25-level bid notional under 100 usd"
    assert run.measure(words, **perp) == pytest.approx(100 * 2 / 3)


def test_flow() -> None:
    """100 a minute before; in the window 300 sold and 100 bought in a minute, 100 bought later."""
    run = MadeUpRun([book_of(0, "A"), book_of(1, "A", kind=PERP)])
    for minute in range(10):
        run.trade(-600 + 60 * minute, 10, 100)
    run.trade(5, 10, 300, sell=1)
    run.trade(6, 10, 100, sell=0)
    run.trade(70, 10, 100, sell=0)
    run.trade(75, 10, 2500, at=1)
    alts = {"asset": "alt", "window": (0, 120)}

    assert run.measure("taker-sell share of volume, median alt", **alts) == pytest.approx(60.0)
    assert run.measure("taker-buy share of volume", **alts) == pytest.approx(40.0)
    assert run.measure("highest one-minute taker-sell share", **alts) == pytest.approx(75.0)
    assert run.measure("peak notional per minute over the calm mean", **alts) == pytest.approx(4.0)
    assert run.measure("peak trade rate over normal", **alts) == pytest.approx(2.0)
    everything = {"venue": "all_venues", "asset": "all", "window": (0, 120)}
    assert run.measure("futures to spot traded notional", **everything) == pytest.approx(5.0)


def test_vacuum() -> None:
    """First phase: 1000 sold for 1 % of log fall.  Last two minutes: 50 sold for 50 %."""
    run = MadeUpRun([book_of(0, "A", kind=PERP)])
    run.trade(1, 10_000, 0)
    run.trade(1300, round(10_000 * math.exp(-0.01)), 1000)
    run.trade(1600, 9_000, 600)
    run.trade(1680, 9_000, 0)
    run.trade(1700, 8_000, 30)
    run.trade(1800, round(9_000 * math.exp(-0.5)), 20)
    alts = {"venue": "primary", "asset": "alt_median", "window": (0, 2100)}
    words = "effective depth of alts at the low over the first leg, leading venue"
    definition = "from two minutes before the low (21:18) to the low, the same in 20:50-21:12"

    assert run.measure(words, definition=definition, **alts) == pytest.approx(1 / 1000, rel=1e-2)
    words = "flow falls while price collapses: taker notional per second 21:18-low over 21:16-21:18"
    assert run.measure(words, **alts) == pytest.approx((50 / 120) / (600 / 120))


def test_liquidations() -> None:
    """Longs of 300 and 600 and a short of 100 in the books, a long of 500 taken over."""
    run = MadeUpRun([book_of(0, "BTC", kind=PERP), book_of(1, "A", kind=PERP), book_of(2, "BTC")])
    run.liquidate(10, 10, 300)
    run.liquidate(70, 10, 600, at=1)
    run.liquidate(75, 10, 100, sell=0)
    run.liquidate(80, 10, 400, account=1)
    run.liquidate(85, 10, 900, at=2)
    run.add(PositionTakenOver, 3000, account=2, instrument=0, qty=50, price=10 * 10**6)
    run.end(90, -25)
    run.add(InsuranceChanged, -500, venue=0, change=1000)
    run.add(InsuranceChanged, 95, venue=0, change=30)
    run.add(InsuranceChanged, 96, venue=0, change=-10)
    everything = {"venue": "all_venues", "asset": "all"}

    assert run.measure("long share of liquidated notional", **everything) == pytest.approx(
        100 * 1400 / 1500
    )
    ten = {**everything, "window": (0, 600)}
    words = "peak minute over mean minute of the cascade"
    assert run.measure(words, **ten) == pytest.approx(700 / 100)
    words = "share of the 40-minute liquidations in the peak minute"
    assert run.measure(words, **ten) == pytest.approx(70.0)
    words = "share of 14-hour liquidations inside the 40 minutes"
    assert run.measure(words, **{**everything, "window": None}) == pytest.approx(100 * 1000 / 1500)
    words = "top one assets' share of forced-close notional"
    assert run.measure(words, **ten) == pytest.approx(60.0)
    words = "aggregate negative equity over liquidated notional"
    assert run.measure(words, venue="primary_perp", asset="all", window=(0, 600)) == 2.5
    words = "backstop vault result over liquidated notional"
    found = run.measure(words, venue="primary_perp", asset="all", window=(0, 600))
    assert found == pytest.approx(2.0)
    run.balances = pa.table(
        {"ledger_account": [1, 3], "asset": [usdt_of(run), 0], "amount": [50, 9], "loan": [20, 0]}
    )
    run.positions = pa.table(
        {
            "account": [1, 2], "instrument": [0, 0], "qty": [7, 50],
            "entry_notional": [60, 0], "mark": [10 * 10**6, 10 * 10**6],
        }
    )  # fmt: skip
    found = run.measure(words, venue="primary_perp", asset="all", window=(0, 600))
    assert found == pytest.approx(2.0 + 100 * (50 - 20 + 70 - 60) / 1000)
    words = "share of the day's liquidations done before the peg dislocation"
    assert run.measure(words, **ten) == pytest.approx(100 * 1000 / 1500)


def usdt_of(run: MadeUpRun) -> int:
    """The asset in which the venue's books are quoted."""
    (quote,) = {item.quote for item in run.instruments}
    return [row["symbol"] for row in run.assets].index(quote)


def test_adl() -> None:
    """Two closes of 100 in the second of a liquidation of 500, one of 300 without one."""
    run = MadeUpRun([book_of(0, "BTC", "chain", kind=PERP), book_of(1, "BTC", kind=PERP)])
    run.liquidate(1500, 10, 500)
    run.adl(1500, 10, 10)
    run.adl(1500.5, 10, 10, pnl=-1)
    run.adl(1620, 10, 30)
    run.marks([(0, 100), (1200, 100), (1380, 96), (1500, 95)], at=1)
    chain = {"venue": "onchain_perp", "asset": "all", "window": (1400, 1700)}

    assert run.measure("ADL notional over liquidation notional", **chain) == pytest.approx(100.0)
    assert run.measure("share of ADL-closed positions in profit", **chain) == pytest.approx(200 / 3)
    assert run.measure("time from 5% to 95% of ADL fills", **chain) == 2.0
    words = "ADL in a market that had no liquidation in the same block"
    assert run.measure(words, **chain) == 1.0
    words = "BTC drawdown from t0 when the first large ADL burst happens"
    assert run.measure(words, venue="primary_perp") == pytest.approx(5.0)
    words = "first large ADL burst after the start of the main leg"
    assert run.measure(words, **chain) == pytest.approx((1500 - 1200) / 60)
    words = "per-second correlation of liquidation and ADL counts at lag 0"
    found = run.measure(words, venue="onchain_perp", asset="all", window=(1400, 1510))
    assert found == pytest.approx(1.0)
    assert "nobody" in run.line("share of ADL-closed positions in profit", window=(0, 9)).reason


def test_open_interest_and_funding() -> None:
    """BTC: 100 lots at 100, then 80 at 90.  A: 10 at 100, then 4 at 50.  Premium then: -0.5 %."""
    run = MadeUpRun([book_of(0, "BTC", kind=PERP), book_of(1, "A", kind=PERP)])
    run.marks([(-60, 100)], open_interest=100)
    run.add(
        MarkPriceUpdated, 100, instrument=0, mark=90 * 10**6, index=int(90 / 0.995 * 10**6),
        open_interest=80,
    )  # fmt: skip
    run.marks([(-1, 100)], at=1, open_interest=10)
    run.marks([(100, 50)], at=1, open_interest=4)
    run.trade(100, 90)
    everything = {"venue": "all_venues", "window": None}

    falls = 1 - 7200 / 10_000, 1 - 200 / 1000
    words = "perp open interest fall, all venues"
    assert run.measure(words, asset="all", **everything) == pytest.approx(100 * (1 - 7400 / 11_000))
    words = "alt over BTC percentage fall of open interest"
    assert run.measure(words, asset="alt", **everything) == pytest.approx(falls[1] / falls[0])
    words = "funding rate sign at the trough"
    found = run.measure(words, venue="primary_perp", asset="majors")
    assert found == pytest.approx(-50 + 5, rel=1e-3)


def test_two_venues() -> None:
    """A at 40 here and 80 there at a minute's close; it falls by 60 here and by 20 there."""
    run = MadeUpRun([book_of(0, "A", kind="INVERSE"), book_of(1, "A", "second"), book_of(2, "BTC")])
    run.path([(-1, 100), (50, 40), (110, 90)], at=0)
    run.path([(-1, 100), (50, 80), (110, 90)], at=1)
    words = "worst median alt gap, leading perp venue against secondary spot"

    found = run.measure(words, venue="primary_inverse_perp", asset="alt", window=(0, 600))
    assert found == pytest.approx(-50.0)
    words = "secondary over leading alt drawdown, median ratio"
    assert run.measure(words, venue="secondary_spot", asset="alt") == pytest.approx(1 / 3)
    words = "BTC leading-venue low under ETF-implied price"
    assert run.measure(words, venue="primary_inverse_perp", asset="A") == pytest.approx(50.0)


def test_single_prints() -> None:
    """One order walks A from 1000 to 1 while the other venue holds; its other pair holds better."""
    sibling = book_of(2, "A").__class__(
        2, "AUSDC", "lead", "SPOT", "A", "USDC", 1, 1, 1, main=False
    )
    run = MadeUpRun([book_of(0, "A"), book_of(1, "A", "second"), sibling])
    run.path([(-1, 1000)], at=0)
    run.trade(10, 500, 4000, taker_order=7)
    run.trade(10, 1, 5, taker_order=7)
    run.trade(11, 600, 99, taker_order=8)
    run.path([(-1, 1000), (10, 700)], at=1)
    run.path([(-1, 1000), (10, 400)], at=2)
    alts = {"asset": "alt"}

    words = "at least one alt prints 99.9% or more below t0 on one venue only"
    assert run.measure(words, **alts) == 1.0
    assert run.measure("at least one alt prints 99.95% or more below t0", **alts) == 0.0
    words = "notional executed in the sweep that makes the 99.9% print"
    assert run.measure(words, **alts) == 4005.0
    words = "same asset, sibling quote pair on the same venue, drawdown"
    assert run.measure(words, **alts) == pytest.approx(60.0)


def test_inputs_are_measured_from_the_outages() -> None:
    run = MadeUpRun([book_of(0, "BTC")])
    run.add(TransfersSwitched, 1320, venue=0, enabled=0)
    run.add(TransfersSwitched, 3720, venue=0, enabled=1)
    words = "chain withdrawals from the leading CEX suspended"

    assert run.measure(words, asset="all", role="input") == pytest.approx(40.0)


def test_adl_of_inverse_contracts_costs_winners_coins() -> None:
    """200 dollars of shorts closed at 50; at 40 each dollar would have won 1/40 - 1/50 of a coin.

    That is 200 * (50 / 40 - 1) = 50 dollars, of which a deficit of 20 was needed: 15 % of 200.
    """
    run = MadeUpRun([book_of(0, "A", kind="INVERSE_PERPETUAL", lot=10.0)])
    run.adl(10, 50, 20)
    run.marks([(5, 50), (20, 40), (30, 45)])
    run.end(11, -20)

    found = run.measure(
        "winner profit taken by ADL beyond need", venue="primary_perp", asset="all", window=(0, 60)
    )
    assert found == pytest.approx(100 * (50 - 20) / 200)


def test_what_a_vault_holds_of_inverse_contracts_counts_in_coins() -> None:
    """Long 20 contracts of 10 dollars for 4 coins; at 40 they owe 5, so a coin of 40 is lost."""
    run = MadeUpRun([book_of(0, "A", kind="INVERSE_PERPETUAL", lot=10.0)])
    run.liquidate(10, 50, 1000, account=2)
    run.add(InsuranceChanged, 20, venue=0, change=100)
    run.balances = run.balances.slice(0, 0)
    run.positions = pa.table(
        {
            "account": [1], "instrument": [0], "qty": [20], "entry_notional": [-4],
            "mark": [40 * 10**6],
        }
    )  # fmt: skip
    words = "backstop vault result over liquidated notional"
    found = run.measure(words, venue="primary_inverse_perp", asset="all", window=(0, 600))
    assert found == pytest.approx(100 * (100 - 40) / 200)
