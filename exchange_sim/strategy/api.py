"""The strategy API: one class for users' bots and for every participant inside the package.

::

    class Follower(Strategy):
        @attrs.frozen
        class Params(Strategy.Params):
            symbol: str = "leading:BTCUSDT"
            qty: float = 0.01

        def on_start(self) -> None:
            self.subscribe_book(self.params.symbol, depth=5)
            self.set_timer("requote", 0.25)

        def on_timer(self, name: str) -> None:
            book = self.book(self.params.symbol)
            if book.best_bid is not None:
                self.buy(self.params.symbol, self.params.qty, book.best_bid, post_only=True)

- A callback never blocks and never returns orders.  Commands travel over the strategy's link to the
  venue; answers travel back.  What you read is what your link has delivered so far.
- Only callbacks that your class overrides are ever called; a strategy that overrides none of the
  private ones costs nothing per message, its view is brought up to date when it is next woken.
- ``on_order_update`` comes before ``on_fill`` for the same event.
- Prices and quantities are floats (``Decimal`` is accepted too).  Buys round down to the tick,
  sells up, quantities down to the lot.  A number that cannot be an order (NaN, negative, 10**40)
  gives a handle that is ``REJECTED``; a wrong type or an unknown symbol raises, and the host
  reports file and line.
- The integer path ``submit`` / ``modify`` / ``cancel`` with a ``Market`` skips all conversion.
- One instance trades any number of markets on any number of venues.  It has one account per venue
  unless the scenario gives it several; then ``account=`` names which (default: the first).
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.limits import QTY_LOTS_MAX
from exchange_sim.marketdata.bars import Bar
from exchange_sim.marketdata.market import Market, Number
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.messages.reasons import NoteKind, RejectReason
from exchange_sim.model.enums import (
    BUY,
    FLAG_LONG,
    FLAG_MARK_TRIGGER,
    FLAG_REDUCE_ONLY,
    FLAG_SHORT,
    GTC,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    OrderType,
    PositionSide,
    Side,
    StpMode,
    TimeInForce,
)
from exchange_sim.strategy.chain_requests import ChainRequests
from exchange_sim.strategy.context import Context, SymbolLike
from exchange_sim.strategy.edge import (
    Duration,
    duration_ns,
    edge_ticks,
    grid,
    handle,
    levels_of,
    member,
)
from exchange_sim.strategy.loan_types import LoanView, TransactionNotice
from exchange_sim.strategy.views import (
    AdlNotice,
    Fill,
    FundingNotice,
    LiquidationNotice,
    Margin,
    OrderHandle,
    Position,
    RefusalNotice,
    TransferNotice,
)

__all__ = [
    "BUY",
    "SELL",
    "AdlNotice",
    "Bar",
    "BookView",
    "Fill",
    "FundingNotice",
    "LiquidationNotice",
    "LoanView",
    "Margin",
    "MarkPrice",
    "Market",
    "OrderHandle",
    "OrderType",
    "Position",
    "PositionSide",
    "RefusalNotice",
    "Side",
    "StpMode",
    "Strategy",
    "TimeInForce",
    "Trade",
    "TransactionNotice",
    "TransferNotice",
]

SIDE_FLAGS = (0, FLAG_LONG, FLAG_SHORT)
"""Flags of an order by the position side that it names."""
_FAST_PATH = ("submit", "modify", "cancel", "book", "position_lots")


class Strategy(ChainRequests):
    """Base of all strategies: override callbacks, call helpers.

    ``params`` is an instance of the class's own ``Params``.  The host calls ``attach`` before
    ``on_start``; until then only ``params`` may be used.
    """

    @attrs.frozen
    class Params:
        """Parameters; override with an attrs class derived from ``Strategy.Params``."""

    params: Any
    private_feed: bool = True
    """False: fire and forget; no order, fill, balance or margin message is delivered (fastest)."""

    def __init__(self, params: Any = None) -> None:
        super().__init__()
        self.params = self.Params() if params is None else params

    def attach(self, context: Context) -> None:
        """Called by the host; binds hot helpers to the context (60 ns a call less)."""
        self._context = context
        for name in _FAST_PATH:
            if getattr(type(self), name) is getattr(Strategy, name):
                self.__dict__[name] = getattr(context, name)

    # orders: floats at the edge

    def buy(
        self, symbol: SymbolLike, qty: Number, price: Number | None = None, **options: Any
    ) -> OrderHandle:
        """A limit buy at ``price``, or a market buy; options: see ``submit_order``."""
        return self.submit_order(symbol, BUY, qty, price, **options)

    def sell(
        self, symbol: SymbolLike, qty: Number, price: Number | None = None, **options: Any
    ) -> OrderHandle:
        """A limit sell at ``price``, or a market sell; options: see ``submit_order``."""
        return self.submit_order(symbol, SELL, qty, price, **options)

    def submit_order(
        self,
        symbol: SymbolLike,
        side: Side | int | str,
        qty: Number,
        price: Number | None = None,
        *,
        order_type: OrderType | int | str | None = None,
        tif: TimeInForce | int | str | None = None,
        post_only: bool = False,
        reduce_only: bool = False,
        display_qty: Number = 0,
        trigger_price: Number | None = None,
        mark_trigger: bool = False,
        trailing: float = 0.0,
        expire_ns: int = 0,
        stp: StpMode | int | str = StpMode.NONE,
        position_side: PositionSide | int | str = PositionSide.BOTH,
        flags: int = 0,
        account: str | None = None,
    ) -> OrderHandle:
        """Send an order and return its handle at once.

        ``order_type`` defaults to LIMIT with a price and MARKET without; ``tif`` to GTC (IOC for
        MARKET, GTX with ``post_only``).  ``trailing`` is the callback fraction of a trailing stop,
        ``position_side`` a leg of hedge mode.  Numbers that cannot be an order give a ``REJECTED``
        handle (BAD_QTY, BAD_PRICE, BAD_TRIGGER); wrong types raise ``TypeError``.
        """
        market = self._ctx.market(symbol)
        side_id = member(Side, side)
        default = MARKET if price is None else LIMIT
        kind = member(OrderType, default if order_type is None else order_type)
        if tif is None:
            tif = GTX if post_only else IOC if kind == MARKET else GTC
        lots, bad = grid(market.to_lots, qty, QTY_LOTS_MAX, RejectReason.BAD_QTY)
        shown, bad_shown = grid(market.to_lots, display_qty, QTY_LOTS_MAX, RejectReason.BAD_ICEBERG)
        ticks, bad_price = edge_ticks(market, price, side_id, RejectReason.BAD_PRICE)
        trigger, bad_trigger = edge_ticks(market, trigger_price, side_id, RejectReason.BAD_TRIGGER)
        reason = bad or bad_price or bad_trigger or bad_shown
        if not reason and lots <= 0:
            reason = RejectReason.BAD_QTY
        if reason:
            return self._ctx.refused(market, side_id, kind, reason, account)
        flags |= FLAG_REDUCE_ONLY * bool(reduce_only) | FLAG_MARK_TRIGGER * bool(mark_trigger)
        flags |= SIDE_FLAGS[member(PositionSide, position_side)]
        return self.submit(
            market,
            side_id,
            lots,
            ticks,
            kind,
            member(TimeInForce, tif),
            flags,
            shown,
            trigger,
            round(trailing * 1_000_000),
            expire_ns,
            member(StpMode, stp),
            account,
        )

    def modify_order(
        self, order: OrderHandle, price: Number | None = None, qty: Number | None = None
    ) -> bool:
        """Ask for another price and / or open quantity; False when there is nothing to ask for.

        ``qty`` is the new *open* quantity.  The answer comes as ``on_order_update``; a refusal sets
        ``reject_reason`` and leaves the order as it was.  Junk numbers return False.
        """
        market = handle(order).market
        ticks, bad = edge_ticks(market, price, order.side, RejectReason.BAD_PRICE)
        lots = -1
        if qty is not None:
            lots, bad_qty = grid(market.to_lots, qty, QTY_LOTS_MAX, RejectReason.BAD_QTY)
            if bad_qty or lots <= 0:
                return False
        if bad or (price is not None and ticks <= 0) or (price is None and qty is None):
            return False
        return self.modify(order, ticks, lots)

    def cancel_order(self, order: OrderHandle) -> bool:
        """Ask to cancel; False when the order has ended or a cancel is already under way."""
        return self.cancel(handle(order))

    def cancel_all_orders(
        self,
        symbol: SymbolLike | None = None,
        side: Side | int | str | None = None,
        venue: str | None = None,
        account: str | None = None,
    ) -> int:
        """Ask each venue concerned for a mass cancel; returns the number of requests sent.

        With ``symbol`` only that market, with ``side`` only that side, with ``venue`` only that
        venue.
        """
        side_id = None if side is None else member(Side, side)
        return self._ctx.mass_cancel(symbol, side_id, venue, account)

    def close_position(
        self,
        symbol: SymbolLike,
        account: str | None = None,
        position_side: PositionSide | int | str = PositionSide.BOTH,
    ) -> OrderHandle | None:
        """Market order against the known position (perpetuals: reduce-only), if any.

        In hedge mode ``position_side`` names the leg.
        """
        market = self._ctx.market(symbol)
        leg = member(PositionSide, position_side)
        lots = self.position(market, account, leg).qty_lots
        if lots == 0:
            return None
        flags = SIDE_FLAGS[leg] or (FLAG_REDUCE_ONLY if market.is_perpetual else 0)
        side = SELL if lots > 0 else BUY
        return self.submit(market, side, abs(lots), 0, MARKET, IOC, flags, account=account)

    # orders: integer fast path

    def submit(
        self,
        market: Market,
        side: int,
        qty_lots: int,
        price_ticks: int = 0,
        order_type: int = LIMIT,
        tif: int = GTC,
        flags: int = 0,
        display_lots: int = 0,
        trigger_ticks: int = 0,
        trailing_ppm: int = 0,
        expire_ns: int = 0,
        stp_mode: int = 0,
        account: str | None = None,
    ) -> OrderHandle:
        """Send an order in integers; ``flags`` is a bit set of the ``FLAG_`` constants.

        Nothing is converted or checked beyond the 64-bit range: refusing is up to the venue.
        """
        return self._ctx.submit(
            market,
            side,
            qty_lots,
            price_ticks,
            order_type,
            tif,
            flags,
            display_lots,
            trigger_ticks,
            trailing_ppm,
            expire_ns,
            stp_mode,
            account,
        )

    def modify(self, handle: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        """Ask for another price (0 keeps it) and open quantity (-1 keeps it), in integers."""
        return self._ctx.modify(handle, price_ticks, qty_lots)

    def cancel(self, handle: OrderHandle) -> bool:
        """Same as ``cancel_order``."""
        return self._ctx.cancel(handle)

    # timers, subscriptions, remarks

    def set_timer(
        self, name: str, interval: Duration, jitter: Duration = 0, repeat: bool = True
    ) -> None:
        """Call ``on_timer(name)`` every ``interval`` plus a uniform draw from [0, ``jitter``).

        Seconds, or text such as ``"250ms"``.  A timer of the same name is replaced.
        """
        self._ctx.set_timer(name, duration_ns(interval), duration_ns(jitter), repeat)

    def set_timer_ns(
        self, name: str, interval_ns: int, jitter_ns: int = 0, repeat: bool = True
    ) -> None:
        """``set_timer`` in integer nanoseconds."""
        self._ctx.set_timer(name, interval_ns, jitter_ns, repeat)

    def cancel_timer(self, name: str) -> bool:
        """Stop a timer; False when there is none of that name."""
        return self._ctx.cancel_timer(name)

    def subscribe_book(
        self, symbol: SymbolLike, depth: int = 20, interval: Duration | None = "100ms"
    ) -> None:
        """Have at least ``depth`` levels in the book's views, and ``on_book`` called.

        ``interval``: conflated, at most one call per interval when the book changed; ``None``: tick
        by tick.
        """
        span = None if interval is None else duration_ns(interval)
        self._ctx.subscribe_book(symbol, levels_of(depth), span)

    def subscribe_trades(self, symbol: SymbolLike) -> None:
        """Have ``on_trade`` called for every public trade of a market."""
        self._ctx.subscribe_trades(symbol)

    def subscribe_bars(self, symbol: SymbolLike, interval: Duration = "1m") -> None:
        """Have ``on_bar`` called at the end of each interval, counted from the epoch.

        A market may have several intervals.
        """
        self._ctx.subscribe_bars(symbol, duration_ns(interval))

    def subscribe_margin(self, venue: str | None = None, account: str | None = None) -> None:
        """Have ``margin()`` refreshed at every mark update of the venue."""
        self._ctx.subscribe_margin(venue, account)

    def note(
        self,
        kind: NoteKind | int,
        a: int = 0,
        b: int = 0,
        venue: str | None = None,
        account: str | None = None,
    ) -> None:
        """Put a remark into the event log (a withdrawal of quotes and its cause, for instance)."""
        self._ctx.note(int(kind), a, b, venue, account)

    def record(self, **values: float) -> None:
        """Put values of your own into the event log, to be read as series afterwards.

        ``self.record(fair=fair, skew=skew)``; kept in millionths.  Raises ``ValueError`` for what
        is not finite or beyond 9e12, ``TypeError`` for what is no number.
        """
        self._ctx.record(values)

    def log(self, message: str, **values: object) -> None:
        """Say something notable in the narrative log: rarely, it costs microseconds."""
        self._ctx.log(message, values)

    def stop(self, reason: str = "") -> None:
        """End this strategy: its open orders are cancelled and nothing more is delivered to it."""
        self._ctx.stop(reason)
