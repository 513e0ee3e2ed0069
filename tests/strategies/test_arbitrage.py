"""Cross-venue arbitrage and the dip buyer."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.model.enums import BUY, IOC, SELL
from exchange_sim.strategy.api import Fill, Strategy
from exchange_sim.units import NANOS_PER_S
from strategies.cross_venue_arbitrage import (
    ArbitragePair,
    ArbitrageParams,
    CrossVenueArbitrage,
)
from strategies.dip_buyer import DipBuyer, DipBuyerParams
from strategies.ladder import LadderMaker, LadderParams
from strategies.pair import PairParams
from strategies.unwind import UnwindParams
from tests.doubles.mini_exchange import START_NS, MiniDesk, MiniExchange, make_market

HERE, THERE = "leading:BTCUSDT", "second:BTCUSDT"
PAIR = ArbitragePair(HERE, THERE, 40e6)


def venues(kind: int = 0) -> tuple[MiniExchange, list[LadderMaker]]:
    """Two venues at the same price, the second with coarser lots; one maker each."""
    exchange = MiniExchange(
        make_market(HERE, 0, kind=kind), make_market(THERE, 1, lot="0.01", kind=kind)
    )
    makers = []
    for symbol in (HERE, THERE):
        pair = PairParams(symbol, 40e6, initial_price=100_000.0, share=0.6, half_spread_bp=1.0)
        params = LadderParams(
            pairs=(pair,), withdrawal_enabled=False, follow_s=1e9, unwind=UnwindParams(per_s=0.0)
        )
        makers.append(LadderMaker(params))
        exchange.add(makers[-1], symbol)
    exchange.run(3)
    return exchange, makers


def add(exchange: MiniExchange, **params: Any) -> MiniDesk:
    """The arbitrageur."""
    strategy = CrossVenueArbitrage(ArbitrageParams(pairs=(PAIR,), **params))
    return exchange.add(strategy, "arbitrage")


def test_contracts_margined_in_coins_are_counted_in_coins() -> None:
    """A cheap contract of ten dollars is bought against as many coins as it stands for."""
    coin = "leading:BTCUSD-COIN"
    exchange = MiniExchange(make_market(HERE, 0, kind=1), make_market(coin, 1, lot="10", kind=2))
    makers = []
    for symbol in (HERE, coin):
        pair = PairParams(symbol, 40e6, initial_price=100_000.0, share=0.6, half_spread_bp=1.0)
        params = LadderParams(
            pairs=(pair,), withdrawal_enabled=False, follow_s=1e9, link_siblings=False
        )
        makers.append(LadderMaker(params))
        exchange.add(makers[-1], symbol)
    exchange.run(3)
    makers[1].pairs[0].fair_ticks *= 0.98
    exchange.run(3)
    pairs = (ArbitragePair(HERE, coin, 40e6),)
    desk = exchange.add(CrossVenueArbitrage(ArbitrageParams(pairs=pairs, recycle_s=1e6)), "arb")
    exchange.run(10)

    contracts = desk.position(coin, None, None).qty
    coins = desk.position(HERE, None, None).qty
    assert contracts > 10_000
    assert contracts % 10 == 0
    left_open = 0.002 * 40e6 / 100_000.0
    price = exchange.mid(coin) * desk.market(coin).tick
    assert contracts / price == pytest.approx(-coins, abs=left_open)


def test_gap_under_the_cost_is_left_alone() -> None:
    """10 bp do not pay for 15 bp of fees."""
    exchange, makers = venues()
    makers[0].pairs[0].fair_ticks *= 0.999
    exchange.run(3)
    desk = add(exchange)
    exchange.run(30)

    assert desk.sent == []


def test_gap_is_traded_on_both_sides_up_to_the_inventory_limit() -> None:
    """Buys the cheap venue, sells the dear one, equal quantities, no more than the limit."""
    exchange, makers = venues()
    makers[0].pairs[0].fair_ticks *= 0.97
    exchange.run(3)
    desk = add(exchange, inventory_d1=0.05, recycle_s=1e6)
    exchange.run(300)
    here, there = desk.lots[0] * 0.001, desk.lots[1] * 0.01
    limit = 0.05 * 40e6 / 100_000

    assert {(order.market.symbol, order.side) for _, order in desk.sent} >= {
        (HERE, BUY),
        (THERE, SELL),
    }
    assert here == pytest.approx(limit, rel=0.15)
    assert here + there == pytest.approx(0.0, abs=0.1 * limit)


def test_spot_inventory_is_recycled_by_transfers() -> None:
    """Coins go to where they were sold, money to where they were bought."""
    exchange, makers = venues()
    makers[0].pairs[0].fair_ticks *= 0.97
    exchange.run(3)
    desk = add(exchange)
    exchange.run(120)
    coins = [item for item in desk.transfers if item[0] == "BTC"]
    money = [item for item in desk.transfers if item[0] == "USDT"]

    assert coins[0][2:] == ("leading", "second")
    assert money[0][2:] == ("second", "leading")
    assert money[0][1] == pytest.approx(coins[0][1] * 100_000, rel=0.02)


def test_perpetual_inventory_shrinks_slowly_during_an_outage() -> None:
    """Both legs are closed with the time constant of the state of transfers."""
    left = []
    for outages in ((), ((START_NS, START_NS + 10**6 * NANOS_PER_S),)):
        exchange, makers = venues(kind=1)
        makers[0].pairs[0].fair_ticks *= 0.98
        exchange.run(3)
        desk = add(exchange, outages_ns=outages, recycle_s=60.0)
        exchange.run(20)
        makers[0].pairs[0].fair_ticks = makers[1].pairs[0].fair_ticks
        exchange.run(2)
        before = desk.lots[0]
        exchange.run(120)
        left.append(desk.lots[0] / before)

    assert left[0] < 0.3
    assert left[1] > 0.8


def test_a_leg_that_did_not_trade_is_repaired() -> None:
    """An open difference between the legs is traded away."""
    exchange, _ = venues()
    desk = add(exchange)
    exchange.run(2)
    desk.lots[0] = 5000
    exchange.run(10)

    assert desk.lots[0] < 500
    assert all(order.time_in_force == IOC for _, order in desk.sent)


def test_dip_buyer_bids_below_and_sells_above() -> None:
    """Places its bids once; a fill is offered at a profit."""
    exchange, _ = venues()
    buyer = DipBuyer(DipBuyerParams(symbol=HERE, falls=(0.03, 0.06), budget=50_000.0))
    desk = exchange.add(buyer, "dips")
    exchange.run(5)
    first = buyer.bids[0]
    fill = Fill(
        first, first.market, 0, START_NS, 1, BUY, first.price_ticks, 250, *(True, False), 0, 0
    )
    buyer.on_fill(fill)
    offer = desk.sent[-1][1]

    assert [bid.price for bid in buyer.bids] == pytest.approx([97_000.0, 94_000.0], rel=1e-4)
    assert isinstance(buyer, Strategy)
    assert (offer.side, offer.qty_lots) == (SELL, 250)
    assert offer.price == pytest.approx((first.price or 0) * 1.02, rel=1e-5)
