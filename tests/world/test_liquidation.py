"""The life of a liquidation: queue, cancel, repay, sell, reduce, end."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import CancelReason, LiquidationAction, LiquidationOutcome
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, SELL
from tests.world.factory import (
    BTC,
    PERP,
    SPOT,
    USDE,
    USDE_SPOT,
    USDT,
    Desk,
    Street,
    evolve_venue,
    kinds,
    make_config,
    of,
)

SELLS, REDUCES, BUYS = (
    int(LiquidationAction.SELL_ASSET),
    int(LiquidationAction.REDUCE_POSITION),
    int(LiquidationAction.BUY_LIABILITY),
)


def test_orders_are_cancelled_before_anything_is_sold():
    """Cancel, then one IOC order through the book; the account recovers and leaves the queue."""
    street = Street()
    account = street.victim(CROSS, 100, usdt=2_000)
    street.limit(account, PERP, SELL, 1_200, 5, id=1)
    started = street.move(985, bids=500)
    events = street.tick()

    assert [e[1] for e in of(started, 31)] == [account]
    assert kinds(events)[:2] == ["OrderCanceled", "LiquidationStep"]
    assert of(events, 3)[0][7] == CancelReason.LIQUIDATION
    assert of(events, 6)[0][16] == FLAG_LIQUIDATION
    assert of(events, 33)[0][2] == LiquidationOutcome.RECOVERED
    assert not street.w.accounts[account].liquidating


def test_cancelling_alone_does_not_sell_what_is_healthy_again():
    """A cross account that recovered before its turn is left alone."""
    street = Street()
    account = street.victim(CROSS, 100, usdt=2_000)
    street.move(985)
    street.do(21, account, USDT, 5_000)
    events = street.tick()

    assert kinds(events) == ["LiquidationEnded"]
    assert street.position(account)[0] == 100


def test_a_cross_account_is_reduced_only_as_far_as_needed():
    """What restores 1.2 times the maintenance margin, not the whole position."""
    street = Street()
    account = street.victim(CROSS, 100, usdt=2_000)
    street.move(985, bids=500)
    street.tick()

    state = street.w.margin_of(account)
    assert 0 < street.position(account)[0] < 100
    assert state.equity >= state.maintenance


def test_a_portfolio_account_is_liquidated_to_the_end():
    """Money that comes in meanwhile does not stop it."""
    street = Street()
    account = street.victim(PORTFOLIO, 100, usdt=2_000)
    street.move(985, bids=40)
    street.tick()
    street.do(21, account, USDT, 10**6)
    assert street.w.accounts[account].liquidating
    street.move(985, bids=100)
    events = street.tick()

    assert of(events, 33)[0][2] == LiquidationOutcome.CLOSED
    assert street.position(account) == (0, 0)
    assert street.posted(account) > 10**6


def test_the_fee_goes_to_the_insurance_fund():
    """A share of what was liquidated, rounded down, as far as there is cash."""
    street = Street(venue={"liquidation_fee_ppm": 2_000})
    account = street.victim(PORTFOLIO, 10, usdt=500)
    street.move(955, bids=500)
    events = street.tick()

    value = of(events, 32)[0][5]
    assert value == 10 * 954
    assert [e[5] for e in of(events, 10) if e[5] == 10] == [10]
    assert of(events, 34)[0][3:] == (19, 19)
    assert street.posted(account) == 500 - 460 - 19


def test_assets_are_sold_to_repay_loans():
    """A loan against falling collateral: the asset is sold, the loan repaid, the rest stays."""
    street = Street()
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    buyer = street.account(usdt=10**6)
    street.limit(street.cash, USDE_SPOT, SELL, 930, 1)
    street.limit(buyer, USDE_SPOT, BUY, 930, 1_000)
    street.marks()
    events = street.drain()

    assert of(events, 32)[0][2:4] == (SELLS, USDE_SPOT)
    assert of(events, 33)[0][2] == LiquidationOutcome.CLOSED
    assert street.w.accounts[account].loans == {}
    assert 10_000 < street.posted(account, USDE) < 14_000


def test_what_releases_most_collateral_now_is_sold_first():
    """The collateral ratio times what the bids inside the collar take."""
    street = Street()
    account = street.account(PORTFOLIO, usde=50_000, btc=50_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    buyer = street.account(usdt=10**6)
    for inst, price, depth in ((SPOT, 850, 5), (USDE_SPOT, 900, 500)):
        street.limit(street.cash, inst, SELL, price, 1)
        street.limit(buyer, inst, BUY, price, depth + 1)
    street.marks()
    events = street.tick()

    assert [e[3] for e in of(events, 32) if e[2] == SELLS] == [USDE_SPOT, SPOT]


def test_a_loan_in_another_asset_is_bought_back():
    """Cash buys the owed asset within the collar, and repays it."""
    street = Street()
    account = street.account(PORTFOLIO, usdt=20_000)
    street.do(23, account, BTC, 15_000)
    street.do(22, account, BTC, 15_000)
    street.limit(street.cash, SPOT, BUY, 1_300, 1)
    street.limit(street.cash, SPOT, SELL, 1_300, 1)
    street.limit(street.cash, SPOT, SELL, 1_301, 100)
    street.marks()
    events = street.drain()

    assert of(events, 32)[0][2:4] == (BUYS, SPOT)
    assert street.w.accounts[account].loans == {}
    assert street.posted(account) == 20_000 - 15 * 1_301


def test_collateral_sale_can_be_switched_off():
    """Then positions go first, and assets only when nothing else is left."""
    for sale, first in ((True, SELLS), (False, REDUCES)):
        street = Street(venue={"collateral_sale": sale})
        account = street.account(PORTFOLIO, usdt=40, usde=20_000)
        street.do(23, account, USDT, 9_000)
        street.do(22, account, USDT, 9_000)
        street.pair(account, street.house, PERP, 1_000, 100)
        street.limit(street.cash, USDE_SPOT, SELL, 580, 1)
        street.limit(street.account(usdt=10**6), USDE_SPOT, BUY, 580, 50)
        street.limit(street.house, PERP, BUY, 1_000, 500)
        street.marks()
        events = street.tick()
        assert of(events, 32)[0][2] == first


def test_slices_bound_what_one_slot_sends():
    """The value per instrument and slot is shared in the order of the queue.

    What is left of it, if less than one lot, still sends one.
    """
    street = Street(perp={"liquidation_slice": 20_000})
    first = street.victim(PORTFOLIO, 50, usdt=600)
    second = street.victim(PORTFOLIO, 50, usdt=700)
    street.move(989, bids=500)
    served = [[(e[1], e[4]) for e in of(street.tick(), 32)] for _ in range(5)]

    assert served == [
        [(first, 20), (second, 1)], [(first, 20), (second, 1)],
        [(first, 10), (second, 10)], [(second, 20)], [(second, 18)],
    ]  # fmt: skip


def test_no_slice_means_no_limit():
    """The default liquidates as much as the book takes."""
    street = Street()
    account = street.victim(PORTFOLIO, 100, usdt=2_000)
    street.move(985, bids=500)
    street.tick()

    assert street.position(account) == (0, 0)


def test_nothing_is_sold_below_the_collar():
    """Two per cent under the worse of mid and mark; what is not filled waits for the next slot."""
    street = Street()
    account = street.victim(PORTFOLIO, 100, usdt=2_000)
    street.move(985)
    street.limit(street.house, PERP, BUY, 966, 10)
    street.limit(street.house, PERP, BUY, 965, 10)
    events = street.tick()

    assert [e[3] for e in of(events, 6)] == [966]
    assert of(events, 3)[0][7] == CancelReason.IOC
    assert street.position(account)[0] == 90


@pytest.mark.parametrize(("bound", "highest"), [(150_000, 1_150), (0, 2_040)])
def test_a_squeeze_is_bounded_by_the_index(bound: int, highest: int):
    """The contract stands at twice its index: without a bound a short is bought back there.

    With one nobody buys by force further above the index than a market order may go above the mark.
    """
    street = Street(perp={"market_take_bound_ppm": bound})
    account = street.account(PORTFOLIO, usdt=2_000)
    street.pair(street.partner, account, PERP, 1_000, 100)
    street.trade_at(PERP, 2_000, street.house, street.partner)
    street.limit(street.house, PERP, BUY, 1_999, 50)
    street.limit(street.house, PERP, SELL, 2_001, 50)
    for _ in range(40):
        street.marks()
    assert street.w.marks[PERP] == pytest.approx(2_000 * 10**6, rel=0.05)
    sent = [e for e in street.tick() if e[0] == 1 and e[2] == account]

    assert street.w.indexes[PERP] == 1_000 * 10**6
    assert all(e[8] == highest for e in sent)
    assert sent or street.position(account) == (0, 0)


def test_halted_instruments_are_left_alone():
    """The engine waits until trading resumes."""
    street = Street()
    account = street.victim(PORTFOLIO, 100, usdt=2_000)
    street.move(985, bids=500)
    street.do(15, PERP, 1)
    assert street.tick() == []
    street.do(15, PERP, 0)
    street.tick()

    assert street.position(account) == (0, 0)


def test_the_worst_account_is_queued_first():
    """Accounts found by one screening join in the order of their ratio."""
    street = Street()
    better = street.victim(CROSS, 100, usdt=1_900)
    worse = street.victim(CROSS, 100, usdt=1_600)
    started = street.move(990)

    assert [e[1] for e in of(started, 31)] == [worse, better]


def test_the_cause_is_what_cost_most():
    """A position's loss, or the fall of an asset since the start."""
    street = Street()
    account = street.victim(CROSS, 100, usdt=2_000)
    assert [e[5:] for e in of(street.move(985), 31)] == [(PERP, -1)]

    desk = Desk()
    account = desk.account(PORTFOLIO, usde=100_000)
    desk.do(23, account, USDT, 80_000)
    desk.do(22, account, USDT, 80_000)
    maker = desk.account(usdt=10**6, usde=10**6)
    desk.trade_at(USDE_SPOT, 930, maker, maker)
    assert [e[5:] for e in of(desk.marks(), 31)] == [(-1, USDE)]


def test_haircuts_do_not_make_an_account_bankrupt():
    """Equity with haircuts below zero, net worth above: it is sold, not taken over."""
    config = evolve_venue(make_config(), insurance=0)
    street = Street(config)
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    buyer = street.account(usdt=10**6)
    street.limit(street.cash, USDE_SPOT, SELL, 850, 1)
    street.limit(buyer, USDE_SPOT, BUY, 850, 1_000)
    street.marks()

    assert street.w.margin_of(account).equity < 0
    events = street.drain()
    assert of(events, 33)[0][2] == LiquidationOutcome.CLOSED
    assert street.posted(account, USDE) > 0


def test_collateral_that_nobody_buys_waits_without_looping():
    """An empty book ends each slot at once; the account stays in the queue."""
    street = Street()
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    street.trade_at(USDE_SPOT, 850, street.cash, street.cash)
    street.marks()

    for _ in range(20):
        assert of(street.tick(), 6) == []
    assert list(street.w.venues[0].queue) == [account]
    assert street.w.venues[0].steps[account] == 20
