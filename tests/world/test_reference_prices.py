"""Index, mark, funding and collateral prices by the rules of a venue."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.model.account import CROSS
from exchange_sim.risk.ema import MovingAverage, decay
from exchange_sim.risk.hyperliquid import ema_update
from exchange_sim.risk.profile import CollateralPriceRule
from exchange_sim.risk.profiles import BINANCE, BYBIT, HYPERLIQUID, OKX
from exchange_sim.world import WorldConfig
from tests.world.factory import (
    BTC,
    ETH_SPOT,
    PERP,
    PERP_2,
    SECOND,
    SPOT,
    SPOT_2,
    USDE,
    USDE_SPOT,
    Desk,
    make_config,
    of,
    under,
)

MICRO = 10**6
THREE = ((SPOT, 1), (SPOT_2, 2), (ETH_SPOT, 1))


class Exchange(Desk):
    """A desk with one rich cash account per venue."""

    def __init__(self, config: WorldConfig) -> None:
        super().__init__(config)
        money = {"usdt": 10**12, "btc": 10**12, "eth": 10**12, "usde": 10**12}
        self.rich = [self.account(venue=venue, **money) for venue in (0, 1)]


def desk(profile=BINANCE, sources=THREE, venue=None, **rules):
    """An exchange whose BTC perpetual has several index sources."""
    settings = {**under(profile, **rules), **(venue or {})}
    return Exchange(make_config(venue=settings, perp={"index_sources": sources}))


def quote(d, inst, price):
    """A trade at ``price`` on a spot book that is otherwise empty."""
    account = d.rich[1 if inst == SPOT_2 else 0]
    d.trade_at(inst, price, account, account)


def index(d):
    """The index of the BTC perpetual after a mark update, in ticks."""
    d.marks()
    return d.w.indexes[PERP] / MICRO


def test_the_index_is_the_weighted_mean_of_its_sources():
    """1,000 once, 1,010 twice, 1,020 once."""
    d = desk()
    for inst, price in ((SPOT, 1_000), (SPOT_2, 1_010), (ETH_SPOT, 1_020)):
        quote(d, inst, price)

    assert index(d) == 1_010


def test_one_outlier_does_not_count():
    """More than 5 % from the median of all: weight 0."""
    d = desk()
    for inst, price in ((SPOT, 600), (SPOT_2, 1_010), (ETH_SPOT, 1_010)):
        quote(d, inst, price)

    assert index(d) == 1_010


def test_with_two_outliers_the_median_is_the_index():
    """One far below, one far above."""
    d = desk()
    for inst, price in ((SPOT, 600), (SPOT_2, 1_000), (ETH_SPOT, 1_400)):
        quote(d, inst, price)

    assert index(d) == 1_000


def test_a_silent_source_does_not_count():
    """No order and no trade for more than ten seconds."""
    d = desk()
    for inst, price in ((SPOT, 1_000), (SPOT_2, 1_020), (ETH_SPOT, 1_000)):
        quote(d, inst, price)
    assert index(d) == 1_010
    for _ in range(10):
        d.now += SECOND
        for inst in (SPOT, ETH_SPOT):
            quote(d, inst, 1_000)

    assert index(d) == 1_000


def test_when_all_are_silent_the_last_index_stays():
    """Nobody knows better."""
    d = desk()
    for inst in (SPOT, SPOT_2, ETH_SPOT):
        quote(d, inst, 1_010)
    assert index(d) == 1_010
    d.now += 60 * SECOND

    assert index(d) == 1_010


def test_a_single_source_is_believed_whatever_it_says():
    """None of this protects an index with one constituent."""
    d = desk(sources=((SPOT, 1),))
    quote(d, SPOT, 400)
    d.now += 60 * SECOND

    assert index(d) == 400


def test_the_oracle_is_a_weighted_median_every_three_seconds():
    """Half of the weight decides; between two samples nothing moves."""
    d = desk(HYPERLIQUID)
    for inst, price in ((SPOT, 600), (SPOT_2, 990), (ETH_SPOT, 1_400)):
        quote(d, inst, price)
    assert index(d) == 990
    quote(d, SPOT_2, 1_200)
    assert index(d) == 990
    assert index(d) == 990
    assert index(d) == 1_200


def perp_quotes(d, bid, ask, inst=PERP):
    """Two sides of a perpetual's book."""
    venue = 1 if inst == PERP_2 else 0
    account = d.account(CROSS, venue=venue, usdt=10**9)
    d.limit(account, inst, 0, bid, 1)
    d.limit(account, inst, 1, ask, 1)


