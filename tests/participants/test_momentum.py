"""Trend followers: who sells short after a fall, when, how much, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, SELL
from exchange_sim.participants.books import Watched
from exchange_sim.participants.holder import Holder, HolderParams
from exchange_sim.participants.momentum import Momentum, MomentumBook, MomentumParams
from exchange_sim.strategy.api import OrderHandle
from exchange_sim.strategy.views import LiquidationNotice
from tests.doubles.mini_exchange import MiniExchange, make_market

BTC, ALT = "leading:BTCUSDT-PERP", "leading:ATOMUSDT-PERP"
SURE: dict[str, Any] = {
    "trigger_low": 0.06,
    "trigger_high": 0.06,
    "size_log_sd": 0.0,
    "delay_mean_s": 10.0,
}


class Stand:
    """Two books quoted wherever the test says, and one or several trend followers."""

    def __init__(self, count: int = 1, books: tuple[str, ...] = (BTC,), **params: Any) -> None:
        self.exchange = MiniExchange(
            make_market(BTC, 0, "0.1", "0.001"), make_market(ALT, 1, "0.001", "0.01")
        )
        self.house = self.exchange.add(Holder(HolderParams()), "house")
        self.quotes: list[OrderHandle] = []
        self.quote({BTC: 1_000_000, ALT: 4_000})
        depth, beta = {BTC: 1e6, ALT: 1e5}, {BTC: 1.0, ALT: 2.0}
        given = tuple(MomentumBook(s, depth[s], beta[s], size_d1=0.1) for s in books)
        settings = MomentumParams(books=given, reference=BTC, **{**SURE, **params})
        self.followers = [self.exchange.add(Momentum(settings), f"trend-{k}") for k in range(count)]
        self.exchange.run(30)

    def quote(self, prices: dict[str, int]) -> None:
        """Deep bids and offers a tick on either side of these prices, instead of the last ones."""
        for order in self.quotes:
            self.house.cancel(order)
        self.quotes = []
        for symbol, price in prices.items():
            market = self.exchange.markets[symbol]
            self.quotes.append(self.house.submit(market, BUY, 10**7, price - 1))
            self.quotes.append(self.house.submit(market, SELL, 10**7, price + 1))

    def lots(self, symbol: str = BTC) -> list[int]:
        """Position of each follower."""
        market = self.exchange.markets[symbol]
        return [desk.position_lots(market) for desk in self.followers]


def test_nothing_is_sold_before_the_trigger() -> None:
    """A fall of 5 % is not one of 6 %."""
    stand = Stand(count=5)
    stand.quote({BTC: 950_000, ALT: 3_000})
    stand.exchange.run(600)

    assert stand.lots() == [0] * 5


def test_after_the_fall_and_a_delay_a_short_is_sold_in_slices() -> None:
    """A tenth of D1, which is a million dollars at the first price: 1 of 10 BTC, in four orders."""
    stand = Stand(hold_mean_s=10**6)
    stand.quote({BTC: 930_000, ALT: 4_000})
    stand.exchange.run(2)
    assert stand.lots() == [0]
    stand.exchange.run(300)

    sold = [order for what, order in stand.followers[0].sent if what == "new"]
    assert stand.lots() == [-1_000]
    assert [order.qty_lots for order in sold] == [250] * 4
    assert {order.side for order in sold} == {SELL}
    assert min(order.price_ticks for order in sold) >= 930_000 * 0.989


def test_a_book_of_higher_beta_has_to_fall_further() -> None:
    """Beta 2: 12 %; a fall of 10 % of the alt is a small one."""
    stand = Stand(books=(BTC, ALT), hold_mean_s=10**6)
    stand.quote({BTC: 930_000, ALT: 3_600})
    stand.exchange.run(300)
    assert stand.lots(ALT) == [0]
    stand.quote({BTC: 930_000, ALT: 3_500})
    stand.exchange.run(300)

    assert stand.lots(ALT)[0] < 0


def test_what_was_held_long_enough_is_bought_back() -> None:
    """Once, reduce-only, and never again."""
    stand = Stand(hold_mean_s=60)
    stand.quote({BTC: 930_000, ALT: 4_000})
    stand.exchange.run(3_600)
    sent = [order for what, order in stand.followers[0].sent if what == "new"]

    assert stand.lots() == [0]
    assert [order.flags & FLAG_REDUCE_ONLY for order in sent] == [0] * 4 + [FLAG_REDUCE_ONLY]


def test_accounts_differ_and_a_seed_repeats_them() -> None:
    """Other triggers, delays and sizes for every account; the same again in a second run."""
    runs = []
    for _ in range(2):
        stand = Stand(count=12, trigger_high=0.12, size_log_sd=0.5, hold_mean_s=10**6)
        stand.quote({BTC: 915_000, ALT: 4_000})
        stand.exchange.run(600)
        runs.append(stand.lots())

    assert runs[0] == runs[1]
    assert 0 < sum(1 for lots in runs[0] if lots) < 12
    assert len({lots for lots in runs[0] if lots}) > 1


def test_who_was_liquidated_does_not_come_back() -> None:
    """The rest of its slices is not sold."""
    stand = Stand(hold_mean_s=10**6)
    stand.quote({BTC: 930_000, ALT: 4_000})
    while not stand.lots()[0]:
        stand.exchange.run(1)
    market = stand.exchange.markets[BTC]
    follower = stand.followers[0].strategy
    follower.on_liquidation(LiquidationNotice("leading", 1, 0, "step", market))
    before = stand.lots()
    stand.exchange.run(600)

    assert stand.lots() == before
    assert before[0] > -1_000


def test_a_calm_market_costs_one_look_per_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first prices are known only the reference is looked at."""
    stand = Stand(books=(BTC, ALT))
    seen: list[str] = []
    real = Watched.look

    def look(book: Watched, now: int) -> object:
        seen.append(book.market.symbol)
        return real(book, now)

    monkeypatch.setattr(Watched, "look", look)
    stand.exchange.run(100)

    assert seen == [BTC] * 20


def test_leverage_is_chosen_once_and_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw of 14 with a spread, between 8 and the book's cap."""
    chosen: list[int] = []
    monkeypatch.setattr(
        Momentum, "set_leverage", lambda self, market, leverage: chosen.append(leverage)
    )
    stand = Stand(count=40, leverage_log_sd=1.0, hold_mean_s=10**6)
    stand.quote({BTC: 930_000, ALT: 4_000})
    stand.exchange.run(300)

    assert len(chosen) == 40
    assert (min(chosen), max(chosen)) == (8, 25)
    assert len(set(chosen)) > 5
