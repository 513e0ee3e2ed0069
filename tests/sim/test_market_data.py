"""Market data as strategies see it: delayed reads, pushed callbacks, impaired feeds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import attrs
import pytest

from exchange_sim.sim import Latency, Outage, Run
from exchange_sim.strategy import BookView, Margin, MarkPrice, Strategy, Trade
from tests.doubles.sim_world import MS, QUIET, SPOT, START_NS, add, fund, make_run, quote

SYMBOL, PERP_SYMBOL = "leading:BTCUSDT", "leading:BTCUSDT-PERP"
SECOND = 1_000 * MS


def ms(time_ns: int) -> float:
    return (time_ns - START_NS) / MS


def execute(run: Run, seconds: float) -> Any:
    return run.execute(START_NS + round(seconds * SECOND))


def test_book_is_seen_one_link_late_and_never_earlier():
    """A publication at 100 ms is readable at 104 ms over a 4 ms link, not at 103 ms."""

    class Looker(Strategy):
        def on_start(self) -> None:
            self.seen: list[tuple[float, float | None]] = []
            self.subscribe_book(SYMBOL, depth=5)
            self.set_timer_ns("look", MS)

        def on_timer(self, name: str) -> None:
            self.seen.append((ms(self.now_ns), self.book(SYMBOL).best_bid))

    run, bot = make_run(), Looker()
    add(run, "bot", bot)
    quote(run, SPOT)
    account = fund(run, "leading")
    run.kernel.at(
        START_NS + 50 * MS,
        lambda _: run.exchange.apply(
            (1, START_NS + 50 * MS, account, SPOT, 1, 0, 0, 0, 1_000_000, 7, 0, 0, 0, 0, 0, 0)
        ),
    )
    execute(run, 0.2)
    seen = dict(bot.seen)

    assert seen[3.0] is None
    assert seen[4.0] == 99_999.9
    assert seen[103.0] == 99_999.9
    assert seen[104.0] == 100_000.0


def test_view_never_moves_backwards_over_a_jittery_link():
    """A later read may draw a longer delay, but what was seen stays seen."""

    class Looker(Strategy):
        def on_start(self) -> None:
            self.times: list[int] = []
            self.set_timer_ns("look", 7 * MS)

        def on_timer(self, name: str) -> None:
            view = self.book(SYMBOL)
            assert self.now_ns - view.time_ns >= MS or not view.time_ns
            self.times.append(view.time_ns)

    run, bot = make_run(feed_interval_ns=10 * MS), Looker()
    add(run, "bot", bot, market_data=Latency(MS, 20 * MS, "exponential"))

    def churn(_: Any) -> None:
        run.feed.dirty[SPOT] = 1
        run.kernel.at(run.kernel.now_ns + 5 * MS, churn)

    run.kernel.at(START_NS, churn)
    execute(run, 5)

    assert bot.times == sorted(bot.times)
    assert len(set(bot.times)) > 100


class Watcher(Strategy):
    """Hears market data in every way."""

    interval: float | None = 0.1

    def on_start(self) -> None:
        self.books: list[tuple[float, float, int]] = []
        self.trades: list[tuple[float, Trade]] = []
        self.marks: list[tuple[float, MarkPrice]] = []
        self.margins: list[tuple[float, Margin]] = []
        self.subscribe_book(SYMBOL, 5, self.interval)
        self.subscribe_trades(SYMBOL)
        self.subscribe_book(PERP_SYMBOL, 1, 1.0)

    def on_book(self, book: BookView) -> None:
        if book.symbol == SYMBOL:
            self.books.append((ms(self.now_ns), ms(book.time_ns), book.ask_lots))
            assert self.book(SYMBOL).time_ns >= book.time_ns

    def on_trade(self, trade: Trade) -> None:
        self.trades.append((ms(self.now_ns), trade))

    def on_mark_price(self, mark: MarkPrice) -> None:
        self.marks.append((ms(self.now_ns), mark))

    def on_margin(self, margin: Margin) -> None:
        self.margins.append((ms(self.now_ns), margin))


class Nibbler(Strategy):
    """Buys one lot every 30 ms."""

    def on_start(self) -> None:
        self.set_timer("nibble", 0.03)

    def on_timer(self, name: str) -> None:
        self.buy(SYMBOL, 0.001)


def watched(bot: Strategy, seconds: float = 1.0, **timing: Any) -> Run:
    run = make_run(timings=[attrs.evolve(QUIET, **timing), QUIET])
    add(run, "watcher", bot)
    add(run, "nibbler", Nibbler())
    quote(run, SPOT)
    execute(run, seconds)
    return run


def test_tick_by_tick_books_and_trades_are_pushed_in_order():
    """Every change of the book, one link later; trades likewise."""
    bot = Watcher()
    bot.interval = None
    watched(bot, 0.5)

    assert [arrived - sent for arrived, sent, _ in bot.books] == [4.0] * len(bot.books)
    assert [lots for _, _, lots in bot.books] == [100 - i for i in range(1, 17)]
    assert [(t, trade.qty_lots) for t, trade in bot.trades[:2]] == [(36.0, 1), (66.0, 1)]
    assert len(bot.trades) == len(bot.books) == 16


def test_conflated_books_come_at_most_once_per_interval():
    """The newest book per interval, however many changes there were."""
    bot = Watcher()
    bot.interval = 0.2
    watched(bot)
    arrivals = [arrived for arrived, _, _ in bot.books]

    assert len(arrivals) == 5
    assert all(b - a >= 200 for a, b in pairwise(arrivals[1:]))


def test_marks_and_margins_arrive_after_each_mark_update():
    """UpdateMarks each second: mark prices for subscribed perpetuals, margins for listeners."""
    bot = Watcher()
    watched(bot, 2.5, mark_interval_ns=SECOND)

    assert [t for t, _ in bot.marks] == [1004.0, 2004.0]
    assert [t for t, _ in bot.margins] == [1003.0, 2003.0]
    assert bot.margins[0][1].equity == pytest.approx(10_000_000)
    assert bot.marks[0][1].mark == pytest.approx(100_000, rel=1e-4)


def test_frozen_feed_shows_the_last_book_and_recovers():
    """Mode feed_frozen: reads stay where they were; trading goes on."""

    class Looker(Strategy):
        def on_start(self) -> None:
            self.seen: dict[int, int] = {}
            self.set_timer("look", 0.05)

        def on_timer(self, name: str) -> None:
            self.seen[round(ms(self.now_ns))] = self.book(SYMBOL).trade_count

    run, bot = make_run(), Looker()
    add(run, "looker", bot)
    add(run, "nibbler", Nibbler())
    quote(run, SPOT)
    run.add_outage(Outage("feed_frozen", 0, START_NS + 250 * MS, START_NS + 650 * MS))
    execute(run, 1)

    assert bot.seen[250] == bot.seen[600] == bot.seen[700] == 6
    assert bot.seen[750] == 23


def test_delayed_feed_is_late_by_the_stated_time():
    """Mode feed_delayed: what was published at 300 ms is readable at 300 + 500 + 4 ms."""

    class Looker(Strategy):
        def on_start(self) -> None:
            self.lag: dict[int, float] = {}
            self.set_timer("look", 0.05)

        def on_timer(self, name: str) -> None:
            self.lag[round(ms(self.now_ns))] = ms(self.book(SYMBOL).time_ns)

    run, bot = make_run(), Looker()
    add(run, "looker", bot)
    add(run, "nibbler", Nibbler())
    quote(run, SPOT)
    run.add_outage(
        Outage("feed_delayed", 0, START_NS + 250 * MS, START_NS + 2 * SECOND, delay_ns=500 * MS)
    )
    execute(run, 1.5)

    assert bot.lag[750] == bot.lag[800] == 200.0
    assert bot.lag[850] == 300.0
    assert bot.lag[1400] == 800.0


def test_reads_of_one_strategy_do_not_depend_on_what_another_subscribes():
    """A deep tick-by-tick subscriber changes neither depth nor age of anybody else's views."""

    class Looker(Strategy):
        def on_start(self) -> None:
            self.seen: list[tuple[int, int, int]] = []
            self.subscribe_book(SYMBOL, depth=5)
            self.set_timer("look", 0.013)

        def on_timer(self, name: str) -> None:
            book = self.book(SYMBOL)
            self.seen.append((book.time_ns, len(book.bid_levels), book.trade_count))

    class Deep(Watcher):
        interval = None

        def on_start(self) -> None:
            super().on_start()
            self.subscribe_book(SYMBOL, 500, None)
            self.set_timer("again", 0.17)

        def on_timer(self, name: str) -> None:
            self.subscribe_book(SYMBOL, 100, 0.01)

    def observe(extra: bool) -> list[tuple[int, int, int]]:
        run, bot = make_run(), Looker()
        add(run, "looker", bot)
        add(run, "nibbler", Nibbler())
        quote(run, SPOT, levels=30)
        if extra:
            run.add_strategy("deep", Deep(), {})
        execute(run, 1)
        return bot.seen

    assert observe(extra=True) == observe(extra=False)
