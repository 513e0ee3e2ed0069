"""The eyes of an agent: delayed reads of the public feed, and pushed market data.

A read draws one delay per venue and instant and shows what was available that long ago; what has
been seen once is never unseen (the view of a session only moves forward).  Pushed data travel over
the same link in order, and move the view forward when they arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange_sim.marketdata.bars import BarMaker
from exchange_sim.marketdata.feed import BookListener, Feed
from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.model.enums import PositionSide
from exchange_sim.sim.account_desk import AccountDesk
from exchange_sim.sim.chain_feed import ChainFeed
from exchange_sim.sim.desk import Names
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import WAKE, Kernel
from exchange_sim.sim.links import Link
from exchange_sim.strategy.chain_views import ChainView
from exchange_sim.strategy.context import SymbolLike
from exchange_sim.strategy.views import Position
from exchange_sim.units import PPM


class Reader:
    """The state of one agent's market-data link to one venue."""

    __slots__ = ("conflation_ns", "link", "read_at", "view_ns")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.conflation_ns = 0
        self.read_at = -1
        self.view_ns = -1

    def view_at(self, now: int) -> int:
        """Up to which publication the agent can see at ``now``; one draw per instant."""
        if now != self.read_at:
            self.read_at = now
            seen = now - self.link.draw()
            if self.conflation_ns:
                seen -= seen % self.conflation_ns
            self.view_ns = max(self.view_ns, seen)
        return self.view_ns


class ConflatedBook:
    """An ``on_book`` subscription with an interval: the newest view, at most once per interval."""

    __slots__ = ("due_ns", "interval_ns", "kernel", "pending", "push")

    def __init__(self, kernel: Kernel, interval_ns: int, push: BookListener) -> None:
        self.kernel = kernel
        self.interval_ns = interval_ns
        self.push = push
        self.due_ns = 0
        self.pending: BookView | None = None

    def __call__(self, view: BookView) -> None:
        """The feed has published."""
        now = self.kernel.now_ns
        if self.pending is not None:
            self.pending = view
        elif now >= self.due_ns:
            self.due_ns = now + self.interval_ns
            self.push(view)
        else:
            self.pending = view
            self.kernel.at(self.due_ns, self._flush)

    def _flush(self, _: None) -> None:
        view, self.pending = self.pending, None
        self.due_ns = self.kernel.now_ns + self.interval_ns
        if view is not None:
            self.push(view)


