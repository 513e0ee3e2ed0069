"""One engine, four sets of rules: how positions are reduced, taken over and deleveraged."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import LiquidationAction, LiquidationOutcome
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.risk.adl import ADL_RULES
from exchange_sim.risk.profiles import BINANCE, BYBIT, HYPERLIQUID, OKX
from tests.world.factory import PERP, SECOND, Street, of, under

MICRO = 1_000_000
TIER, SHARE = int(LiquidationAction.REDUCE_BY_TIER), int(LiquidationAction.REDUCE_BY_SHARE)
WHOLE = int(LiquidationAction.REDUCE_POSITION)
End = LiquidationOutcome
WITHOUT_LIMIT = {"leverage_ppm": 0}
"""A vault that takes over whatever comes."""


def steps(events, account):
    """Reductions of an account: what they are called and how many lots they closed."""
    return [(e[2], e[4]) for e in of(events, 32) if e[1] == account and e[3] == PERP]


def outcomes(events, account):
    """How the account's liquidations ended."""
    return [End(e[2]) for e in of(events, 33) if e[1] == account]


def large(profile, lots=300, usdt=18_000, **rules):
    """A long of 300,000 in the second bracket (above 200,000), a little below maintenance.

    At 958 its equity is 5,400 against a maintenance of 4,185: so prices go lower.
    """
    street = Street(venue=under(profile, **rules))
    street.do(30, 0, 50_000)
    return street, street.victim(CROSS, lots, usdt=usdt)


# Bybit: brackets, fill or kill, takeover


