"""Makers: where they quote, how few messages they need, how they treat trouble."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pytest

from exchange_sim.messages.reasons import MarginBand, NoteKind, WithdrawalCause
from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import LiquidationNotice, Margin, OrderHandle, Strategy
from exchange_sim.strategy.formulas import glft_quotes, optimal_spread, reservation_price
from exchange_sim.strategy.testing import Bench
from exchange_sim.strategy.testing import make_market as market_of
from exchange_sim.units import NANOS_PER_S
from strategies.avellaneda_stoikov import AvellanedaStoikov, GlftMaker
from strategies.factor_limit import FactorParams
from strategies.ladder import LadderMaker
from strategies.maker import Maker
from strategies.market_limits import InfrastructureParams
from strategies.pair import PairParams
from strategies.unwind import UnwindParams
from strategies.withdrawal import WithdrawalParams
from tests.doubles.mini_exchange import START_NS, MiniDesk, MiniExchange, make_market

BTC, SECOND, ALT = "leading:BTCUSDT", "second:BTCUSDT", "leading:ATOMUSDT"
PAIR = PairParams(BTC, 190e6, initial_price=116_900.0, share=0.1, half_spread_bp=1.0)
QUIET = UnwindParams(per_s=0.0)


def exchange(seed: int = 1) -> MiniExchange:
    """Three markets."""
    return MiniExchange(
        make_market(BTC, 0),
        make_market(SECOND, 1),
        make_market(ALT, 2, tick="0.001", lot="0.01"),
        seed=seed,
    )


def maker(cls: type[Maker] = LadderMaker, **params: Any) -> Maker:
    """A maker with one pair and no unwinding unless asked for."""
    values = {"pairs": (PAIR,), "unwind": QUIET, **params}
    return cls(cls.Params(**values))


class Taker(Strategy):
    """Sends what a test tells it to."""


def live(desk: MiniDesk, side: int) -> list[OrderHandle]:
    """Open orders of a side, best first."""
    orders = [order for kind, order in desk.sent if kind == "new" and order.is_open]
    mine = [order for order in orders if order.side == side]
    return sorted(mine, key=lambda o: -o.price_ticks if side == BUY else o.price_ticks)


def started(which: Maker, seconds: float = 3.0) -> tuple[MiniExchange, MiniDesk]:
    """An exchange on which this maker alone has been quoting."""
    market = exchange()
    desk = market.add(which, "mm-1")
    market.run(seconds)
    return market, desk


def test_ladder_matches_its_parameters() -> None:
    """Levels at half spread plus offset, sizes in parts of D1, symmetric around the price."""
    _, desk = started(maker())
    bids, asks = live(desk, BUY), live(desk, SELL)
    d1_lots = 190e6 / 116.9
    fair = 1_169_000

    assert len(bids) == len(asks) == 6
    assert [fair - bid.price_ticks for bid in bids] == [ask.price_ticks - fair for ask in asks]
    assert bids[0].price_ticks == math.floor(fair * (1 - 1e-4))
    assert bids[2].price_ticks == math.floor(fair * (1 - 31e-4))
    assert bids[4].leaves_lots == pytest.approx(0.35 * 0.1 * d1_lots, rel=0.01)


def test_nothing_is_sent_while_nothing_changes() -> None:
    """A quiet minute costs no message after the first quotes."""
    market, desk = started(maker())
    before = len(desk.sent)
    market.run(60)

    assert (before, len(desk.sent)) == (12, 12)


def test_small_moves_touch_only_the_inner_levels() -> None:
    """A tenth of the outer distance moves the near levels; each by one replace message."""
    which = maker(follow_s=1e9)
    market, desk = started(which)
    which.pairs[0].fair_ticks *= 1 + 3e-4
    market.run(1.2)
    sent = desk.sent[12:]

    assert {kind for kind, _ in sent} == {"modify"}
    assert sorted(order.qty_lots for _, order in sent) == sorted(
        [live(desk, side)[level].qty_lots for side in (BUY, SELL) for level in (0, 1)]
    )


def test_the_side_that_moves_away_goes_first() -> None:
    """After a fall bids are moved before asks, so that the maker does not meet itself."""
    which = maker(follow_s=1e9)
    market, desk = started(which)
    which.pairs[0].fair_ticks *= 0.99
    market.run(1.2)
    sides = [order.side for kind, order in desk.sent[12:] if kind == "modify"]

    assert sides == sorted(sides)
    assert len(sides) == 12


def test_hit_level_refills_gradually() -> None:
    """After a fill the level returns with 9 % of what is missing per second, in few messages."""
    which = maker(withdrawal_enabled=False, follow_s=1e9)
    market, desk = started(which)
    inner = live(desk, BUY)[0]
    full = inner.qty_lots
    taker = Taker()
    market.add(taker, "taker")
    taker.submit(inner.market, SELL, full, inner.price_ticks, LIMIT, IOC)
    sizes = []
    for _ in range(60):
        market.run(1)
        best = live(desk, BUY)[0]
        near = best.price_ticks > inner.price_ticks * 0.9995
        sizes.append(best.leaves_lots / full if near else 0.0)

    assert sizes[0] < 0.25
    assert sizes[8] == pytest.approx(1 - math.exp(-0.09 * 9), abs=0.12)
    assert sizes[-1] > 0.85
    assert len(desk.sent) < 12 + 30


def test_inventory_skews_linearly_to_one_side() -> None:
    """At half the limit the bids are half, at the limit only asks are left."""
    which = maker(withdrawal_enabled=False)
    market, desk = started(which)
    pair = which.pairs[0]
    size = live(desk, BUY)[4].leaves_lots
    desk.lots[0] = round(pair.limit_lots / 2)
    market.run(2)
    half = live(desk, BUY)[4].leaves_lots
    desk.lots[0] = round(pair.limit_lots)
    market.run(2)

    assert half == pytest.approx(size / 2, rel=0.02)
    assert live(desk, BUY) == []
    assert len(live(desk, SELL)) == 6


def test_fair_value_follows_the_lead_by_beta() -> None:
    """BTC falls 1 %, the alt's quotes fall 2 % at the same wake-up."""
    alt = PairParams(ALT, 5e6, initial_price=4.0, beta=2.0, half_spread_bp=6.0, lead_beta=2.0)
    which = maker(pairs=(alt,), lead_symbol=BTC)
    market = exchange()
    btc = maker()
    market.add(btc, "btc")
    market.add(which, "alt")
    market.run(3)
    before = market.mid(ALT)
    btc.pairs[0].fair_ticks *= 0.99
    market.run(4)
    lead = market.mid(BTC) / 1_169_000 - 1

    assert lead < -0.004
    assert market.mid(ALT) / before - 1 == pytest.approx(2 * lead, rel=0.2)


