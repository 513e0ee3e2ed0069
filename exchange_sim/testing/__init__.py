"""Testing a strategy without a scenario: a scripted market, orders in words, a clock of your own.

::

    from exchange_sim.testing import Bench, assert_orders

    def test_quotes_both_sides() -> None:
        bench = Bench.single("leading:BTCUSDT", auto=True)
        bench.run(MyMaker())
        bench.play("0.0 book leading:BTCUSDT 99.9x1 | 100.1x1")
        bench.advance(1.0)
        assert_orders(bench.live(), "BUY 0.1 @ 99.8 GTX", "SELL 0.1 @ 100.2 GTX")

``exchange_sim.testing.plugin`` has the same as pytest fixtures.
"""

from exchange_sim.strategy.testing import Bench, assert_orders, describe, make_market

__all__ = ["Bench", "assert_orders", "describe", "make_market"]
