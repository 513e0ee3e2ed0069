"""Grid, hedged maker, liquidation sniper: their formulas, and what they do on a bench."""

from __future__ import annotations

import pytest

from exchange_sim.model.enums import FLAG_LIQUIDATION, SELL
from exchange_sim.strategy import AdlNotice
from exchange_sim.testing import Bench, assert_orders, make_market
from strategies.grid import Grid, GridParams, level_price
from strategies.hedged_maker import HedgedMaker, HedgedMakerParams, hedge_qty, quote_shift
from strategies.liquidation_sniper import LiquidationSniper, SniperParams

PERP, SPOT = "leading:BTCUSDT-PERP", "second:BTCUSDT"


def test_levels_are_a_geometric_ladder() -> None:
    """A step up and a step down from the same place are one step apart in ratio."""
    assert level_price(100.0, 0.01, 0) == 100.0
    assert level_price(100.0, 0.01, 2) == pytest.approx(102.01)
    for level in range(-5, 5):
        ratio = level_price(100.0, 0.01, level + 1) / level_price(100.0, 0.01, level)
        assert ratio == pytest.approx(1.01)


def test_grid_answers_each_fill_one_step_further() -> None:
    """A round trip earns the step; the grid is what it was afterwards."""
    bench = Bench.single(PERP, auto=True)
    bot = bench.run(Grid(GridParams(symbol=PERP, levels=2, step=0.01, qty=1.0)))
    bench.play(f"0 book {PERP} 99.9x5 | 100.1x5")
    bench.advance(1.0)
    resting = ["BUY 1 @ 98 GTX", "BUY 1 @ 99 GTX", "SELL 1 @ 101 GTX", "SELL 1 @ 102.1 GTX"]
    assert_orders(bench.live(), *resting)

    bench.play(f"0 book {PERP} 98.8x1 | 98.9x1")
    assert bot.position_lots(PERP) == 1000
    assert_orders(
        bench.live(), "BUY 1 @ 98 GTX", "SELL 1 @ 100 GTX", "SELL 1 @ 101 GTX", "SELL 1 @ 102.1 GTX"
    )
    bench.play(f"0 book {PERP} 100.2x1 | 100.3x1")
    assert bot.position_lots(PERP) == 0
    assert_orders(bench.live(), *resting)


