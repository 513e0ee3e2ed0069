"""What the populations do to a market: calm stays calm, sellers sell, buyers hold."""

from __future__ import annotations

import math
import statistics
from typing import Any, cast

import pytest

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import BUY, GTD, IOC, MARKET, SELL
from exchange_sim.participants.drip import Drip
from exchange_sim.participants.flow import BackgroundFlow, FlowBook, FlowParams
from exchange_sim.participants.rotation import Rotation, RotationBook, RotationParams
from exchange_sim.participants.shock import (
    MacroShock,
    ReactionClock,
    SellingPulse,
    ShockBook,
    ShockParams,
)
from exchange_sim.participants.value import ValueBook, ValueParams, ValueTraders, deep_share
from exchange_sim.rng import Streams
from exchange_sim.units import NANOS_PER_S
from strategies.ladder import LadderMaker, LadderParams
from strategies.pair import PairParams
from tests.doubles.mini_exchange import START_NS, MiniDesk, MiniExchange, make_market

BTC, ALT, PEG = "leading:BTCUSDT", "leading:ATOMUSDT", "leading:USDEUSDT"
PRICES = {BTC: 116_900.0, ALT: 4.0, PEG: 1.0}
DEPTH = {BTC: 190e6, ALT: 5e6, PEG: 45e6}
BETA = {BTC: 1.0, ALT: 2.3, PEG: 0.1}


def world(
    seed: int = 1, makers: int = 3, symbols: tuple[str, ...] = (BTC, ALT, PEG)
) -> MiniExchange:
    """Markets with makers that hold 60 % of D1."""
    grids = {BTC: ("0.1", "0.001"), ALT: ("0.001", "0.01"), PEG: ("0.0001", "0.1")}
    markets = [make_market(s, k, *grids[s]) for k, s in enumerate(symbols)]
    exchange = MiniExchange(*markets, seed=seed)
    pairs = tuple(
        PairParams(
            symbol,
            DEPTH[symbol],
            initial_price=PRICES[symbol],
            beta=BETA[symbol],
            share=0.6 / makers,
            half_spread_bp=2.0 if symbol != ALT else 6.0,
        )
        for symbol in symbols
    )
    for k in range(makers):
        exchange.add(LadderMaker(LadderParams(pairs=pairs, withdrawal_enabled=False)), f"mm-{k}")
    exchange.run(3)
    return exchange


def add_flow(exchange: MiniExchange, **params: Any) -> MiniDesk:
    """Background flow in every market."""
    books = tuple(FlowBook(s, DEPTH[s], BETA[s]) for s in exchange.markets)
    return exchange.add(BackgroundFlow(FlowParams(books=books, **params)), "flow")


def news(desk: MiniDesk) -> list[Any]:
    """Orders that a desk entered."""
    return [order for kind, order in desk.sent if kind == "new"]


def test_symmetric_flow_has_no_drift() -> None:
    """Over seeds, half an hour of noise moves the price about as often up as down, and not far."""
    moves, signed = [], 0.0
    for seed in range(6):
        exchange = world(seed, makers=2, symbols=(ALT,))
        start = exchange.mid(ALT)
        desk = add_flow(exchange)
        exchange.run(1800)
        moves.append(math.log(exchange.mid(ALT) / start))
        takers = [order for order in news(desk) if order.time_in_force != GTD]
        bought = sum(order.qty_lots for order in takers if order.side == BUY)
        signed += 2 * bought / sum(order.qty_lots for order in takers) - 1

    assert abs(statistics.fmean(moves)) < 0.006
    assert max(abs(move) for move in moves) < 0.03
    assert abs(signed / 6) < 0.1


def test_flow_has_the_volume_and_the_resting_depth_it_was_given() -> None:
    """0.06 D1 per minute and side taken; passive orders rest about half a D1 on each side."""
    exchange = world(makers=2, symbols=(ALT,))
    desk = add_flow(exchange)
    exchange.run(1200)
    d1 = DEPTH[ALT] / (PRICES[ALT] * 0.01)
    takers = sum(order.qty_lots for order in news(desk) if order.time_in_force != GTD)
    resting = [order for order in news(desk) if order.time_in_force == GTD and order.is_open]
    bids = sum(order.leaves_lots for order in resting if order.side == BUY)

    assert takers / d1 / 20 / 2 == pytest.approx(0.06, rel=0.35)
    assert bids / d1 == pytest.approx(0.5, rel=0.5)


def test_noise_never_walks_an_empty_book_to_zero() -> None:
    """Without makers and with one far bid, the bounded takers leave the price alone."""
    exchange = MiniExchange(make_market(ALT, 0, "0.001", "0.01"))
    desk = add_flow(exchange, passive_distance=0.001)
    book = exchange.markets[ALT]
    desk.submit(book, BUY, 10_000_000, 40)
    desk.submit(book, BUY, 100, 3990)
    desk.submit(book, SELL, 100, 4010)
    exchange.run(1800)

    assert exchange.books[0].last == 0 or exchange.books[0].last > 3000
    assert exchange.books[0].levels(0, 1000)[-1] == (40, 10_000_000)


