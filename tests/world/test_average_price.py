"""PERCENT_PRICE_BY_SIDE in the world: four multipliers, and the average they are taken of."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.matching.filters import Filters
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import CROSS
from exchange_sim.model.enums import IOC
from exchange_sim.units import PPM
from exchange_sim.world.price_range import TradeWindow, average_price
from tests.world.factory import PERP, PRICE, SECOND, SPOT, Desk, of, reason

R = RejectReason
BUY, SELL = 0, 1
FILTERS = Filters(
    bid_up_ppm=1_200_000, bid_down_ppm=200_000, ask_up_ppm=5_000_000, ask_down_ppm=800_000
)
MINUTE = 60 * SECOND
PERP_BAND = {"up": 1_050_000, "down": 950_000}
"""What the recorded BTCUSDT contract has."""


def market(window_ns: int, filters: Filters = FILTERS) -> tuple[Desk, int, int]:
    """After a trade of 30 lots at 1,000 and one of 10 lots at 1,100, 30 seconds later."""
    desk = Desk(spot={"filters": filters, "average_window_ns": window_ns})
    buyer, seller = desk.account(usdt=10**8, btc=10**8), desk.account(usdt=10**8, btc=10**8)
    for price, qty in ((PRICE, 30), (1_100, 10)):
        desk.now += 30 * SECOND
        desk.limit(buyer, SPOT, BUY, price, qty)
        desk.limit(seller, SPOT, SELL, price, qty, tif=IOC)
    desk.now += SECOND
    desk.do(14, 0)
    return desk, buyer, seller


@pytest.mark.parametrize(
    ("side", "least", "most"), [(BUY, 205, 1_230), (SELL, 820, 5_125)], ids=["bids", "asks"]
)
def test_each_side_has_its_range_around_the_average(side: int, least: int, most: int) -> None:
    """(30 x 1,000 + 10 x 1,100) / 40 = 1,025; both bounds are inclusive."""
    for price, expected in (
        (least - 1, R.PERCENT_PRICE_BELOW), (least, 0), (most, 0),
        (most + 1, R.PERCENT_PRICE_ABOVE),
    ):  # fmt: skip
        desk, buyer, _ = market(5 * MINUTE)
        assert average_price(desk.w, SPOT) == 1_025
        events = desk.limit(buyer, SPOT, side, price, 1)
        assert (reason(events) if of(events, 2) else 0) == expected, price


def test_without_a_window_the_last_price_stands_in() -> None:
    """The last trade was at 1,100; and so it is once a window has run empty."""
    for window_ns, wait in ((0, 0), (MINUTE, 10 * MINUTE)):
        desk, buyer, _ = market(window_ns)
        desk.now += wait
        desk.do(14, 0)
        assert average_price(desk.w, SPOT) == 1_100
        assert not of(desk.limit(buyer, SPOT, BUY, 1_320, 1), 2)
        assert reason(desk.limit(buyer, SPOT, BUY, 1_321, 1)) == R.PERCENT_PRICE_ABOVE


def test_a_changed_order_is_held_to_the_average_too() -> None:
    """And to the bounds of its own side."""
    desk, buyer, _ = market(5 * MINUTE)
    desk.limit(buyer, SPOT, BUY, 900, 1, id=70)
    assert reason(desk.do(3, buyer, 70, 1_231, -1)) == R.PERCENT_PRICE_ABOVE
    assert reason(desk.do(3, buyer, 70, 204, -1)) == R.PERCENT_PRICE_BELOW
    assert not of(desk.do(3, buyer, 70, 205, -1), 2)


def test_the_value_of_a_market_order_is_taken_at_the_average() -> None:
    """Three lots are worth 3,075 at the average and 3,300 at the last price."""
    filters = Filters(notional_min=3_080)
    for window_ns, refused in ((5 * MINUTE, True), (0, False)):
        desk, buyer, seller = market(window_ns, filters)
        desk.limit(buyer, SPOT, BUY, PRICE, 10)
        events = desk.market(seller, SPOT, SELL, 3)
        assert (R.NOTIONAL_TOO_SMALL in [event[4] for event in of(events, 2)]) is refused
        assert bool(of(events, 6)) is not refused


def perpetual(filters: Filters) -> tuple[Desk, int]:
    """A perpetual whose mark of 1,000.5 (index and basis) is far from its last trade at 1,100."""
    desk = Desk(perp={"filters": filters, "average_window_ns": 5 * MINUTE})
    buyer, seller = desk.account(CROSS, usdt=10**8), desk.account(CROSS, usdt=10**8)
    desk.limit(buyer, PERP, BUY, 1_100, 10)
    desk.limit(seller, PERP, SELL, 1_100, 10, tif=IOC)
    desk.w.marks[PERP] = 1_000_500_000
    return desk, buyer


@pytest.mark.parametrize(("side", "down", "up"), [(BUY, 951, 1_050), (SELL, 951, 1_050)])
def test_the_price_of_a_perpetual_is_measured_against_its_mark(
    side: int, down: int, up: int
) -> None:
    """Multipliers 0.95 and 1.05: 950.475 to 1,050.525, whatever was traded last."""
    both: dict[str, Any] = {
        f"{x}_{end}_ppm": r for x in ("bid", "ask") for end, r in PERP_BAND.items()
    }
    for price, expected in (
        (down - 1, R.PERCENT_PRICE_BELOW), (down, 0), (up, 0), (up + 1, R.PERCENT_PRICE_ABOVE),
    ):  # fmt: skip
        desk, owner = perpetual(Filters(**both))
        events = desk.limit(owner, PERP, side, price, 1, id=80)
        assert (reason(events) if of(events, 2) else 0) == expected, price
        if not expected:
            assert reason(desk.do(3, owner, 80, up + 1, -1)) == R.PERCENT_PRICE_ABOVE


def test_the_value_of_a_market_order_for_a_perpetual_is_taken_at_the_mark() -> None:
    """Three lots are worth 3,001.5 at the mark and 3,300 at the last price."""
    for least, refused in ((3_002, True), (3_001, False)):
        desk, owner = perpetual(Filters(notional_min=least))
        desk.limit(desk.account(CROSS, usdt=10**8), PERP, SELL, 1_100, 10)
        found = [event[4] for event in of(desk.market(owner, PERP, BUY, 3), 2)]
        assert (R.NOTIONAL_TOO_SMALL in found) is refused


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(1, 10**6), st.integers(1, 10**9)),
        max_size=50,
    )
)
def test_the_average_is_the_plain_one_up_to_one_bucket(trades):
    """A naive twin: exact while nothing has left the window, between its prices afterwards."""
    window, now, seen = TradeWindow(0, MINUTE), 0, []
    for wait_ms, price, qty in trades:
        now += wait_ms * 10**6
        window.add(now, price, qty)
        seen.append((now // 10**6, price, qty))
    now += 10**6
    found = window.reference(now)
    near = [(price, qty) for at, price, qty in seen if at > now // 10**6 - 66_001]
    if found is not None:
        assert min(near)[0] <= found <= max(near)[0]
    if seen and now // 10**6 - seen[0][0] < 54_000:
        total = sum(price * qty for _, price, qty in seen)
        assert found == Fraction(total, sum(qty for *_, qty in seen))
        assert Filters(bid_up_ppm=PPM).check_values(BUY, int(found) + 1, 1, found)