@pytest.mark.parametrize(("samples", "period"), [(3, SECOND), (30, SECOND), (3, 5 * SECOND)])
def test_the_basis_window_fills_at_its_own_pace(samples, period):
    """Mark of an index-and-basis rule: the average of the samples taken so far."""
    d = desk(
        OKX, sources=((SPOT, 1),), venue={"basis_samples": samples}, mark={"period_ns": period}
    )
    d.marks()
    perp_quotes(d, 1_020, 1_040)
    d.marks()
    mark = d.w.marks[PERP] / MICRO
    window = d.w.venues[0].basis[PERP].state()

    if period == SECOND:
        assert (mark, len(window)) == (1_030, 1)
    else:
        assert (mark, len(window)) == (1_000, 0)
        for _ in range(4):
            d.marks()
        assert d.w.marks[PERP] / MICRO == 1_030


def test_a_wick_does_not_move_a_median_mark():
    """Last 600, index 1,000, basis 30: the middle is the index."""
    d = desk(sources=((SPOT, 1),))
    perp_quotes(d, 1_020, 1_040)
    d.marks()
    d.w.last_prices[PERP] = 600
    d.marks()

    assert 999 < d.w.marks[PERP] / MICRO <= 1_000


def test_an_oracle_mark_has_three_inputs():
    """Oracle and basis 1,000 + 30, own book 1,040, other venues 1,035: the middle."""
    d = Desk(make_config(venue=under(HYPERLIQUID), perp={"index_sources": ((SPOT, 1),)}))
    d.w.mark_sources[PERP] = [(PERP_2, 1, 1, 1)]
    perp_quotes(d, 1_020, 1_040)
    perp_quotes(d, 1_034, 1_036, PERP_2)
    d.w.last_prices[PERP] = 1_500
    d.marks()

    assert d.w.marks[PERP] == 1_035 * MICRO


def test_of_two_inputs_the_average_of_the_own_book_decides():
    """No other venue lists it; the average lags behind the jump of the book."""
    d = Desk(make_config(venue=under(HYPERLIQUID), perp={"index_sources": ((SPOT, 1),)}))
    for _ in range(30):
        d.marks()
    d.w.last_prices[PERP] = 1_100
    d.marks()

    assert 1_000 * MICRO < d.w.marks[PERP] < 1_010 * MICRO


def test_the_mark_before_is_remembered():
    """What ADL at the previous mark fills at."""
    d = desk(OKX, sources=((SPOT, 1),))
    quote(d, SPOT, 990)
    d.marks()
    quote(d, SPOT, 970)
    d.marks()

    assert d.w.venues[0].previous_marks[PERP] == 990 * MICRO
    assert d.w.marks[PERP] == 970 * MICRO


# collateral prices


def price_of(d, asset):
    """Collateral price of one lot-sized unit, in the ticks of the books here."""
    return d.w.venues[0].asset_prices[asset] / 10**12


def test_collateral_by_index_joins_the_venues():
    """The same coin on both venues; own book alone on the leading one."""
    prices = {}
    for profile in (BINANCE, BYBIT):
        d = desk(profile)
        quote(d, SPOT, 980)
        quote(d, SPOT_2, 1_000)
        d.marks()
        prices[profile.name] = price_of(d, BTC)

    assert prices == {"binance": 0.98, "bybit": 0.99}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (CollateralPriceRule(kind="own_book"), 0.65),
        (CollateralPriceRule(kind="redemption"), 1.0),
        (CollateralPriceRule(kind="weighted", weight_ppm=500_000), 0.825),
        (CollateralPriceRule(kind="weighted", weight_ppm=0, floor_ppm=950_000), 0.95),
    ],
)
def test_each_asset_may_have_a_rule_of_its_own(rule, expected):
    """A synthetic dollar at 0.65 in its own book, redeemed at one."""
    d = desk(venue={"collateral_prices": {USDE: rule}})
    quote(d, USDE_SPOT, 650)
    quote(d, SPOT, 900)
    d.marks()

    assert price_of(d, USDE) == expected
    assert price_of(d, BTC) == 0.9


