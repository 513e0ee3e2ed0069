"""The spot price range rule: off by default; with it, nothing trades far from recent trades."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import IOC
from exchange_sim.world.price_range import TradeWindow
from tests.world.factory import PRICE, SECOND, SPOT, Desk, of

BUY, SELL = 0, 1


def thin_book(**spot: int) -> tuple[Desk, int, int]:
    """Bids at 990, 960, 930 and 100, after a trade at 1,000 in the second before."""
    desk = Desk(spot=spot)
    maker, seller = desk.account(usdt=10**7, btc=10**7), desk.account(usdt=10**7, btc=10**7)
    desk.limit(maker, SPOT, BUY, PRICE, 1)
    desk.limit(seller, SPOT, SELL, PRICE, 1, tif=IOC)
    for price in (990, 960, 930, 100):
        desk.limit(maker, SPOT, BUY, price, 1)
    desk.now += SECOND
    return desk, maker, seller


def prices(events: list[tuple[int, ...]]) -> list[int]:
    """Of all trades."""
    return [event[3] for event in of(events, 6)]


def test_without_the_rule_an_old_bid_is_hit():
    """As in October 2025: a market order takes whatever rests."""
    desk, _, seller = thin_book()
    assert prices(desk.market(seller, SPOT, SELL, 4)) == [990, 960, 930, 100]


def test_takers_stop_at_the_edge_and_the_rest_expires():
    """5 % below the mean: market and limit orders alike; sides are mirror images."""
    desk, _, seller = thin_book(price_range_ppm=50_000)
    events = desk.market(seller, SPOT, SELL, 4)
    assert prices(events) == [990, 960]
    assert of(events, 3)[-1][5:] == (2, 0, CancelReason.PRICE_BOUND)
    desk.now += 120 * SECOND
    desk, _, seller = thin_book(price_range_ppm=50_000)
    events = desk.limit(seller, SPOT, SELL, 50, 4)
    assert prices(events) == [990, 960]
    assert of(events, 3)[-1][5:] == (2, 0, CancelReason.PRICE_BOUND)


def test_orders_that_only_rest_may_rest_anywhere():
    """The rule is about trades: an offer far above and a bid far below are taken in."""
    desk, maker, seller = thin_book(price_range_ppm=50_000)
    assert not of(desk.limit(maker, SPOT, BUY, 10, 1), 3)
    assert not of(desk.limit(seller, SPOT, SELL, 5_000, 1, id=77), 3)
    replaced = desk.do(3, seller, 77, 80, -1)
    assert prices(replaced) == [990]


def test_the_mean_moves_with_the_trades_and_forgets_them():
    """A window of a minute: what traded before it, and one bucket more, no longer counts."""
    desk, _, seller = thin_book(price_range_ppm=50_000)
    desk.now += 67 * SECOND
    assert prices(desk.market(seller, SPOT, SELL, 4)) == [990, 960, 930, 100]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 10**6)), max_size=60))
def test_the_window_is_the_plain_mean_up_to_one_bucket(trades):
    """Between the mean of the whole buckets and that of one more: a naive twin."""
    window, now = TradeWindow(50_000, 60 * SECOND), 0
    seen: list[tuple[int, int]] = []
    for wait_ms, price in trades:
        now += wait_ms * 10**6
        window.add(now, price)
        seen.append((now // 10**6, price))
    now += 10**6
    found = window.reference(now)
    inside = [price for at, price in seen if at > now // 10**6 - 60_000]
    near = [price for at, price in seen if at > now // 10**6 - 66_001]
    assert (found is None) <= (not inside)
    if found is not None:
        assert min(near) <= found <= max(near)