def test_a_falling_lead_takes_the_bids_of_pairs_whose_turn_is_later() -> None:
    """A pair that is looked at once in an hour loses its bids in the same wake-up, not its asks."""
    alt = PairParams(ALT, 5e6, initial_price=4.0, half_spread_bp=6.0, every=3_600)
    factor = FactorParams(limit_median=0.004, limit_log_sd=0.0)
    which = maker(pairs=(alt,), lead_symbol=BTC, withdrawal=WithdrawalParams(factor=factor))
    market, btc = exchange(), maker()
    market.add(btc, "btc")
    desk = market.add(which, "alt")
    market.run(3)
    which._wake_ups = 3_599
    market.run(3)
    assert (len(live(desk, BUY)), len(live(desk, SELL))) == (6, 6)
    btc.pairs[0].fair_ticks *= 0.99
    market.run(4)
    assert (len(live(desk, BUY)), len(live(desk, SELL))) == (0, 6)
    assert desk.notes[0][1:] == (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.FACTOR, 0)


@pytest.mark.parametrize(("gap", "share"), [(0.001, 0.1), (0.2, 0.0)])
def test_linkage_to_the_other_venue_ignores_huge_gaps(gap: float, share: float) -> None:
    """Ten per cent of a small gap per second; beyond the scale the own venue is believed."""
    pair = attrs.evolve(PAIR, sibling=SECOND)
    which = maker(pairs=(pair,), follow_s=1e9)
    started(which)
    state = which.pairs[0]
    before = state.fair_ticks
    state.link(before * (1 + gap), rate=0.1, gap_scale=0.023)

    assert state.fair_ticks / before - 1 == pytest.approx(share * gap, rel=0.05, abs=1e-9)