def test_the_counterfactual_switch_overrides_a_rule():
    """Own books are no longer asked about what is redeemable."""
    rule = CollateralPriceRule(kind="weighted", weight_ppm=0)
    d = desk(venue={"collateral_prices": {USDE: rule}, "own_book_collateral": False})
    quote(d, USDE_SPOT, 650)
    d.marks()

    assert price_of(d, USDE) == 1.0


def test_redemption_without_a_redemption_value_is_the_own_book():
    """Nobody redeems a bitcoin."""
    d = desk(venue={"collateral_prices": {BTC: CollateralPriceRule(kind="redemption")}})
    quote(d, SPOT, 900)
    d.marks()

    assert price_of(d, BTC) == 0.9


# funding


def funded(profile, premium, mark, spot, **tables):
    """Rate and flow of one funding of 10 lots at these prices."""
    d = desk(profile, sources=((SPOT, 1),), venue=tables)
    long, short = (d.account(CROSS, usdt=10**6) for _ in range(2))
    d.pair(long, short, PERP, 1_000, 10)
    d.w.marks[PERP], d.w.indexes[PERP] = mark * MICRO, spot * MICRO
    d.w.venues[0].premiums[PERP].add(premium)
    (event,) = [e for e in d.do(11, 0) if e[0] == 22 and e[1] == PERP]
    return event[2], event[3]


def test_funding_on_the_oracle_price_is_an_eighth_every_hour():
    """1 % of premium, 0.95 % per eight hours, on 10 lots at the oracle's 2,000."""
    rate, paid = funded(HYPERLIQUID, 10_000_000, 1_000, 2_000)

    assert rate == 9_500_000 // 8
    assert paid == -(-10 * 2_000 * rate // 10**9)


def test_funding_on_the_mark():
    """Eight hours of it at once."""
    assert funded(OKX, 1_000_000, 1_000, 2_000) == (500_000, 5)


@pytest.mark.parametrize(("leverage", "cap"), [(25, 30_000_000), (50, 7_500_000)])
def test_contracts_with_little_leverage_have_a_cap_of_their_own(leverage, cap):
    """3 % for at most 25x, else 0.75 times the first maintenance rate of 1 %."""
    d = desk(sources=((SPOT, 1),))
    table = d.w.brackets[PERP]
    d.w.brackets[PERP] = attrs.evolve(table, leverage=(leverage, 20, 4))
    d.w.venues[0].premiums[PERP].add(900_000_000)
    (event,) = [e for e in d.do(11, 0) if e[0] == 22 and e[1] == PERP]

    assert event[2] == cap


def test_the_hourly_cap_of_the_chain():
    """4 % an hour, however large the premium."""
    assert funded(HYPERLIQUID, 900_000_000, 1_000, 1_000)[0] == 40_000_000


# the moving average


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_decay_is_the_exponential(dt, tau):
    """To the precision of a double."""
    assert decay(dt, tau) / 2**64 == pytest.approx(math.exp(-dt / tau), rel=1e-9, abs=1e-12)


@given(st.lists(st.tuples(st.integers(1, 10**10), st.integers(-(10**9), 10**9)), min_size=1))
def test_the_integer_average_is_the_published_update(samples):
    """Numerator and denominator decay alike."""
    mean, now = MovingAverage(150 * SECOND, 0), 0
    top = bottom = value = 0.0
    for dt, sample in samples:
        now += dt
        mean.add(now, sample)
        top, bottom, value = ema_update(top, bottom, float(sample), dt / 1e9, 150.0)

    assert mean.value() == pytest.approx(value, rel=1e-6, abs=1)


def test_no_time_is_no_sample():
    """Two samples at one instant: the second has no weight; before the first there is no value."""
    mean = MovingAverage(SECOND, 0)
    assert mean.value() is None
    mean.add(0, 5)
    assert mean.value() is None
    with pytest.raises(ValueError, match="decay"):
        decay(-1, SECOND)


def test_marks_of_every_profile_are_events():
    """What the venue publishes is what it judges by."""
    for profile in (BINANCE, BYBIT, OKX, HYPERLIQUID):
        d = desk(profile)
        quote(d, SPOT, 990)
        events = d.marks()
        assert {e[1]: e[2] for e in of(events, 20)}[PERP] == d.w.marks[PERP]
