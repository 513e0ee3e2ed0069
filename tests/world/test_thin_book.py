"""The point of the whole: a thin book makes the same liquidation worse, through fills alone."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import LiquidationOutcome
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, SELL
from tests.world.factory import PERP, USDE_SPOT, USDT, Street, of

DEEP, THIN, EMPTY = 200, 20, 0


def liquidated(lots_per_tick: int, mode: int = PORTFOLIO, **tables):
    """One account of 100 lots, liquidated into bids of so many lots on every tick below 985."""
    street = Street(perp={"liquidation_collar_ppm": 50_000}, **tables)
    street.do(30, 0, 10**6)
    account = street.victim(mode, 100, usdt=2_500)
    street.move(984)
    for step in range(30):
        if lots_per_tick:
            street.limit(street.house, PERP, BUY, 983 - step, lots_per_tick // (1 + step // 4))
    return street, account, street.drain()


def average_price(events, account):
    """What the account got for its lots, over all fills of liquidation orders."""
    fills = [event for event in of(events, 6) if event[9] == account]
    return sum(event[11] for event in fills) / sum(event[4] for event in fills)


def test_a_thin_book_gives_worse_fills_and_leaves_less():
    """Same account, same mark, same engine: only the depth differs."""
    deep, rich, deep_events = liquidated(DEEP)
    thin, poor, thin_events = liquidated(THIN)

    assert average_price(deep_events, rich) == 983
    assert average_price(thin_events, poor) < 982
    assert thin.posted(poor) < deep.posted(rich)


def test_the_loss_is_the_sum_of_the_fills():
    """Nothing computes slippage: proceeds are exactly what the trades say."""
    for depth in (DEEP, THIN):
        street, account, events = liquidated(depth)
        fills = [event for event in of(events, 6) if event[9] == account]
        sold = sum(event[3] * event[4] for event in fills)
        assert street.posted(account) == 2_500 + sold - 100 * 1_000
        assert all(event[16] == 4 for event in fills)


def test_the_mark_falls_further_after_a_thin_liquidation():
    """The last price follows the fills down, and the next account is closer to its threshold."""
    marks = {}
    for depth in (DEEP, THIN):
        street, _, _ = liquidated(depth)
        street.marks()
        marks[depth] = street.w.last_prices[PERP], street.w.marks[PERP]
    assert marks[THIN][0] < marks[DEEP][0]


def test_a_thin_book_drags_the_next_account_down():
    """The second account survives the deep book and is liquidated after the thin one."""
    dragged = {}
    for depth in (DEEP, THIN):
        street = Street(perp={"liquidation_collar_ppm": 50_000})
        street.do(30, 0, 10**6)
        street.victim(PORTFOLIO, 100, usdt=2_500)
        second = street.victim(CROSS, 100, usdt=2_950)
        street.move(984)
        for step in range(30):
            street.limit(street.house, PERP, BUY, 983 - step, depth // (1 + step // 4))
        events = street.drain()
        touch = street.w.engines[PERP].book.best_bid
        street.limit(street.house, PERP, SELL, touch + 2, 10)
        events += [event for _ in range(4) for event in street.marks()]
        dragged[depth] = second in [event[1] for event in of(events, 31)]
    assert dragged == {DEEP: False, THIN: True}


def test_an_empty_book_ends_in_the_fund_or_with_the_winners():
    """Nobody bids: the account waits, the mark falls, and the deficit goes where it must."""
    street, account, events = liquidated(EMPTY)
    assert of(events, 6) == []
    street.move(960)
    events = street.tick()

    assert of(events, 33)[0][2] == LiquidationOutcome.BANKRUPT
    assert of(events, 34)[0][3] == -1_500
    assert street.position(account) == (0, 0)


def test_more_sellers_in_one_book_all_get_less():
    """Ten accounts at once are ten times the quantity in the same bids."""
    prices = []
    for count in (1, 10):
        street = Street(perp={"liquidation_collar_ppm": 50_000})
        street.do(30, 0, 10**6)
        accounts = [street.victim(PORTFOLIO, 20, usdt=500) for _ in range(count)]
        street.move(984)
        for step in range(40):
            street.limit(street.house, PERP, BUY, 983 - step, 20)
        events = street.drain()
        fills = [event for event in of(events, 6) if event[9] in accounts]
        prices.append(sum(e[11] for e in fills) / sum(e[4] for e in fills))
    assert prices[1] < prices[0]


@pytest.mark.parametrize("depth", [100, 8])
def test_collateral_is_sold_through_its_own_book(depth):
    """USDe collateral of a loan: the thinner its book, the more of it must go."""
    street = Street(spot={"liquidation_collar_ppm": 100_000})
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    street.trade_at(USDE_SPOT, 930, street.cash, street.cash)
    buyer = street.account(usdt=10**6)
    for step in range(40):
        street.limit(buyer, USDE_SPOT, BUY, 929 - 2 * step, depth)
    street.marks()
    street.drain()

    left = street.posted(account, 3)
    assert (left > 12_000) == (depth == 100)
    assert street.w.accounts[account].loans == {}