@pytest.mark.parametrize("wrong", [{"levels": 0}, {"step": 0.0}])
def test_grids_that_are_none(wrong: dict[str, float]) -> None:
    """Refused when the parameters are read."""
    with pytest.raises(ValueError, match="must be"):
        GridParams(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_hedge_is_the_excess_over_the_band() -> None:
    """Zero inside, continuous at the edge, odd in the inventory."""
    assert hedge_qty(0.2, limit=1.0, band=0.3) == 0.0
    assert hedge_qty(0.3, limit=1.0, band=0.3) == 0.0
    assert hedge_qty(0.8, limit=1.0, band=0.3) == pytest.approx(-0.5)
    for net in (-2.0, -0.31, 0.0, 0.5, 1.7):
        assert hedge_qty(-net, 1.0, 0.3) == -hedge_qty(net, 1.0, 0.3)
        after = net + hedge_qty(net, 1.0, 0.3)
        assert abs(after) == pytest.approx(min(abs(net), 0.3))


def test_quotes_lean_against_the_net_inventory() -> None:
    """One half spread at the limit, never more."""
    assert quote_shift(0.0, 2.0, 1.0, 5.0) == 0.0
    assert quote_shift(1.0, 2.0, 1.0, 5.0) == -2.5
    assert quote_shift(-9.0, 2.0, 1.0, 5.0) == 5.0


def two_venues(pause_s: float = 60.0) -> tuple[Bench, HedgedMaker]:
    """A hedged maker between two books."""
    bench = Bench([make_market(PERP), make_market(SPOT, instrument_id=1)], auto=True)
    params = HedgedMakerParams(qty=1.0, half_spread_bps=10.0, limit=2.0, band=0.25, pause_s=pause_s)
    bot = bench.run(HedgedMaker(params))
    bench.play(f"""
        0 book {PERP} 999x9 | 1001x9
        0 book {SPOT} 999.9x9 | 1000.1x9
    """)
    return bench, bot


def test_hedged_maker_trades_the_excess_elsewhere() -> None:
    """Quotes around the hedge venue's mid; a fill beyond the band goes to the other book."""
    bench, bot = two_venues()
    bench.advance(0.5)
    assert_orders(bench.live(), "BUY 1 @ 999 GTX", "SELL 1 @ 1001 GTX")

    bench.play(f"0 trade {PERP} sell 998 1")
    assert bot.net() == 1.0
    bench.advance(0.5)
    hedges = [order for order in bench.sent if order.symbol == SPOT]
    assert [(o.side, o.qty, o.filled, o.tif.name) for o in hedges] == [(SELL, 0.5, 0.5, "IOC")]
    assert bot.net() == 0.5
    bench.advance(0.5)
    assert len([order for order in bench.sent if order.symbol == SPOT]) == 1
    quotes = sorted(order.price or 0.0 for order in bench.live(PERP))
    assert quotes == [pytest.approx(998.7), pytest.approx(1000.8)]


def test_hedged_maker_pauses_when_its_hedge_is_taken() -> None:
    """Auto-deleveraging of a leg: no quotes for a while."""
    bench, bot = two_venues(pause_s=2.0)
    bench.advance(0.5)
    assert bench.live()
    notice = AdlNotice(bench.market(PERP), 0, bench.now_ns, 1000.0, 1.0, 0.0, is_victim=True)
    bot.on_adl(notice)
    bench.advance(1.5)
    assert bench.live() == []
    bench.advance(1.0)
    assert len(bench.live()) == 2


def sniper() -> tuple[Bench, LiquidationSniper]:
    """A sniper with a reference of 100."""
    bench = Bench.single(PERP, auto=True)
    bot = bench.run(LiquidationSniper(SniperParams(symbol=PERP, qty=1.0, max_qty=1.5)))
    bench.set_mark(PERP, 100.0, 100.0)
    bench.play(f"0 book {PERP} 99.9x9 | 100x9")
    bench.advance(2.0)
    assert bench.sent == []
    return bench, bot


def test_sniper_buys_forced_sales_below_value_and_sells_the_recovery() -> None:
    """Both conditions, the limit, and the way out."""
    bench, bot = sniper()
    bench.play(f"0 book {PERP} 97.9x9 | 98x9")
    bench.advance(1.0)
    assert bench.sent == []
    bench.trade(PERP, SELL, 98, 3, flags=FLAG_LIQUIDATION)
    bench.trade(PERP, SELL, 98, 1)
    assert bot.forced_share() == 0.75
    bench.advance(3.0)
    assert bot.position_lots(PERP) == 1500
    bench.advance(5.0)
    assert bot.position_lots(PERP) == 1500
    bench.play(f"0 book {PERP} 99.8x9 | 99.9x9")
    bench.advance(1.0)
    assert bot.position_lots(PERP) == 0


def test_sniper_has_patience_and_no_more() -> None:
    """Without a recovery it sells when its time is over."""
    bench, bot = sniper()
    bench.play(f"0 book {PERP} 97.9x9 | 98x9")
    bench.trade(PERP, SELL, 98, 3, flags=FLAG_LIQUIDATION)
    bench.advance(2.0)
    assert bot.position_lots(PERP) > 0
    bench.advance(590.0)
    assert bot.position_lots(PERP) > 0
    bench.advance(30.0)
    assert bot.position_lots(PERP) == 0


def test_reference_without_an_index_is_a_slow_mean() -> None:
    """Half of a jump after about 0.7 of its memory."""
    bench = Bench.single(SPOT, auto=True)
    bot = bench.run(LiquidationSniper(SniperParams(symbol=SPOT, memory_s=100.0)))
    assert bot.reference(100.0) == 100.0
    for _ in range(70):
        bench.advance(1.0)
        value = bot.reference(200.0)
    assert value == pytest.approx(200.0 - 100.0 * 0.99**70)
