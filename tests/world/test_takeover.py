"""Nothing left: insurance, takeover account, ADL, bad debt."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import LiquidationAction, LiquidationOutcome, PostingKind
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, SELL
from tests.world.factory import PERP, USDE, USDE_SPOT, USDT, Desk, Street, kinds, of

MICRO = 1_000_000


def bankrupt(fund, price=970, lots=100, usdt=2_000, **tables):
    """A street where one long account is worth 1,000 less than nothing."""
    street = Street(**tables)
    account = street.victim(CROSS, lots, usdt=usdt)
    street.pair(street.partner, street.house, PERP, 1_000, 10)
    if fund:
        street.do(30, 0, fund)
    street.move(price)
    return street, account


def test_the_fund_pays_the_deficit_and_carries_the_position():
    """All that the account has and owes moves to the takeover account at mark."""
    street, account = bankrupt(fund=5_000)
    keeper = street.w.venues[0].takeover
    events = street.tick()

    assert of(events, 37)[0][1:] == (account, PERP, 100, 970 * MICRO, -3_000)
    assert [(e[3], e[4]) for e in of(events, 34)] == [(-1_000, 4_000)]
    ended = of(events, 33)[0]
    assert ended[2:4] == (LiquidationOutcome.BANKRUPT, -1_000)
    assert street.position(keeper) == (100, 97_000)
    assert street.posted(account) == 0
    assert street.w.liquidation_pending(0)


def test_what_the_takeover_account_earns_belongs_to_the_fund():
    """It sells through the book like everybody, without fee; its result is settled when flat."""
    street, _ = bankrupt(fund=5_000)
    street.tick()
    street.limit(street.house, PERP, BUY, 975, 60)
    first = street.tick()
    street.limit(street.house, PERP, BUY, 972, 60)
    second = street.tick()

    assert of(first, 34) == []
    assert of(second, 34)[-1][3:] == (60 * 5 + 40 * 2, 4_000 + 380)
    assert not street.w.liquidation_pending(0)
    assert street.posted(street.w.venues[0].takeover) == 0


def test_what_the_takeover_account_loses_is_paid_by_the_fund_and_then_bad_debt():
    """The fund is emptied first."""
    street, _ = bankrupt(fund=1_500)
    street.tick()
    street.limit(street.house, PERP, BUY, 960, 200)
    events = street.tick()

    assert [(e[3], e[4]) for e in of(events, 34)] == [(-500, 0)]
    assert of(events, 36)[0][4] == 500
    assert street.w.venues[0].bad_debt_total == 500
    assert street.posted(street.w.venues[0].bad_debt) == -500
    assert street.w.accounts[street.w.venues[0].takeover].loans == {}


def test_taken_over_assets_are_sold():
    """Also when the takeover account owes nothing."""
    street = Street()
    street.do(30, 0, 50_000)
    account = street.account(PORTFOLIO, usde=100_000)
    street.do(23, account, USDT, 80_000)
    street.do(22, account, USDT, 80_000)
    street.trade_at(USDE_SPOT, 790, street.cash, street.cash)
    street.marks()
    street.tick()
    keeper = street.w.venues[0].takeover
    assert street.posted(keeper, USDE) == 100_000
    street.limit(street.account(usdt=10**6), USDE_SPOT, BUY, 790, 1_000)
    street.drain()

    assert street.posted(keeper, USDE) == 0
    assert not street.w.liquidation_pending(0)
    assert street.posted(street.w.venues[0].insurance) == 50_000 - 1_000


def test_adl_closes_at_the_bankruptcy_price_when_the_fund_cannot_pay():
    """Winners give up the deficit: the price is 10 above the mark, for 100 lots and 1,000."""
    street, account = bankrupt(fund=0)
    events = street.tick()

    closed = of(events, 35)
    assert {(e[2], e[5]) for e in closed} == {(980 * MICRO, street.house)}
    assert sum(e[3] for e in closed) == 100
    assert of(events, 6) == []
    assert of(events, 36) == []
    assert of(events, 32)[0][2] == LiquidationAction.ADL
    assert of(events, 33)[0][2] == LiquidationOutcome.BANKRUPT
    assert street.position(account) == (0, 0)
    assert {e[5] for e in of(events, 10)} <= {
        PostingKind.ADL, PostingKind.BORROW, PostingKind.TAKEOVER,
    }  # fmt: skip


def winners(street):
    """Three shorts: much profit on little money, the same on much, and a loser."""
    lots = ((40, 1_000, 5_000), (40, 1_000, 50_000), (40, 960, 5_000))
    made = []
    for qty, price, usdt in lots:
        account = street.account(CROSS, usdt=usdt)
        street.pair(street.partner, account, PERP, price, qty)
        made.append(account)
    return made


def thin_street(rule="production_queue", **tables):
    """A bankrupt long of 60 lots against three shorts; the house holds nothing else."""
    street = Street(venue={"adl_rule": rule}, **tables)
    account = street.account(CROSS, usdt=1_200)
    shorts = winners(street)
    street.pair(account, street.partner, PERP, 1_000, 60)
    street.move(970)
    return street, account, shorts


def test_victims_are_taken_in_the_order_of_rank():
    """Leveraged profit first; who loses at that price is passed over."""
    street, account, (hot, cool, loser) = thin_street()
    events = street.tick()

    assert [(e[5], e[3]) for e in of(events, 35)] == [(hot, 40), (cool, 20)]
    ranks = [e[8] for e in of(events, 35)]
    assert ranks == sorted(ranks, reverse=True)
    assert street.position(loser) == (-40, -38_400)
    assert street.position(account) == (0, 0)


def test_victims_get_their_profit_at_that_price_without_fee():
    """Short from 1,000, closed at 980: 20 a lot."""
    street, _, (hot, _, _) = thin_street()
    street.tick()

    assert street.posted(hot) == 5_000 + 40 * 20


def test_orders_of_victims_in_the_instrument_are_cancelled():
    """All of them, armed ones too; orders elsewhere stay."""
    street, _, (hot, _, _) = thin_street()
    street.limit(hot, PERP, BUY, 900, 5, id=101, flags=FLAG_REDUCE_ONLY)
    street.limit(hot, 3, BUY, 900, 5, id=102)
    events = street.tick()

    assert [e[4] for e in of(events, 3)] == [101]
    assert list(street.w.accounts[hot].orders) == [102]


@pytest.mark.parametrize(("rule", "shares"), [("pro_rata", [30, 30]), ("optimised", [40, 20])])
def test_other_rules_share_among_all_winners(rule, shares):
    """Pro rata by position; or by equity, each up to its position."""
    street, _, (hot, cool, _) = thin_street(rule)
    events = street.tick()

    closed = {e[5]: e[3] for e in of(events, 35)}
    assert sorted(closed.values(), reverse=True) == shares
    assert closed.keys() == {hot, cool}
    if rule == "optimised":
        assert closed[cool] == 40


def test_positions_beyond_the_takeover_limit_go_to_adl_at_mark():
    """The fund could pay, but does not carry that much."""
    street, account = bankrupt(fund=50_000, perp={"takeover_limit": 90_000})
    events = street.tick()

    assert {e[2] for e in of(events, 35)} == {970 * MICRO}
    assert [(e[3]) for e in of(events, 34)] == [-1_000]
    assert street.position(account) == (0, 0)


def test_without_adl_the_deficit_becomes_bad_debt():
    """What the fund has is paid, the rest is recorded, the position is carried."""
    street, _ = bankrupt(fund=300, venue={"adl": False})
    events = street.tick()

    assert of(events, 35) == []
    assert [(e[3], e[4]) for e in of(events, 34)] == [(-300, 0)]
    assert of(events, 36)[0][4] == 700
    assert street.position(street.w.venues[0].takeover)[0] == 100


def test_without_winners_the_rest_is_taken_over():
    """Shorts opened at the bottom have no profit to give; their positions stay."""
    desk = Street()
    account = desk.account(CROSS, usdt=1_200)
    late = desk.account(CROSS, usdt=10**6)
    desk.pair(account, desk.partner, PERP, 1_000, 60)
    desk.pair(desk.partner, late, PERP, 940, 60)
    desk.move(970)
    events = desk.tick()

    assert of(events, 35) == []
    assert of(events, 36)[0][4] == 600
    assert desk.position(late) == (-60, -56_400)


def test_a_short_goes_bankrupt_in_a_rally():
    """The mirror image: the ADL price is below the mark."""
    street = Street()
    street.victim(CROSS, -100, usdt=2_000)
    street.move(1_030)
    events = street.tick()

    assert {e[2] for e in of(events, 35)} == {1_020 * MICRO}
    assert of(events, 36) == []


def test_an_account_worth_exactly_nothing_is_taken_over():
    """No deficit, no payout."""
    street, account = bankrupt(fund=100, price=980)
    events = street.tick()

    assert of(events, 33)[0][2:4] == (LiquidationOutcome.TAKEN_OVER, 0)
    assert of(events, 34) == []
    assert street.posted(account) == 0


def test_opposite_takeovers_net_out():
    """A long and a short taken over one after the other leave nothing to sell."""
    street = Street()
    street.do(30, 0, 10**6)
    street.victim(CROSS, 100, usdt=2_000)
    street.move(970)
    street.tick()
    street.victim(CROSS, -150, price=940, usdt=4_000)
    street.move(970)
    events = street.tick()

    assert kinds(of(events, 37)) == ["PositionTakenOver"]
    assert street.position(street.w.venues[0].takeover)[0] == -50


def test_a_desk_at_rest_has_nothing_to_do():
    """No queue, no takeover: a slot has no events."""
    desk = Desk()

    assert desk.tick() == []
    assert not desk.w.liquidation_pending(0)
    assert desk.limit(desk.account(usdt=1_000, usde=1), USDE_SPOT, SELL, 1, 1)[0][0] == 2
