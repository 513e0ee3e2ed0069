"""What holds under every profile: random commands, extreme states, one step of a liquidation."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import REDUCTIONS
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.risk.profiles import PROFILES
from exchange_sim.world import World
from exchange_sim.world.margin import requirements
from exchange_sim.world.steps import StepChecker
from tests.world.factory import PERP, PRICE, Street, of, under
from tests.world.soup import MODES, Soup, soup_config
from tests.world.test_extremes import settled
from tests.world.test_soup import ALL_MODES, MARGIN_MODES

ALL = sorted(PROFILES)
SHORT, LONG = 900, 6_000


def stirred(name, seed, count, modes=MODES, coin=False, **rules):
    """Events of a crash under a profile, every rule of the world checked after every command."""
    config = soup_config(seed, coin)
    tables = under(PROFILES[name], **rules)
    tables.pop("liquidation_fee_ppm")
    first, *rest = config.venues
    config = attrs.evolve(config, venues=(attrs.evolve(first, **tables), *rest))
    w, events = World(config), []
    soup, checker = Soup(w, seed, crash=True, modes=modes), StepChecker(w)
    for _ in range(count):
        command = soup.next()
        checker.before(command)
        happened = w.apply(command)
        events += happened
        found = checker.observe(command, happened)
        assert found == [], (name, seed, command, found[:3])
    return w, events


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", [1, 6])
def test_no_rule_is_broken_under_any_profile(name, seed):
    """Positions and money cancel, funding and fund add up, ADL is due, ranked and never at a loss,
    nobody healthy is liquidated, liquidations only shrink positions.
    """
    _, events = stirred(name, seed, SHORT)
    assert {20, 31, 32, 33} <= {event[0] for event in events}


@pytest.mark.parametrize("name", ["bybit", "okx", "hyperliquid"])
def test_no_rule_is_broken_with_wallets_and_coins(name):
    """Isolated wallets, hedge mode and a coin-margined contract under the other ladders."""
    stirred(name, 3, SHORT, modes=ALL_MODES, coin=True, ladder={"whole_below": 0})


@pytest.mark.parametrize("name", ["okx", "hyperliquid"])
def test_partial_steps_occur_in_the_soup(name):
    """Small brackets and shares are reached, so that the rules above saw them."""
    small = {"hyperliquid": {"whole_below": 0}, "okx": {"tier_step": 1, "last_tiers": 1}}
    rules = {"ladder": small[name]}
    seen = set()
    for seed in (1, 6, 9):
        _, events = stirred(name, seed, SHORT, **rules)
        seen |= {event[2] for event in of(events, 32)}
    assert seen & (REDUCTIONS - {3})


@pytest.mark.soak
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(200, 212))
def test_no_rule_is_broken_for_long(name, seed):
    """The same, longer and with more seeds; large positions are those above nothing."""
    small = {"whole_below": 0, "last_tiers": 1, "tier_step": 1}
    stirred(name, seed, LONG, ladder=small)
    stirred(name, seed, LONG, modes=ALL_MODES, coin=True, ladder=small)
    stirred(name, seed, LONG, modes=MARGIN_MODES, coin=True, ladder=small)


# extreme states


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("fund", [0, 1_000, 10**9])
def test_the_mark_gaps_by_99_per_cent(name, fund):
    """All longs are far below nothing at once, the book is empty: three slots are enough."""
    street = Street(venue=under(PROFILES[name]))
    if fund:
        street.do(30, 0, fund)
    for k in range(8):
        street.victim((CROSS, PORTFOLIO)[k % 2], 20 + k, usdt=1_000 * (k + 1))
    street.move(10)
    events = street.drain(3)

    settled(street)
    lost = -sum(min(0, e[3]) for e in of(events, 33))
    paid = -sum(e[3] for e in of(events, 34) if e[3] < 0)
    given_up = sum(e[4] for e in of(events, 36))
    assert lost > 0
    assert street.w.venues[0].bad_debt_total == given_up
    assert paid + given_up <= lost + len(events)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("price", [10, 1_990])
def test_one_account_holds_half_of_the_open_interest(name, price):
    """It ends with nothing, and so does its position."""
    street = Street(venue=under(PROFILES[name]))
    sign = 1 if price < PRICE else -1
    whale = street.victim(CROSS, sign * 5_000, usdt=600_000)
    for _ in range(10):
        street.victim(CROSS, sign * 500, usdt=400_000)
    street.move(price)
    street.drain(5)

    settled(street)
    assert street.position(whale) == (0, 0)


@pytest.mark.parametrize("name", ALL)
def test_all_accounts_at_their_threshold_at_once(name):
    """A hundred accounts queued by one mark are served by the slices of the engine."""
    street = Street(perp={"liquidation_slice": 50_000}, venue=under(PROFILES[name]))
    street.do(30, 0, 10**5)
    for k in range(100):
        street.victim((CROSS, PORTFOLIO)[k % 2], 10, usdt=250)
    street.move(984, bids=10_000, asks=1, gap=2)
    assert len(street.w.venues[0].queue) == 100
    street.drain(70)

    settled(street)


@pytest.mark.parametrize("name", ALL)
def test_an_empty_book_and_an_empty_fund(name):
    """Nobody trades: ADL and recorded bad debt end everything."""
    street = Street(venue=under(PROFILES[name]))
    for _ in range(5):
        street.victim(PORTFOLIO, 50, usdt=1_000)
    street.move(900)
    events = street.drain(3)

    settled(street)
    assert of(events, 6) == []
    assert of(events, 35) != []


# one step


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(ALL),
    lots=st.integers(20, 1_500),
    margin=st.integers(10, 60),
    fall=st.integers(5, 60),
    bids=st.integers(0, 2_000),
    short=st.booleans(),
)
def test_a_step_raises_the_margin_ratio_or_ends_the_account(name, lots, margin, fall, bids, short):
    """Unless the book gave less than the bankruptcy price, which nobody can promise."""
    rules = {"ladder": {"whole_below": 0}} if name == "hyperliquid" else {}
    street = Street(venue=under(PROFILES[name], **rules), check=False)
    street.do(30, 0, 10**7)
    sign = -1 if short else 1
    account = street.victim(CROSS, sign * lots, usdt=lots * margin)
    street.move(PRICE - sign * fall, bids=bids, asks=bids, gap=1)
    w = street.w
    owner = w.accounts[account]
    equity, _, maintenance = requirements(w, owner)
    events = street.tick()
    if not owner.positions or not any(e[1] == account for e in of(events, 32)):
        assert equity >= maintenance or not owner.liquidating or not of(events, 6)
        return
    after, _, left = requirements(w, owner)
    value = sum(e[5] for e in of(events, 32) if e[1] == account)
    closed = sum(e[4] for e in of(events, 32) if e[1] == account)
    mark = w.marks[PERP]
    loss = sign * (closed * mark // 10**6 - value)
    assert left <= maintenance
    if loss * lots < equity * closed:
        assert after * maintenance >= equity * left