class Watcher(AccountDesk):
    """The reading half of an agent."""

    def __init__(
        self,
        name: str,
        kernel: Kernel,
        exchange: Exchange,
        names: Names,
        feed: Feed,
        links: list[Link],
    ) -> None:
        super().__init__(name, kernel, exchange, names)
        self.feed = feed
        self.readers = [Reader(link) for link in links]
        self.chain_feed: ChainFeed | None = None
        self._levels = [1] * len(names.markets)
        self._ticks: dict[int, BookView] = {}
        self._book_subscriptions: dict[int, tuple[bool, Any]] = {}
        self._trade_subscriptions: dict[int, bool] = {}
        self._bar_subscriptions: dict[tuple[int, int], bool] = {}
        self._mark_followed: dict[int, bool] = {}
        for link in links:
            feed.require_horizon(link.latency.max_ns)

    def conflate(self, interval_ns: int) -> None:
        """Let books be seen at most once per interval, instants counted from the epoch."""
        for reader in self.readers:
            reader.conflation_ns = interval_ns
        self.feed.require_horizon(interval_ns)

    def book(self, symbol: SymbolLike) -> BookView:
        """See ``Strategy.book``."""
        market = symbol if isinstance(symbol, Market) else self.names.market(symbol)
        instrument = market.id
        reader = self.readers[market.venue_id]
        view = self.feed.book(
            instrument, self._levels[instrument], reader.view_at(self.kernel.now_ns)
        )
        tick = self._ticks.get(instrument) if self._ticks else None
        return tick if tick is not None and tick.time_ns >= view.time_ns else view

    def last_trades(self, symbol: SymbolLike, n: int) -> list[Trade]:
        """See ``Strategy.last_trades``."""
        market = self.names.market(symbol)
        view_ns = self.readers[market.venue_id].view_at(self.kernel.now_ns)
        return self.feed.last_trades(market.id, n, view_ns)

    def mark(self, symbol: SymbolLike) -> MarkPrice | None:
        """See ``Strategy.mark``."""
        market = self.names.market(symbol)
        view_ns = self.readers[market.venue_id].view_at(self.kernel.now_ns)
        return self.feed.latest_mark(market.id, view_ns)

    def position_lots(self, symbol: SymbolLike, account: str | None = None) -> int:
        """See ``Strategy.position_lots``."""
        market = self.names.market(symbol)
        view = self.session_at(market.venue_id, account).view
        if market.is_perpetual:
            holding = view.holdings.get(market.id)
            return holding.lots if holding else 0
        units = view.balances[market.base_id]
        return units // market.lot_units if market.lot_units else 0

    def position(
        self, symbol: SymbolLike, account: str | None, side: int = int(PositionSide.BOTH)
    ) -> Position:
        """See ``Strategy.position``."""
        market = self.names.market(symbol)
        view = self.session_at(market.venue_id, account).view
        holding = view.legs.get((market.id, side)) if side else view.holdings.get(market.id)
        if market.is_perpetual:
            mark = self.mark(market)
            valued = mark.mark_micro / PPM if mark else 0.0
        else:
            valued = self.book(market).mid_ticks
        lots = self.position_lots(market, account)
        if side:
            lots = holding.lots if holding else 0
        isolated = view.isolated_units(market.id, side)
        return Position(
            market,
            view.account,
            lots,
            market.price(holding.entry_ticks) if holding else 0.0,
            market.price(valued),
            holding.pnl_units / 10**market.settle_decimals if holding else 0.0,
            PositionSide(side),
            None if isolated is None else isolated / 10**market.settle_decimals,
        )

    def chain_view(self) -> ChainView | None:
        """See ``Strategy.chain_view``."""
        chain = self.names.chain
        if chain < 0 or self.chain_feed is None:
            return None
        return self.chain_feed.seen_at(self.readers[chain].view_at(self.kernel.now_ns))

    def follow_chain(self, feed: ChainFeed) -> None:
        """From now on blocks are seen, and pushed if the strategy listens."""
        self.chain_feed = feed
        push = self._venue_pusher("on_block", self.names.chain)
        if push is not None:
            feed.listeners.append(push)

    # pushed data

    def subscribe_book(self, symbol: SymbolLike, depth: int, interval_ns: int | None) -> None:
        """See ``Strategy.subscribe_book``; a new subscription replaces the market's old one."""
        market = self.names.market(symbol)
        levels = self.feed.require_depth(market.id, depth, self.kernel.now_ns)
        self._levels[market.id] = levels
        self._unsubscribe_book(market.id)
        push = self._pusher("on_book", market)
        conflation_ns = self.readers[market.venue_id].conflation_ns
        if conflation_ns:
            interval_ns = max(interval_ns or 0, conflation_ns)
        if interval_ns is None:
            listener: BookListener = self._tick_pusher(market, push)
            self.feed.tick_listeners.setdefault(market.id, []).append((levels, listener))
        elif push is None:
            return
        else:
            listener = ConflatedBook(self.kernel, interval_ns, push)
            self.feed.book_listeners[market.id].append((levels, listener))
        self._book_subscriptions[market.id] = (interval_ns is None, (levels, listener))
        self._follow_mark(market)

    def _unsubscribe_book(self, instrument: int) -> None:
        old = self._book_subscriptions.pop(instrument, None)
        if old is None:
            return
        by_tick, entry = old
        if by_tick:
            listeners = self.feed.tick_listeners[instrument]
            listeners.remove(entry)
            if not listeners:
                del self.feed.tick_listeners[instrument]
            self._ticks.pop(instrument, None)
        else:
            self.feed.book_listeners[instrument].remove(entry)

    def subscribe_trades(self, symbol: SymbolLike) -> None:
        """See ``Strategy.subscribe_trades``."""
        market = self.names.market(symbol)
        push = self._pusher("on_trade", market)
        if push is not None and market.id not in self._trade_subscriptions:
            self._trade_subscriptions[market.id] = True
            self.feed.trade_listeners[market.id].append(push)
        self._follow_mark(market)

    def subscribe_bars(self, symbol: SymbolLike, interval_ns: int) -> None:
        """See ``Strategy.subscribe_bars``."""
        market = self.names.market(symbol)
        maker = BarMaker(market, interval_ns)
        push = self._pusher("on_bar", market)
        if push is None or (market.id, interval_ns) in self._bar_subscriptions:
            return
        self._bar_subscriptions[market.id, interval_ns] = True
        self.feed.trade_listeners[market.id].append(maker.trade)
        self.kernel.at(maker.next_end(self.kernel.now_ns), self._end_bar, (maker, push))

    def _end_bar(self, item: tuple[BarMaker, Callable[[Any], None]]) -> None:
        """An interval is over: trades of this instant belong to the next one."""
        maker, push = item
        now = self.kernel.now_ns
        bar = maker.finish(now)
        if bar is not None and not self.feed.frozen[maker.market.venue_id]:
            push(bar)
        if not self.closed:
            self.kernel.at(now + maker.interval_ns, self._end_bar, item)

    def _follow_mark(self, market: Market) -> None:
        """Marks are pushed for the perpetuals that a strategy has subscribed to in any way."""
        push = self._pusher("on_mark_price", market)
        if push is not None and market.is_perpetual and market.id not in self._mark_followed:
            self._mark_followed[market.id] = True
            self.feed.mark_listeners[market.id].append(push)

    def _pusher(self, callback: str, market: Market) -> Callable[[Any], None] | None:
        """A listener that sends what is published over the link; ``None`` if nobody listens."""
        return self._venue_pusher(callback, market.venue_id)

    def _venue_pusher(self, callback: str, venue: int) -> Callable[[Any], None] | None:
        if callback not in self.callbacks:
            return None
        reader = self.readers[venue]
        kernel, delays = self.kernel, self.feed.delay_ns

        def push(item: Any) -> None:
            now = kernel.now_ns
            available = now + delays[venue]
            arrival = reader.link.arrival(available)
            kernel.at(arrival, self.receive, (callback, item, reader, available), WAKE)

        return push

    def _tick_pusher(self, market: Market, push: Callable[[Any], None] | None) -> BookListener:
        """As ``_pusher`` for tick-by-tick books, which are kept as this agent's own view."""
        if push is not None:
            return push
        reader, venue = self.readers[market.venue_id], market.venue_id
        kernel, delays = self.kernel, self.feed.delay_ns

        def keep(item: BookView) -> None:
            arrival = reader.link.arrival(kernel.now_ns + delays[venue])
            kernel.at(arrival, self.receive, ("", item, reader, kernel.now_ns), WAKE)

        return keep

    def receive(self, item: tuple[str, Any, Reader, int]) -> None:
        """Pushed data have arrived; the agent knows whom to tell."""
        raise NotImplementedError