def test_avellaneda_stoikov_quotes_follow_the_paper() -> None:
    """Shift and spread are the formula's, in bp, at the measured variance."""
    which = maker(AvellanedaStoikov)
    started(which)
    pair, p = which.pairs[0], which.params
    pair.inventory = 0.5
    pair.variance = 4.0
    shift, half = which.offsets(pair)
    orders = 0.5 * p.inventory_orders

    assert shift == pytest.approx(-orders * p.gamma_per_bp * 4.0 * p.horizon_s)
    assert half == pytest.approx(optimal_spread(p.gamma_per_bp, 4.0, p.horizon_s, 1.0) / 2)


def test_glft_long_maker_becomes_a_seller_at_ten_times_the_volatility() -> None:
    """The ask of a long maker crosses the fair value (rule vector MM-004)."""
    which = maker(GlftMaker, gamma_per_bp=0.05)
    started(which)
    pair = which.pairs[0]
    pair.inventory = 0.5
    calm = sum(which.offsets(pair))
    pair.variance *= 100
    wild = sum(which.offsets(pair))

    assert calm > 0
    assert wild < 0


def vectors(area: str) -> list[dict[str, Any]]:
    """Worked examples of the rulebook that concern quoting."""
    cases = json.loads(QUOTING_VECTORS)
    return [case for case in cases if case["area"].startswith(area)]


QUOTING_VECTORS = """[
{"id": "MM-001", "area": "as", "in": {"mid": 80, "q": 25, "gamma": 0.1, "var": 0.16, "tau": 1},
 "out": {"reservation": 79.6}},
{"id": "MM-002", "area": "as", "in": {"mid": 100, "q": 3, "gamma": 0.1, "var": 4, "tau": 1,
 "k": 1.5},
 "out": {"reservation": 98.8, "spread": 1.6907704228}},
{"id": "MM-003", "area": "glft", "in": {"a": 0.9, "k": 0.3, "gamma": 0.05, "xi": 0.05, "sigma": 0.3,
 "delta": 1, "inventory": 5}, "out": {"bid_depth": 3.9441775248, "ask_depth": 2.3784249279}},
{"id": "MM-004", "area": "glft", "in": {"a": 0.9, "k": 0.3, "gamma": 0.05, "xi": 0.05, "sigma": 3.0,
 "delta": 1, "inventory": 5}, "out": {"bid_depth": 11.6946528796, "ask_depth": -3.9628730896}}
]"""


@pytest.mark.parametrize("case", vectors("as"), ids=lambda case: case["id"])
def test_reservation_and_spread_vectors(case: dict[str, Any]) -> None:
    """The formulas that the maker uses reproduce the worked examples."""
    given, want = case["in"], case["out"]
    reservation = reservation_price(
        given["mid"], given["q"], given["gamma"], given["var"], given["tau"]
    )

    assert reservation == pytest.approx(want["reservation"], abs=1e-9)
    if "spread" in want:
        spread = optimal_spread(given["gamma"], given["var"], given["tau"], given["k"])
        assert spread == pytest.approx(want["spread"], abs=1e-8)


@pytest.mark.parametrize("case", vectors("glft"), ids=lambda case: case["id"])
def test_glft_vectors(case: dict[str, Any]) -> None:
    """As above for the asymptotic quotes."""
    quotes = glft_quotes(**case["in"])

    assert quotes.bid_depth == pytest.approx(case["out"]["bid_depth"], abs=1e-8)
    assert quotes.ask_depth == pytest.approx(case["out"]["ask_depth"], abs=1e-8)


def outage(seconds: float) -> tuple[tuple[int, int], ...]:
    """An announced outage that begins after a minute."""
    start = START_NS + 60 * NANOS_PER_S
    return ((start, start + int(seconds * NANOS_PER_S)),)


def test_outage_shrinks_quotes_and_is_noted_with_its_cause() -> None:
    """Withdrawal on infrastructure, then a staged return: both in the log."""
    limits = WithdrawalParams(infrastructure=InfrastructureParams(delay_max_s=5.0))
    which = maker(withdrawal=limits, outages_ns=outage(120.0))
    market, desk = started(which, 50)
    size = live(desk, BUY)[4].leaves_lots
    market.run(60)
    small = live(desk, BUY)[4].leaves_lots
    market.run(4000)
    kinds = [kind for _, kind, _, _ in desk.notes]

    assert 0.02 <= small / size <= 0.11
    assert live(desk, BUY)[4].leaves_lots > 0.85 * size
    assert desk.notes[0][1:3] == (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.INFRASTRUCTURE)
    assert set(kinds[1:]) == {NoteKind.QUOTES_RESTORED}


