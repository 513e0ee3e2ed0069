"""The seller that follows volume, and the arbitrage through a mint."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.model.enums import BUY, SELL
from exchange_sim.participants.mint_burn import MintBurnArbitrage, MintBurnParams
from exchange_sim.participants.participation import ParticipationParams, ParticipationSeller
from exchange_sim.strategy.api import Strategy
from tests.doubles.mini_exchange import START_NS, MiniExchange, make_market

BTC = "leading:BTCUSDT"
UST, LUNA = "leading:USTUSDT", "leading:LUNAUSDT"


class Steady(Strategy):
    """Sells 10 lots a second to keep a volume."""

    def on_start(self) -> None:
        self.set_timer("trade", 1.0)

    def on_timer(self, name: str) -> None:
        del name
        self.submit(self.market(BTC), SELL, 10, 900, 0, 1)


def sold(desk: Any) -> int:
    """Lots that a desk's orders traded."""
    return sum(order.filled_lots for kind, order in desk.sent if kind == "new")


def test_it_sells_its_share_of_the_volume() -> None:
    """10 lots a second by others, 20 % of all: it adds 2.5 a second, its own volume included."""
    exchange = MiniExchange(make_market(BTC, 0, "0.1", "0.001"))
    maker = exchange.add(Strategy(), "maker")
    maker.submit(exchange.markets[BTC], BUY, 10**6, 1000)
    exchange.add(Steady(), "steady")
    params = ParticipationParams(
        symbol=BTC, qty=100.0, start_ns=START_NS + 60 * 10**9, share=0.2, least_lots=0
    )
    desk = exchange.add(ParticipationSeller(params), "fund")
    exchange.run(55)
    assert sold(desk) == 0
    exchange.run(305)

    assert 2.0 * 300 < sold(desk) < 3.0 * 300


def test_it_stops_when_all_is_sold() -> None:
    exchange = MiniExchange(make_market(BTC, 0, "0.1", "0.001"))
    maker = exchange.add(Strategy(), "maker")
    maker.submit(exchange.markets[BTC], BUY, 10**6, 1000)
    params = ParticipationParams(symbol=BTC, qty=0.05, least_lots=7)
    desk = exchange.add(ParticipationSeller(params), "fund")
    exchange.run(60)

    assert sold(desk) == 50


def peg(price: int) -> tuple[MiniExchange, Any, MintBurnArbitrage]:
    """A dollar sold at ``price`` ten-thousandths, 40 a second; a coin bid at 50."""
    exchange = MiniExchange(
        make_market(UST, 0, "0.0001", "1"), make_market(LUNA, 1, "0.01", "0.01")
    )
    maker = exchange.add(Strategy(), "maker")
    maker.submit(exchange.markets[UST], BUY, 10_000, price - 100)
    maker.submit(exchange.markets[LUNA], BUY, 10**7, 5_000)
    exchange.add(Holders(), "holders")
    arbitrage = MintBurnArbitrage(
        MintBurnParams(dollar=UST, coin=LUNA, fee=0.01, cap_usd_per_s=100.0)
    )
    return exchange, exchange.add(arbitrage, "arb"), arbitrage


class Holders(Strategy):
    """Sell 40 dollars a second to whoever bids."""

    def on_start(self) -> None:
        self.set_timer("sell", 1.0)

    def on_timer(self, name: str) -> None:
        del name
        self.submit(self.market(UST), SELL, 40, 5_000, 0, 1)


def test_a_cheap_dollar_is_burnt_for_a_dollar_of_coins() -> None:
    """What is sold under 0.99 is bought, and a coin of 50 sold for every 50 dollars."""
    exchange, desk, arbitrage = peg(9_500)
    exchange.run(60)

    assert 800 <= arbitrage.burnt_usd <= 2_400
    assert arbitrage.minted_coins == pytest.approx(arbitrage.burnt_usd / 50)
    coins = [order for kind, order in desk.sent if kind == "new" and order.market.symbol == LUNA]
    assert sum(order.filled_lots for order in coins) == pytest.approx(
        100 * arbitrage.minted_coins, rel=0.05
    )


def test_within_the_fee_nobody_moves() -> None:
    exchange, desk, arbitrage = peg(10_050)
    exchange.run(20)

    assert arbitrage.burnt_usd == sold(desk) == 0
