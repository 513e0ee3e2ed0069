"""Extreme states end in a defined state within bounded steps, and break no rule on the way."""

from __future__ import annotations

import pytest

from exchange_sim.limits import LIQUIDATION_STEPS_MAX
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, SELL
from tests.world.factory import SPOT, USDE, USDE_SPOT, USDT, Street, of


def settled(street: Street) -> None:
    """Nobody under liquidation, nobody owes, nobody is worth less than nothing."""
    venue = street.w.venues[0]
    assert not venue.queue
    for account in street.w.accounts:
        if account.owner >= 0 and account.venue == 0:
            assert not account.liquidating
            assert street.w.margin_of(account.id).equity >= 0


@pytest.mark.parametrize("fund", [0, 1_000, 10**9])
@pytest.mark.parametrize("mode", [CROSS, PORTFOLIO])
def test_the_mark_gaps_by_99_per_cent(fund, mode):
    """Every long is far below nothing at once; shorts and fund pay, the rest is recorded."""
    street = Street()
    if fund:
        street.do(30, 0, fund)
    for k in range(8):
        street.victim(mode, 20 + k, usdt=1_000 * (k + 1))
    street.move(10)
    street.drain(3)

    settled(street)
    recorded = street.w.venues[0].bad_debt_total
    assert (recorded == 0) or fund < 10**9


@pytest.mark.parametrize("price", [10, 1_990])
def test_one_account_holds_half_of_the_open_interest(price):
    """The winners together hold as much on the other side: ADL finds everybody it needs."""
    street = Street()
    sign = 1 if price < 1_000 else -1
    whale = street.victim(CROSS, sign * 5_000, usdt=600_000)
    for _ in range(10):
        street.victim(CROSS, sign * 500, usdt=400_000)
    street.move(price)
    street.drain(5)

    settled(street)
    assert street.position(whale) == (0, 0)
    assert street.posted(whale) == 0


def test_all_accounts_at_their_threshold_at_once():
    """Two hundred accounts are queued by one mark and served by the slices of the engine."""
    street = Street(perp={"liquidation_slice": 50_000})
    street.do(30, 0, 10**5)
    for k in range(200):
        street.victim((CROSS, PORTFOLIO)[k % 2], 10, usdt=250)
    street.move(984, bids=10_000, gap=2)
    assert len(street.w.venues[0].queue) == 200
    street.drain(60)

    settled(street)


def test_an_empty_book_and_an_empty_fund():
    """Nobody trades at all: everything ends by ADL and bad debt."""
    street = Street()
    for _ in range(5):
        street.victim(PORTFOLIO, 50, usdt=1_000)
    street.move(900)
    events = street.drain(3)

    settled(street)
    assert of(events, 6) == []
    assert of(events, 35) != []


def test_one_side_of_every_book_is_empty():
    """Only asks: nothing can be sold, and nothing loops."""
    street = Street()
    street.do(30, 0, 10**6)
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    street.limit(street.cash, USDE_SPOT, SELL, 5_000, 10**6)
    street.trade_at(USDE_SPOT, 700, street.cash, street.cash)
    street.marks()
    events = street.drain(5)

    settled(street)
    assert of(events, 33)[0][1] == account
    assert street.posted(street.w.venues[0].takeover, USDE) == 100_000
    assert street.w.liquidation_pending(0)


def test_an_account_that_can_never_be_sold_is_taken_over_in_the_end():
    """The bound of steps ends a liquidation that nothing else ends."""
    street = Street(check=False)
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    street.trade_at(USDE_SPOT, 930, street.cash, street.cash)
    street.marks()
    street.w.venues[0].steps[account] = LIQUIDATION_STEPS_MAX - 1
    assert of(street.tick(), 33) == []
    ended = of(street.tick(), 33)

    assert [event[1] for event in ended] == [account]
    assert street.posted(account, USDE) == 0


def test_stops_of_a_whole_market_fire_in_one_command():
    """A chain of two thousand stops ends within the command, every link settled."""
    street = Street(check=False)
    for k in range(2_000):
        street.limit(street.cash, SPOT, BUY, 999 - k % 400, 1)
        street.order(street.cash, SPOT, SELL, 2, 0, 1, trigger=999 - k % 400, id=10_000 + k)
    street.trade_at(SPOT, 1_000, street.cash, street.cash)
    events = street.market(street.cash, SPOT, SELL, 1)

    assert len(of(events, 5)) == 2_000
    assert street.w.engines[SPOT].stops.orders == {}
    assert of(events, 6)[-1][3] == 600


def test_prices_at_the_floor():
    """One tick is the lowest price; a mark of one tick values everything and divides by nothing."""
    street = Street()
    street.do(30, 0, 10**6)
    long = street.victim(CROSS, 10, usdt=20_000)
    street.victim(CROSS, -10, usdt=20_000)
    street.move(1)
    street.do(11, 0)
    street.drain(3)

    settled(street)
    assert street.w.margin_of(long).equity == 20_000 - 9_990 - 1  # the loss, and funding


def test_a_wave_keeps_its_order_and_its_rules():
    """Hundreds of accounts queued by one mark: worst first, and nobody forgotten."""
    street = Street(perp={"liquidation_slice": 200_000})
    street.do(30, 0, 10**6)
    made = [street.victim(CROSS, 10, usdt=245 + k % 13) for k in range(300)]
    events = street.move(984, bids=10_000, gap=2)
    started = of(events, 31)
    assert sorted(e[1] for e in started) == made
    assert [e[4] for e in started] == sorted(e[4] for e in started)
    events = street.drain(60)

    settled(street)
    ended = [e[1] for e in of(events, 33)]
    assert sorted(ended) == made
    places = {account: k for k, account in enumerate(e[1] for e in started)}
    first_slot = [places[a] for a in ended[:20]]
    assert first_slot == sorted(first_slot)
