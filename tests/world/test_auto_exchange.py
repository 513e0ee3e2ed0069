"""Multi-assets mode: a debit beyond the floor is covered by collateral, in real movements."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.risk.cross_margin import auto_exchange_amount, auto_exchange_shares
from exchange_sim.world import auto_exchange
from tests.world.factory import BTC, ETH, ETH_SPOT, PERP, PRICE, SPOT, USDT, Event, Street, of

HAIRCUT = 25_000


def in_debt(
    loss: int, mode: int = CROSS, floor: int = 5_000, haircut: int = HAIRCUT
) -> tuple[Street, int, list[Event]]:
    """An account with coins only that has realized a loss, and the mark update after it."""
    desk = Street(venue={"auto_exchange_floor": floor, "auto_exchange_haircut_ppm": haircut})
    account = desk.account(mode, btc=60_000, eth=20_000)
    desk.limit(desk.house, PERP, 1, PRICE + loss // 10, 10)
    desk.limit(account, PERP, 0, PRICE + loss // 10, 10)
    desk.limit(desk.house, PERP, 0, PRICE, 10)
    desk.limit(account, PERP, 1, PRICE, 10)
    desk.do(4, desk.house, -1, -1)
    return desk, account, desk.marks()


def test_debit_is_sold_for_pro_rata():
    """6,000 of debit are 6,153.8 of coins after 2.5 %, three quarters of them in BTC."""
    desk, account, events = in_debt(6_000)
    assert auto_exchange_amount(6_000, Fraction(HAIRCUT, 10**6)) == pytest.approx(6_153.8, abs=0.1)
    shares = auto_exchange_shares(6_154, {"BTC": 60_000, "ETH": 20_000})
    taken = {event[2]: event[3] for event in of(events, 64)}
    assert taken == {BTC: -(-shares["BTC"] // 1), ETH: -(-shares["ETH"] // 1)}
    assert not desk.w.accounts[account].loans
    assert desk.posted(account, BTC) == 60_000 - taken[BTC]
    moved = [e for e in of(events, 10) if e[5] == PostingKind.AUTO_EXCHANGE]
    assert len(moved) == 4
    desk.limit(desk.cash, SPOT, 0, PRICE, 100)
    desk.limit(desk.cash, ETH_SPOT, 0, PRICE, 100)
    events = desk.tick()
    assert {event[3] for event in of(events, 32)} == {SPOT, ETH_SPOT}
    assert desk.w.accounts[desk.w.venues[0].takeover].loans.get(USDT, 0) < 6_154


@pytest.mark.parametrize(
    ("loss", "mode", "floor"), [(4_990, CROSS, 5_000), (9_000, CROSS, 0), (9_000, PORTFOLIO, 5_000)]
)
def test_small_debits_and_other_modes_are_left_alone(loss: int, mode: int, floor: int):
    """Up to the floor nothing happens; unified accounts have their own rules."""
    desk, account, events = in_debt(loss, mode, floor)
    assert of(events, 64) == []
    assert desk.w.accounts[account].auto_loans


@pytest.mark.parametrize(
    ("price", "kept", "taken"), [(502, 0, True), (505, 0, False), (502, 1, False)]
)
def test_a_flat_account_that_owes_all_that_it_has_is_cleared(price: int, kept: int, taken: bool):
    """4,000 against 4,016 is 99.6 %, against 4,040 99.0 %; below the floor only that decides.

    With a position left, and at 99.0 %, the liquidation comes.
    """
    desk = Street(venue={"auto_exchange_floor": 5_000})
    account = desk.account(CROSS, btc=8_000)
    desk.limit(desk.house, PERP, 1, PRICE + 400, 10)
    desk.limit(account, PERP, 0, PRICE + 400, 10)
    desk.limit(desk.house, PERP, 0, PRICE, 10)
    desk.limit(account, PERP, 1, PRICE, 10 - kept)
    events = desk.marks()
    assert not of(events, 64) + of(events, 31)
    events = desk.move(price)
    assert bool(of(events, 64)) is taken
    assert bool(of(events, 31)) is not taken


@settings(max_examples=20, deadline=None)
@given(st.integers(5_100, 40_000), st.integers(0, 400_000))
def test_all_is_taken_at_most_and_the_debit_shrinks_by_what_is_paid(loss: int, haircut: int):
    """Whatever debit and haircut (every step checked): no more than there is, and what is due.

    Both prices are rounded down, so a unit may be left of each.
    """
    desk, account, events = in_debt(loss // 10 * 10, CROSS, 5_000, haircut)
    paid = sum(event[4] for event in of(events, 64))
    if desk.w.accounts[account].liquidating or not paid:
        return
    left = desk.w.accounts[account].loans.get(USDT, 0)
    assert left == max(0, loss // 10 * 10 - paid)
    assert left <= 2 or desk.posted(account, BTC) == desk.posted(account, ETH) == 0


def test_coins_that_vanish_are_noticed(monkeypatch):
    """A planted bug: the venue takes more than it writes down."""
    real = auto_exchange._sell

    def sell(w, venue, account, asset, amount, paid):
        real(w, venue, account, asset, amount, paid)
        w.ledger.posted[account.id][asset] -= 1
        w.ledger.posted[venue.takeover][asset] += 1

    monkeypatch.setattr(auto_exchange, "_sell", sell)
    with pytest.raises(AssertionError):
        in_debt(6_000)
