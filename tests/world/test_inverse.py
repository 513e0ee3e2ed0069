"""Coin-margined contracts: profit in coins, to the unit, and everything that hangs on it."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CROSS, ISOLATED, PORTFOLIO
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.prices import inverse_liquidation_price
from exchange_sim.world import FeeTier, settlement
from exchange_sim.world.margin import requirements
from tests.world.factory import BTC, COIN_PERP, PRICE, USDT, Event, Street, make_config, of, reason
from tests.world.test_soup import stir

BUY, SELL = 0, 1
COINS = 1_000
"""Units of BTC that one contract is worth at ``PRICE``."""


def street(**tables) -> Street:
    """A street with an inverse perpetual; coins count in full."""
    full = {USDT: CollateralTable.of_ratio(1_000_000), BTC: CollateralTable.of_ratio(1_000_000)}
    settings = {"collateral": full, **tables.pop("venue", {})}
    desk = Street(make_config(coin=True, venue=settings, **tables))
    for account in (desk.house, desk.partner):
        desk.do(21, account, BTC, 10**12)
    return desk


def trade(desk: Street, account: int, side: int, lots: int, price: int = PRICE) -> list[Event]:
    """Trade contracts with the house."""
    desk.limit(desk.house, COIN_PERP, 1 - side, price, lots)
    return desk.limit(account, COIN_PERP, side, price, lots)


def move(desk: Street, price: int, bids: int = 0) -> None:
    """Trade at a price everywhere and let the marks follow."""
    desk.do(4, desk.house, -1, -1)
    desk.trade_at(COIN_PERP, price, desk.house, desk.partner)
    desk.move(price)
    if bids:
        desk.limit(desk.house, COIN_PERP, BUY, price - 1, bids)


def test_scales_are_exact_or_refused():
    """A contract is a whole number of quote units, and of coins times ticks."""
    btc, usd = Asset(0, "BTC", 8), Asset(1, "USD", 2)
    kind = InstrumentKind.INVERSE_PERPETUAL
    made = Instrument.make(0, "BTCUSD", 0, kind, btc, usd, Decimal("0.1"), Decimal(100))
    assert (made.contract_units, made.coin_value, made.settle) == (10_000, 10**11, 0)
    assert made.value_at(3, 50_000_0 * 10**6) == -600_000
    with pytest.raises(ValueError, match=r"contract_size 0\.001 is finer"):
        Instrument.make(0, "BTCUSD", 0, kind, btc, usd, Decimal("0.1"), Decimal("0.001"))
    with pytest.raises(ValueError, match="no multiple of tick_size"):
        Instrument.make(0, "BTCUSD", 0, kind, btc, usd, Decimal("0.3"), Decimal(100))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_profit_is_in_coins(side: int):
    """A long of 10 contracts from 1,000 to 1,250 gains 10 * 1,000 * (1/1,000 - 1/1,250) coins."""
    desk = street()
    account = desk.account(CROSS, btc=100_000)
    trade(desk, account, side, 10)
    trade(desk, account, 1 - side, 10, 1_250)
    gained = 10 * COINS - 10 * COINS * 1_000 // 1_250
    assert desk.posted(account, BTC) == 100_000 + (gained if side == BUY else -gained)
    assert desk.posted(account, USDT) == 0
    assert desk.position(account, COIN_PERP) == (0, 0)


def test_fees_are_in_coins():
    """Of the coin notional, at the trade's price; the event says what the contracts are worth."""
    desk = street(fees=(FeeTier(200, 500),))
    account = desk.account(CROSS, btc=100_000)
    events = trade(desk, account, BUY, 10, 800)
    (traded,) = of(events, 6)
    assert traded[11] == 10 * 1_000
    assert traded[13] == 10 * 1_000 * 1_000 // 800 * 500 // 1_000_000
    assert desk.posted(account, BTC) == 100_000 - traded[13]


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**4))
def test_value_is_the_exact_one_rounded_down(entry: int, mark: int, size: int, lots: int):
    """Against fractions; a buyer's and a seller's entry cancel to the unit."""
    btc, usd = Asset(0, "BTC", 8), Asset(1, "USD", 2)
    kind = InstrumentKind.INVERSE_PERPETUAL
    made = Instrument.make(0, "X", 0, kind, btc, usd, Decimal("0.1"), Decimal(size))
    coins = Fraction(lots * size * 10**8 * 10, 1)
    assert made.entry_at(lots, entry * 10**6) == -(coins // entry)
    for qty in (lots, -lots):
        exact = -qty * Fraction(size * 10**9, mark)
        assert made.value_at(qty, mark * 10**6) == exact.__floor__()
    profit = made.value_at(lots, mark * 10**6) - made.entry_at(lots, entry * 10**6)
    assert abs(profit - (coins / entry - coins / mark)) < 2


@pytest.mark.parametrize("lots", [40, -40])
def test_liquidation_starts_at_the_published_price(lots: int):
    """Collateral and position in the same coin, counted in full: the formula of the venue."""
    desk = street()
    account = desk.account(CROSS, btc=8_000)
    trade(desk, account, BUY if lots > 0 else SELL, abs(lots))
    side = 1 if lots > 0 else -1
    price = inverse_liquidation_price(
        side, abs(lots) * COINS * PRICE, Fraction(PRICE), 8_000, Fraction(1, 100)
    )
    assert price is not None
    for step, liquidated in ((1, False), (-1, True)):
        desk.w.marks[COIN_PERP] = round((price + step * side) * 1_000_000)
        coin = round((price + step * side) * 1_000_000) * 1
        desk.w.venues[0].asset_prices[BTC] = coin * 1_000
        equity, _, maintenance = requirements(desk.w, desk.w.accounts[account])
        assert (equity < maintenance) == liquidated, step


def test_longs_lose_more_coins_than_the_price_falls():
    """Collateral and position fall together: a long without leverage still loses coins."""
    desk = street()
    account = desk.account(CROSS, btc=10 * COINS)
    trade(desk, account, BUY, 10)
    move(desk, 600)
    equity = desk.w.margin_of(account).equity
    assert equity == pytest.approx((10_000 - 6_666) * 0.6, abs=3)


@pytest.mark.parametrize("mode", [CROSS, PORTFOLIO])
def test_liquidation_goes_through_the_book_of_contracts(mode: int):
    """Steps are sold in contracts; deficit and collateral are coins."""
    desk = street()
    account = desk.account(mode, btc=3_000)
    trade(desk, account, BUY, 20)
    move(desk, 876, bids=60)
    events = desk.drain()
    steps = [e for e in of(events, 32) if e[3] == COIN_PERP]
    assert steps
    assert all(step[5] == step[4] * 1_000 for step in steps)
    assert abs(desk.position(account, COIN_PERP)[0]) < 20


def test_bankrupt_long_is_deleveraged_against_the_shorts():
    """No bids, no fund: the winners get fewer coins than the mark says, and nobody makes any."""
    desk = street()
    account = desk.account(CROSS, btc=3_000)
    other = desk.account(CROSS, btc=50_000)
    desk.limit(other, COIN_PERP, SELL, PRICE, 20)
    desk.limit(account, COIN_PERP, BUY, PRICE, 20)
    move(desk, 700)
    events = desk.drain()
    (closed,) = of(events, 35)
    assert closed[5] in {other, desk.house, desk.partner}
    assert closed[2] > desk.w.marks[COIN_PERP]
    assert 0 <= desk.posted(account, BTC) <= 5
    assert desk.w.venues[0].bad_debt_total <= 2


def test_positive_rate_is_paid_by_longs():
    """In coins, and what one pays the other gets."""
    desk = street()
    account = desk.account(CROSS, btc=100_000)
    trade(desk, account, BUY, 50)
    move(desk, PRICE)
    before = desk.posted(account, BTC), desk.posted(account, USDT)
    desk.do(11, 0)
    rate = desk.w.venues[0].last_funding_ppb[COIN_PERP]
    assert rate > 0
    assert desk.posted(account, BTC) == before[0] - 50 * COINS * rate // 10**9
    assert desk.posted(account, USDT) == before[1]


def test_margin_of_orders_and_leverage():
    """An order holds its contract value over the leverage; more needs coins that are there."""
    desk = street()
    account = desk.account(CROSS, btc=1_000)
    desk.limit(account, COIN_PERP, BUY, PRICE, 5)
    assert desk.w.accounts[account].order_margin == 500
    assert reason(desk.limit(account, COIN_PERP, BUY, PRICE, 6)) == R.INSUFFICIENT_MARGIN
    desk.do(4, account, -1, -1)
    desk.do(29, account, COIN_PERP, 20)
    assert desk.limit(account, COIN_PERP, BUY, PRICE, 15)[0][0] == 1
    alone = desk.account(ISOLATED, btc=9_000)
    assert reason(desk.limit(alone, COIN_PERP, BUY, PRICE, 1)) == R.MARGIN_MODE_NOT_OFFERED
    assert reason(desk.do(50, account, COIN_PERP, 1)) == R.MARGIN_MODE_NOT_OFFERED


def test_profit_paid_in_the_wrong_asset_is_noticed(monkeypatch):
    """A planted bug: dollars instead of coins."""
    real = settlement.pay

    def pay(w, inst, account, pnl, fee):
        real(w, inst, account, pnl, fee)
        if inst.inverse:
            w.ledger.posted[account.id][inst.settle] -= pnl
            w.ledger.posted[account.id][inst.quote] += pnl

    monkeypatch.setattr(settlement, "pay", pay)
    with pytest.raises(AssertionError, match=r"LED-[12]"):
        stir(3, 1_500, coin=True)