def test_takers_wait_while_the_spread_is_wide_and_stay_at_the_touch() -> None:
    """A gap of ten times the usual spread is left alone; no order reaches past the first price."""
    exchange = MiniExchange(make_market(ALT, 0, "0.001", "0.01"))
    books = (FlowBook(ALT, DEPTH[ALT], BETA[ALT], passive_orders=0.0),)
    desk = exchange.add(BackgroundFlow(FlowParams(books=books)), "flow")
    book = exchange.markets[ALT]
    near = [desk.submit(book, BUY, 10**7, 3999), desk.submit(book, SELL, 10**7, 4001)]
    desk.submit(book, BUY, 10**7, 3990)
    desk.submit(book, SELL, 10**7, 4010)
    exchange.run(120)
    calm = [order for order in news(desk) if order.time_in_force == IOC]
    for order in near:
        desk.cancel(order)
    exchange.run(30)
    wide = [order for order in news(desk) if order.time_in_force == IOC][len(calm) :]

    assert len(calm) > 20
    assert {order.price_ticks for order in calm[5:]} <= {3999, 4001}
    assert len(wide) <= 2


def test_flow_is_reproducible_and_moves_with_its_own_seed_only() -> None:
    """The same seed sends the same orders."""

    def sent(seed: int) -> list[tuple[int, int, int]]:
        exchange = world(1, symbols=(ALT,))
        exchange.streams = Streams(seed)
        desk = add_flow(exchange)
        exchange.run(120)
        return [(order.sent_ns, order.side, order.qty_lots) for order in news(desk)]

    assert sent(5) == sent(5)
    assert sent(5) != sent(6)


def test_an_hour_without_news_stays_calm() -> None:
    """Makers, noise and value traders: two-sided, no trend, no volatility of their own."""
    exchange = world(seed=3, symbols=(BTC, ALT))
    add_flow(exchange)
    books = tuple(ValueBook(s, DEPTH[s], BETA[s]) for s in (BTC, ALT))
    exchange.add(ValueTraders(ValueParams(books=books)), "value")
    falls = []
    for _ in range(30):
        exchange.run(60)
        falls.append(
            [math.log(exchange.mid(s) * t / PRICES[s]) for s, t in ((BTC, 0.1), (ALT, 0.001))]
        )

    assert max(abs(fall[0]) for fall in falls) < 0.01
    assert max(abs(fall[1]) for fall in falls) < 0.02


def test_pulse_sells_its_integral_in_bounded_orders() -> None:
    """peak * (rise / 2 + decay) D1 times the weight of the book, half of it without a limit."""
    exchange = world(symbols=(BTC, ALT))
    pulse = SellingPulse(
        START_NS + 5 * NANOS_PER_S, 0.01, decay_s=60.0, rise_s=10.0, panic_share=0.5
    )
    books = (ShockBook(BTC, DEPTH[BTC]), ShockBook(ALT, DEPTH[ALT], 2.3, weight=0.5))
    desk = exchange.add(MacroShock(ShockParams(books=books, pulses=(pulse,))), "shock")
    exchange.run(900)
    for symbol, weight in ((BTC, 1.0), (ALT, 0.5)):
        market = exchange.markets[symbol]
        orders = [order for order in news(desk) if order.market is market]
        d1 = DEPTH[symbol] / (PRICES[symbol] * market.lot)
        sold = sum(order.qty_lots for order in orders) / d1
        panic = sum(order.qty_lots for order in orders if order.order_type == MARKET) / d1

        assert {order.side for order in orders} == {SELL}
        assert sold == pytest.approx(weight * 0.01 * 65.0, rel=0.05)
        assert panic / sold == pytest.approx(0.5, abs=0.15)
        assert exchange.mid(symbol) * market.tick < PRICES[symbol]
    assert [note[1] for note in desk.notes] == [NoteKind.SHOCK]


def test_reaction_clock_waits_for_the_fall_and_is_sharp() -> None:
    """No first leg, no notices; after it the selling comes at the delay, within a few minutes."""
    clock = ReactionClock(
        START_NS, total_d1=0.5, notice_fall=0.005, delay_mean_s=600, delay_sd_s=60
    )
    books = (ShockBook(BTC, DEPTH[BTC]),)

    def sold(pulses: tuple[SellingPulse, ...]) -> tuple[MiniDesk, list[float]]:
        exchange = world(symbols=(BTC,))
        params = ShockParams(books=books, pulses=pulses, clocks=(clock,))
        desk = exchange.add(MacroShock(params), "shock")
        exchange.run(1500)
        return desk, [(order.sent_ns - START_NS) / 1e9 for order in news(desk)]

    quiet, none = sold(())
    leg = SellingPulse(START_NS + 10 * NANOS_PER_S, 0.05, decay_s=30.0)
    desk, times = sold((leg,))
    late = sorted(time for time in times if time > 300)

    assert (none, quiet.notes) == ([], [])
    assert NoteKind.MARGIN_CALL_REACTION in [note[1] for note in desk.notes]
    assert statistics.median(late) == pytest.approx(660, abs=60)
    assert late[-1] - late[0] < 500