def test_switch_keeps_makers_in_the_market() -> None:
    """With the mechanism off neither outage nor margin nor losses change a quote."""
    which = maker(withdrawal_enabled=False, outages_ns=outage(300.0))
    market, desk = started(which, 50)
    desk.uni_mmr, desk.equity = 0.9, 1.0
    market.run(300)

    assert len(desk.sent) == 12
    assert desk.notes == []


def test_own_margin_cancels_bids_and_keeps_asks() -> None:
    """uniMMR under 1.2: no bids on any pair, half of the asks."""
    which = maker()
    market, desk = started(which)
    size = live(desk, SELL)[4].leaves_lots
    desk.uni_mmr = 1.15
    market.run(2)

    assert live(desk, BUY) == []
    assert live(desk, SELL)[4].leaves_lots == pytest.approx(size / 2, rel=0.01)
    assert desk.notes[-1][1:] == (NoteKind.QUOTES_WITHDRAWN, WithdrawalCause.MARGIN, 0)


def test_liquidation_stops_quoting_until_it_ends() -> None:
    """Orders would be refused while the engine works on the account."""
    which = maker(follow_s=1e9)
    market, desk = started(which)
    which.on_liquidation(LiquidationNotice("leading", 0, market.now_ns, "started"))
    which.pairs[0].fair_ticks *= 0.95
    market.run(10)
    frozen = len(desk.sent)
    which.on_liquidation(LiquidationNotice("leading", 0, market.now_ns, "ended"))
    market.run(2)

    assert frozen == 12
    assert len(desk.sent) > frozen
    assert [note[2] for note in desk.notes].count(WithdrawalCause.LIQUIDATION) == 2


def test_inventory_is_unwound_slowly() -> None:
    """One per cent per second of the inventory is sold at the market in bounded orders."""
    which = maker(unwind=UnwindParams(per_s=0.01, hedge=0.0), withdrawal_enabled=False)
    other = maker(withdrawal_enabled=False)
    market, desk = started(which)
    market.add(other, "other")
    pair = which.pairs[0]
    start = desk.lots[0] = round(0.8 * pair.limit_lots)
    market.run(60)
    sold = [order for kind, order in desk.sent if order.time_in_force == IOC]

    assert sold
    assert all(order.side == SELL for order in sold)
    assert start * 0.9**6 <= desk.lots[0] < 0.75 * start


def test_news_moves_the_fair_value_once() -> None:
    """A quote jump of 0.2 % x beta at the first wake-up after the news, not again."""
    which = maker(news=((START_NS + 10 * NANOS_PER_S, 0.002),))
    market, _ = started(which, 9)
    before = market.mid(BTC)
    market.run(30)

    assert market.mid(BTC) / before - 1 == pytest.approx(-0.002, rel=0.15)


def test_refused_orders_shrink_the_side_instead_of_being_repeated() -> None:
    """Without money for its bids a maker quotes less and does not flood the venue."""
    which = maker(withdrawal_enabled=False, follow_s=1e9)
    market, desk = started(which)
    bids = which.pairs[0].bids
    for order in bids.orders:
        assert order is not None
        order.reject_code = 302
    before = len(desk.sent)
    which.pairs[0].fair_ticks *= 0.999
    market.run(1.2)
    cancelled = [kind for kind, order in desk.sent[before:] if order.side == BUY]
    market.run(200)

    assert "cancel" in cancelled
    assert "new" not in cancelled
    assert len(desk.sent) - before < 150
    assert bids.capacity == 1.0
    assert len(live(desk, BUY)) == 6


def test_passive_leverage_is_recorded() -> None:
    """It rises when equity falls, although the maker does nothing: 2x becomes 3x."""
    bench = Bench([market_of(BTC, "0.1", "0.001")])
    bench.set_mark(BTC, 100_000.0)
    bench.set_position(BTC, 1_000, 100_000.0)
    bench.run(maker(record_s=10.0))
    recorded = []
    for equity in (100_000.0, 50_000.0):
        state = Margin("leading", 0, 1, equity, 0.0, 5_000.0, 0.0, equity / 5_000, MarginBand.FREE)
        bench.set_margin(state)
        bench.advance(10.0)
        recorded.append(dict(bench.records))

    assert [values["leverage_leading"] for values in recorded] == [2.0, 3.0]
    assert [values["uni_mmr_leading"] for values in recorded] == [20.0, 10.0]