def test_bybit_goes_down_by_one_bracket():
    """From the second bracket to its floor: 200,000 of 285,600 stay."""
    street, account = large(BYBIT)
    street.move(952, bids=10_000)
    events = street.tick()

    assert steps(events, account)[0] == (TIER, 300 - 200_000 // 952)
    assert outcomes(events, account) == [End.RECOVERED]


def test_bybit_takes_over_when_the_book_cannot_fill_the_step():
    """Fill or kill: nothing trades, and what was left of the margin is the fund's."""
    street, account = large(BYBIT)
    street.move(952, bids=50)
    events = street.tick()

    assert of(events, 6) == []
    assert outcomes(events, account) == [End.TAKEN_OVER]
    assert of(events, 33)[0][3] == 18_000 - 300 * 48
    assert street.posted(account) == 0
    assert street.position(street.w.venues[0].takeover)[0] == 300


def test_bybit_takes_a_position_of_the_lowest_bracket_over_at_once():
    """However good the book is."""
    street, account = large(BYBIT, lots=100, usdt=2_000)
    street.move(985, bids=10_000)
    events = street.tick()

    assert [e for e in of(events, 1) if e[2] == account] == []
    assert outcomes(events, account) == [End.TAKEN_OVER]


def test_a_unified_account_stops_early_where_the_rule_says_so():
    """Binance's portfolio margin runs to the end; Bybit's account leaves when it is cured."""
    ends = {}
    for profile in (BINANCE, BYBIT):
        street = Street(venue=under(profile))
        street.do(30, 0, 50_000)
        account = street.victim(PORTFOLIO, 300, usdt=18_300)
        street.move(952, bids=10_000)
        street.drain()
        ends[profile.name] = street.position(account)[0]

    assert ends["binance"] == 0
    assert ends["bybit"] == 200_000 // 952


# OKX: two brackets, a pause


def test_okx_lowers_by_two_brackets():
    """1,200,000 is in the third bracket: two lower is the first, up to 200,000."""
    street, account = large(OKX, lots=1_200, usdt=82_000)
    street.move(960, bids=2_000)
    events = street.tick()

    assert steps(events, account) == [(TIER, 1_200 - 200_000 * 1_200 // 1_152_000)]
    assert outcomes(events, account) == [End.RECOVERED]


def test_okx_waits_a_minute_and_goes_on():
    """A step that was not enough is followed by nothing for a minute, then by the next."""
    street, account = large(OKX, lots=1_200, usdt=74_000)
    street.move(960, bids=100)
    street.tick()
    left = street.position(account)[0]
    for second in range(59):
        street.now += SECOND
        assert street.tick() == [], second
    street.limit(street.house, PERP, 0, 959, 2_000)
    street.now += SECOND
    street.tick()

    assert street.position(account)[0] < left


def test_okx_closes_the_lowest_brackets_through_the_book():
    """Tiers one and two: all of it, no pause."""
    street, account = large(OKX, lots=300, usdt=14_000)
    street.move(965, bids=10_000)
    events = street.tick()

    assert steps(events, account) == [(WHOLE, 300)]
    assert outcomes(events, account) == [End.CLOSED]


def test_okx_deleverages_at_mark_and_the_fund_pays_what_is_missing():
    """The winners give up their position, not their profit at the mark."""
    street = Street(venue=under(OKX))
    account = street.victim(CROSS, 100, usdt=2_000)
    street.move(970)
    events = street.tick()

    assert {e[2] for e in of(events, 35)} == {970 * MICRO}
    assert outcomes(events, account) == [End.BANKRUPT]
    assert of(events, 36)[0][4] == 1_000


@pytest.mark.parametrize(("paid", "adl"), [(2_000, False), (3_000, True)])
def test_okx_deleverages_once_the_fund_is_down_by_30_per_cent(paid, adl):
    """The peak of eight hours counts; the fund could pay each of the deficits."""
    street = Street(venue=under(OKX))
    street.do(30, 0, 10_000)
    street.victim(CROSS, 100, usdt=3_000 - paid)
    street.move(970)
    assert of(street.tick(), 35) == []
    street.victim(CROSS, 100, price=970, usdt=1_000)
    street.pair(street.partner, street.house, PERP, 1_000, 100)
    street.move(955)
    events = street.tick()

    assert (of(events, 35) != []) is adl


# Hyperliquid: a share, the vault, rounds


def share_first(lots=100, usdt=2_900, **rules):
    """A position that counts as large: a fifth first."""
    street = Street(venue=under(HYPERLIQUID, ladder={"whole_below": 0}, **rules))
    street.do(30, 0, 10_000)
    return street, street.victim(CROSS, lots, usdt=usdt)


def test_hyperliquid_sells_a_fifth_of_a_large_position_and_then_all():
    """Within thirty seconds of a partial step every order is for the whole position."""
    street, account = share_first()
    street.move(979, bids=21, asks=21, gap=9)
    first = street.tick()
    street.limit(street.house, PERP, 0, 970, 200)
    second = street.tick()

    assert steps(first, account) == [(SHARE, 20)]
    assert steps(second, account) == [(WHOLE, 80)]


def test_hyperliquid_begins_again_with_a_fifth_after_the_cooldown():
    """Half a minute without a partial step."""
    street, account = share_first()
    street.move(979, bids=21, asks=21, gap=9)
    street.tick()
    street.now += 30 * SECOND
    street.limit(street.house, PERP, 0, 970, 200)
    second = street.tick()

    assert steps(second, account) == [(SHARE, 16)]


def test_a_small_position_goes_as_a_whole():
    """Below 100,000 coins there is no partial step."""
    street = Street(venue=under(HYPERLIQUID))
    account = street.victim(CROSS, 100, usdt=2_900)
    street.move(979, bids=200)

    assert steps(street.tick(), account) == [(WHOLE, 100)]


def test_the_backstop_vault_takes_what_is_below_two_thirds_of_maintenance():
    """Equity 600 against a maintenance of 972: position and margin are the vault's."""
    street, account = share_first(usdt=3_400, takeover=WITHOUT_LIMIT)
    street.move(972)
    events = street.tick()
    keeper = street.w.venues[0].takeover

    assert outcomes(events, account) == [End.BACKSTOP]
    assert of(events, 34) == []
    assert (street.posted(account), street.position(account)) == (0, (0, 0))
    assert street.position(keeper) == (100, 97_200)
    assert street.posted(keeper) == 600


def test_two_thirds_exactly_are_still_for_the_book():
    """Equity 648 of 972; one unit less and the vault takes it."""
    for usdt, taken in ((3_448, False), (3_447, True)):
        street, account = share_first(usdt=usdt, takeover=WITHOUT_LIMIT)
        street.move(972)
        assert (outcomes(street.tick(), account) == [End.BACKSTOP]) is taken, usdt


def test_what_the_vault_earns_and_loses_is_its_own():
    """It works the position off; the result is in the balance of the vault."""
    street, _ = share_first(usdt=3_400, takeover=WITHOUT_LIMIT | {"pace": "at_once"})
    street.move(972)
    street.tick()
    street.limit(street.house, PERP, 0, 975, 200)
    events = street.tick()

    assert of(events, 34)[-1][3:] == (600 + 300, 10_000 + 900)
    assert not street.w.liquidation_pending(0)


def test_a_vault_may_keep_what_it_got():
    """Then nothing is sold and no slot is needed for it."""
    rules = {"takeover": WITHOUT_LIMIT | {"works_off": False, "pace": "at_once"}}
    street = Street(venue=under(HYPERLIQUID, **rules))
    street.do(30, 0, 10_000)
    street.victim(CROSS, 100, usdt=3_400)
    street.move(972)
    street.tick()
    street.limit(street.house, PERP, 0, 975, 200)
    street.tick()

    assert street.position(street.w.venues[0].takeover)[0] == 100
    assert not street.w.liquidation_pending(0)


def test_adl_is_a_round_after_all_liquidations_at_the_previous_mark():
    """Tried in the book first, in the same round; then closed at the mark of the update before."""
    street, account = share_first(usdt=2_000)
    street.move(985)
    street.do(4, street.house, -1, -1)
    street.trade_at(PERP, 960, street.house, street.partner)
    street.move(960)
    before = street.w.venues[0].previous_marks[PERP]
    events = street.tick()
    kinds = [e[0] for e in events if e[0] in {50, 35, 33}]

    assert kinds[0] == 50
    assert {e[2] for e in of(events, 35)} == {before}
    assert sum(e[3] for e in of(events, 35)) == 100
    assert outcomes(events, account) == [End.BANKRUPT]


def test_who_has_something_left_at_the_previous_mark_keeps_it():
    """The mark before was better than the price at which the account was insolvent."""
    street, account = share_first(usdt=2_500)
    street.pair(street.partner, street.house, PERP, 1_000, 100)
    street.trade_at(PERP, 985, street.house, street.partner)
    street.marks()
    street.marks()
    street.do(4, street.house, -1, -1)
    street.w.marks[PERP], street.w.venues[0].previous_marks[PERP] = 970 * MICRO, 985 * MICRO
    street.w.accounts[account].liquidating = True
    street.w.venues[0].queue.append(account)
    street.checker = None
    events = street.tick()

    assert outcomes(events, account) == [End.DELEVERAGED]
    assert street.posted(account) == 2_500 - 1_500
    assert not street.w.accounts[account].liquidating


def test_no_adl_in_a_market_without_a_liquidation_in_the_same_round():
    """A halted market takes no order, so nobody is deleveraged there; the vault takes it."""
    street, _ = share_first(usdt=2_000)
    street.move(970)
    street.w.venues[0].attempted.clear()
    events = street.tick()
    tried = {e[3] for e in of(events, 1)}

    assert {e[1] for e in of(events, 35)} <= tried


def test_the_vault_itself_is_deleveraged_when_its_capital_is_gone():
    """But only in a slot in which somebody was liquidated there: ADL never comes by itself."""
    street = Street(venue=under(HYPERLIQUID, takeover=WITHOUT_LIMIT))
    street.do(30, 0, 100)
    street.victim(CROSS, 100, usdt=3_400)
    other = street.victim(CROSS, 10, usdt=660)
    street.move(972)
    street.tick()
    keeper = street.w.venues[0].takeover
    assert street.position(keeper)[0] == 100
    street.w.marks[PERP] = 940 * MICRO
    alone = street.tick()
    street.move(942, bids=10)
    events = street.tick()

    assert of(alone, 35) == []
    assert {e[9] for e in of(events, 6)} == {other}
    assert {e[4] for e in of(events, 35)} == {keeper}
    assert street.position(keeper)[0] == 0


# ADL of Bybit


def test_bybit_deleverages_at_the_bankruptcy_price_near_the_mark():
    """1,000 missing on 100 lots: 10 above the mark of 970."""
    street = Street(venue=under(BYBIT))
    street.victim(CROSS, 100, usdt=2_000)
    street.move(970)

    assert {e[2] for e in of(street.tick(), 35)} == {980 * MICRO}


def test_bybit_deleverages_at_the_mark_when_bankruptcy_is_too_far():
    """2,000 of margin, 100 lots, a mark of 900: bankruptcy is at 980, 8.9 % away."""
    street = Street(venue=under(BYBIT))
    street.victim(CROSS, 100, usdt=2_000)
    street.move(900)
    events = street.tick()

    assert {e[2] for e in of(events, 35)} == {900 * MICRO}
    assert of(events, 36)[0][4] == 8_000


@pytest.mark.parametrize(("fund", "adl"), [(1_000, True), (1_001, False)])
def test_bybit_adl_needs_fund_and_account_to_be_worth_nothing(fund, adl):
    """The rule of September 2025, at its edge."""
    street = Street(venue=under(BYBIT))
    street.do(30, 0, fund)
    street.victim(CROSS, 100, usdt=2_000)
    street.move(970)

    assert (of(street.tick(), 35) != []) is adl


def test_the_later_rule_looks_at_the_losses_of_the_instrument():
    """Ten per cent of the fund's peak lost in one instrument: the next position goes to ADL."""
    later = {"adl_trigger": {"kind": "symbol_drawdown", "start_ppm": 100_000, "stop_ppm": 50_000}}
    street = Street(venue=under(BYBIT, **later))
    street.do(30, 0, 10_000)
    street.victim(CROSS, 100, usdt=2_000)
    street.move(970)
    assert of(street.tick(), 35) == []
    street.victim(CROSS, 50, price=970, usdt=500)
    street.move(955)
    events = street.tick()

    assert of(events, 35) != []
    assert {e[2] for e in of(events, 35)} == {955 * MICRO}


# the same wave under every allocation rule


@pytest.mark.parametrize("profile", [BINANCE, BYBIT, OKX, HYPERLIQUID])
def test_every_profile_can_share_out_in_every_way(profile):
    """The same insolvent long against the same winners: what they lose differs by rule."""
    worst = {}
    for rule in ADL_RULES:
        street = Street(venue={**under(profile), "adl_rule": rule})
        account = street.account(CROSS, usdt=1_200)
        shorts = [street.account(CROSS, usdt=usdt) for usdt in (5_000, 50_000, 500_000)]
        for short in shorts:
            street.pair(street.partner, short, PERP, 1_000, 40)
        street.pair(account, street.partner, PERP, 1_000, 60)
        street.move(970)
        street.move(970)
        events = street.tick()
        closed = {e[5]: e[3] for e in of(events, 35)}
        assert sum(closed.values()) == 60
        worst[rule] = max(closed[a] / (5_000 * 10**k) for k, a in enumerate(shorts) if a in closed)

    assert worst["optimised"] <= worst["pro_rata"] <= worst["production_queue"]
    assert worst["optimised"] < worst["production_queue"]