def test_value_traders_buy_dips_within_their_capital() -> None:
    """They see a fall late, buy against it, and stop when tactical capital is used up."""
    exchange = world(symbols=(BTC,))
    books = (ValueBook(BTC, DEPTH[BTC], tactical_d1=0.05, deep_d1=0.0, arrival_d1_per_min=0.0),)
    params = ValueParams(books=books, value_follow_s=1e9)
    desk = exchange.add(ValueTraders(params), "value")
    exchange.run(60)
    pulse = SellingPulse(exchange.now_ns, 0.02, decay_s=120.0)
    shock = ShockParams(books=(ShockBook(BTC, DEPTH[BTC]),), pulses=(pulse,))
    exchange.add(MacroShock(shock), "shock")
    exchange.run(40)
    early = len(news(desk))
    exchange.run(1200)
    d1 = DEPTH[BTC] / (PRICES[BTC] * 0.001)

    assert early == 0
    assert {order.side for order in news(desk)} == {BUY}
    assert 0.03 < desk.lots[0] / d1 < 0.1


def test_buyers_have_dollars() -> None:
    """Where coins cost a fifth, the same capital buys several times as many of them."""
    bought = {}
    for depth in (1.0, 0.2):
        exchange = world(symbols=(BTC,))
        books = (ValueBook(BTC, DEPTH[BTC], tactical_d1=0.05, deep_d1=0.0, arrival_d1_per_min=0.0),)
        params = ValueParams(books=books, value_follow_s=1e9, view_delay_s=2.0, resting_share=0.0)
        desk = exchange.add(ValueTraders(params), "value")
        exchange.run(10)
        trader = cast("ValueTraders", desk.strategy)._traders[0]
        trader.book.mid = trader.book.start * depth
        paid = trader.book.market.price(trader.book.start * depth)
        lots = round(0.03 * trader.book.depth_lots / depth)
        desk.lots[0], desk.paid[0] = lots, round(lots * paid / trader.book.market.tick)
        bought[depth] = cast("ValueTraders", desk.strategy)._room(trader, BUY)

    assert bought[1.0] == pytest.approx(0.02, rel=0.01)
    assert bought[0.2] == pytest.approx(0.02, rel=0.01)


def test_value_traders_are_symmetric() -> None:
    """News of a fall makes them sell as news of a rise makes them buy."""
    sides = []
    for fall in (0.02, -0.02):
        exchange = world(symbols=(BTC,))
        params = ValueParams(
            books=(ValueBook(BTC, DEPTH[BTC]),), news=((START_NS + 10 * NANOS_PER_S, fall),)
        )
        desk = exchange.add(ValueTraders(params), "value")
        exchange.run(120)
        sides.append({order.side for order in news(desk)})

    assert sides == [{SELL}, {BUY}]


def test_deep_reserve_is_released_smoothly_beyond_its_fall() -> None:
    """Nearly nothing at -4 %, half at -8 %, nearly all at -12 %."""
    shares = [deep_share(fall, 0.08, 0.012) for fall in (0.0, 0.04, 0.08, 0.12)]

    assert shares == pytest.approx([0.0, 0.033, 0.5, 0.966], abs=0.01)


def test_rotation_follows_the_mean_fall_with_delay() -> None:
    """No fall, no selling; afterwards pegged assets are sold, not the references."""
    exchange = world(symbols=(BTC, PEG))
    params = RotationParams(
        books=(RotationBook(PEG, DEPTH[PEG], BETA[PEG]),), references=(BTC,), rate_d1_per_s=0.02
    )
    rotation = Rotation(params)
    desk = exchange.add(rotation, "rotation")
    exchange.run(300)
    calm = len(news(desk))
    pulse = SellingPulse(exchange.now_ns, 0.05, decay_s=60.0, panic_share=1.0)
    shock = ShockParams(books=(ShockBook(BTC, DEPTH[BTC]),), pulses=(pulse,))
    exchange.add(MacroShock(shock), "shock")
    exchange.run(1200)

    assert calm == 0
    assert rotation.mean_fall > 0.005
    assert news(desk)
    assert {(order.market.symbol, order.side) for order in news(desk)} == {(PEG, SELL)}


def test_drip_keeps_to_its_volume() -> None:
    """Never more than one chunk behind, never ahead."""
    drip = Drip(0.01, Streams(1).stream("drip"))
    sent = 0.0
    for step in range(1, 2000):
        sent += sum(drip.add(0.0007))

        assert sent <= step * 0.0007 + 1e-9
    assert sent == pytest.approx(2000 * 0.0007, abs=0.06)
