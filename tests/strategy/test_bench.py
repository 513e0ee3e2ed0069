"""The test bench as a user's test sees it: scripts, the venue that answers, orders in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.errors import UsageError
from exchange_sim.strategy import Fill, OrderHandle, RejectReason, Strategy
from exchange_sim.testing import Bench, assert_orders, describe

SYMBOL = "leading:BTCUSDT"
ROOT = Path(__file__).parents[2]


class Recorder(Strategy):
    """Keeps what it is told."""

    def on_start(self) -> None:
        self.told: list[Any] = []
        self.subscribe_book(SYMBOL)

    def on_order_update(self, order: OrderHandle) -> None:
        self.told.append(order.status.name)

    def on_fill(self, fill: Fill) -> None:
        self.told.append((fill.price, fill.qty, fill.is_maker))

    def on_disconnect(self, venue: str, reason: str) -> None:
        self.told.append((venue, reason))

    def on_reconnect(self, venue: str) -> None:
        self.told.append((venue, "back"))


def bench_with(book: str = "99.9x1 99.8x2 | 100.1x1 100.2x3") -> tuple[Bench, Recorder]:
    """A bench that answers, with a book."""
    bench = Bench.single(SYMBOL, auto=True)
    bot = bench.run(Recorder())
    bench.play(f"0 book {SYMBOL} {book}")
    return bench, bot


def answered(bench: Bench) -> None:
    """Let the venue answer what was sent outside a callback."""
    bench.answer()


def test_venue_takes_fills_rejects_and_expires() -> None:
    """Resting, marketable, post-only across, IOC remainder, market order without a book."""
    bench, bot = bench_with()
    rests = bot.buy(SYMBOL, 0.5, 99.7)
    takes = bot.buy(SYMBOL, 1.5, 100.1)
    cross = bot.sell(SYMBOL, 1, 99.9, post_only=True)
    ioc = bot.sell(SYMBOL, 3, 99.9, tif="IOC")
    market = bot.buy(SYMBOL, 0.25)
    answered(bench)

    assert rests.status.name == "NEW"
    assert (takes.status.name, takes.filled) == ("PARTIALLY_FILLED", 1.0)
    assert takes.average_price == 100.1
    assert cross.reject_reason == RejectReason.POST_ONLY_WOULD_CROSS
    assert (ioc.status.name, ioc.filled) == ("CANCELED", 1.0)
    assert market.status.name == "FILLED"
    assert_orders(bench.live(), "BUY 0.5 @ 99.7", "BUY 0.5 @ 100.1")
    assert bot.position_lots(SYMBOL) == 1000 - 1000 + 250


def test_resting_orders_trade_when_the_market_comes() -> None:
    """A crossing book trades at the own price; a print at the price does not, through it does."""
    bench, bot = bench_with()
    bid = bot.buy(SYMBOL, 0.5, 99.5)
    lower = bot.buy(SYMBOL, 1.0, 99.0)
    answered(bench)
    bench.play(f"""
        0.1 trade {SYMBOL} sell 99.5 10     # at the price: nobody knows the place in the queue
    """)
    assert bid.filled == 0
    bench.play(f"0.1 trade {SYMBOL} sell 99.4 0.2")
    assert (bid.filled, lower.filled) == (0.2, 0.0)
    bench.play(f"0.1 book {SYMBOL} 98.9x1 | 99.0x0.7")
    assert (bid.filled, lower.filled) == (0.5, 0.7)
    assert bot.told[-2:] == ["PARTIALLY_FILLED", (99.0, 0.7, True)]


def test_changes_cancels_and_mass_cancels_are_answered() -> None:
    """A replace keeps what was filled; a mass cancel ends everything of the side."""
    bench, bot = bench_with()
    first, second = bot.buy(SYMBOL, 1, 99.0), bot.sell(SYMBOL, 1, 101.0)
    answered(bench)
    bot.modify_order(first, 99.1, 0.4)
    answered(bench)
    assert_orders(bench.live(), "BUY 0.4 @ 99.1", "SELL 1 @ 101")
    bot.cancel_all_orders(SYMBOL, side="SELL")
    answered(bench)
    assert second.status.name == "CANCELED"
    bot.cancel_order(first)
    answered(bench)
    assert bench.live() == []


def test_endless_conversation_is_a_mistake() -> None:
    """A strategy that answers every answer never comes to rest."""

    class Stubborn(Strategy):
        def on_start(self) -> None:
            self.buy(SYMBOL, 1, 90)

        def on_order_update(self, order: OrderHandle) -> None:
            self.buy(SYMBOL, 1, 90)

    with pytest.raises(UsageError, match="answers every answer"):
        Bench.single(SYMBOL, auto=True).run(Stubborn())


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("0 book", "line 1"),
        (f"0 boook {SYMBOL}", "none of book, trade, mark"),
        (f"1 mark {SYMBOL} 5\n0.5 mark {SYMBOL} 5", "line 2 .*lines go back in time"),
        (f"x mark {SYMBOL} 5", "line 1"),
        (f"0 book {SYMBOL} 1xx | 2x1", "line 1"),
    ],
)
def test_scripts_with_mistakes_name_the_line(script: str, told: str) -> None:
    """Not a traceback from inside."""
    bench = Bench.single(SYMBOL, auto=True)
    bench.run(Recorder())
    with pytest.raises(UsageError, match=told):
        bench.play(script)


def test_orders_in_words() -> None:
    """What is missing and what is too much, one line each."""
    _, bot = bench_with()
    order = bot.sell(SYMBOL, 1, 101, post_only=True, reduce_only=True)
    assert describe(order) == "SELL 1 @ 101 GTX REDUCE_ONLY"
    assert describe(bot.buy(SYMBOL, 2)) == "BUY 2 @ MARKET"
    with pytest.raises(AssertionError) as caught:
        assert_orders([order], "SELL 2 @ 101")
    assert str(caught.value).splitlines()[1:] == [
        "  missing: SELL 2 @ 101",
        "  not expected: SELL 1 @ 101 GTX REDUCE_ONLY",
    ]


def test_connection_and_position_are_told() -> None:
    """Every callback can be played."""
    bench, bot = bench_with()
    bench.disconnect("leading")
    bench.reconnect("leading")

    assert bot.told == [("leading", "connection lost"), ("leading", "back")]


def test_fixtures(tmp_path: Path) -> None:
    """The pytest plugin, in a process of its own."""
    (tmp_path / "test_it.py").write_text(
        "from exchange_sim.testing import Bench\n"
        "def test_one(bench, auto_bench, make_bench):\n"
        "    assert isinstance(bench, Bench) and auto_bench.auto and not bench.auto\n"
        "    two = make_bench('a:XUSDT', 'b:XUSDT', auto=True, tick='0.01')\n"
        "    assert two.venues() == ['a', 'b'] and two.market('b:XUSDT').tick == 0.01\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "exchange_sim.testing.plugin", tmp_path],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        # An installed package has registered the plugin already, under its own name.
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "1 passed" in done.stdout, done.stdout + done.stderr
