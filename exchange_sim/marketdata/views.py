"""Read-only pictures of a market at one instant: order book, public trade, mark price.

They are made once per publication and shared by all readers, so nobody may change them.  Integer
fields (``bid_ticks``, ``ask_lots`` ...) are for hot paths; the float properties are for everybody
else.
"""

from __future__ import annotations

from collections.abc import Sequence

from exchange_sim.marketdata.market import Market
from exchange_sim.model.enums import BUY, FLAG_FORCED, FLAG_LIQUIDATION

Levels = Sequence[tuple[int, int]]
"""``(ticks, lots)`` pairs, best price first."""


class BookView:
    """The order book of a market as it was at ``time_ns`` (venue time of the publication).

    An absent side has 0 in the integer fields and ``None`` in the float properties.  ``bid_levels``
    and ``ask_levels`` hold as many levels as the deepest subscriber of the market asked for.
    ``last_ticks`` is the last trade price; ``trade_count``, ``buy_lots`` and ``sell_lots`` count
    trades and aggressor volume since the start of the run, so that the flow between two views is a
    subtraction.
    """

    __slots__ = (
        "ask_levels",
        "ask_lots",
        "ask_ticks",
        "available_ns",
        "bid_levels",
        "bid_lots",
        "bid_ticks",
        "buy_lots",
        "last_ticks",
        "market",
        "sell_lots",
        "time_ns",
        "trade_count",
    )

    def __init__(
        self,
        market: Market,
        time_ns: int,
        bid_levels: Levels = (),
        ask_levels: Levels = (),
        last_ticks: int = 0,
        trade_count: int = 0,
        buy_lots: int = 0,
        sell_lots: int = 0,
        available_ns: int = 0,
    ) -> None:
        self.market = market
        self.time_ns = time_ns
        self.bid_levels = bid_levels
        self.ask_levels = ask_levels
        self.bid_ticks, self.bid_lots = bid_levels[0] if bid_levels else (0, 0)
        self.ask_ticks, self.ask_lots = ask_levels[0] if ask_levels else (0, 0)
        self.last_ticks = last_ticks
        self.trade_count = trade_count
        self.buy_lots = buy_lots
        self.sell_lots = sell_lots
        self.available_ns = available_ns

    def __repr__(self) -> str:
        touch = f"bid={self.best_bid}, ask={self.best_ask}"
        return f"BookView({self.symbol}, {touch}, time_ns={self.time_ns})"

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def best_bid(self) -> float | None:
        """Highest buy price, ``None`` when nobody buys."""
        return self.market.price(self.bid_ticks) if self.bid_ticks else None

    @property
    def best_ask(self) -> float | None:
        """Lowest sell price, ``None`` when nobody sells."""
        return self.market.price(self.ask_ticks) if self.ask_ticks else None

    @property
    def last(self) -> float | None:
        """Last trade price, ``None`` before the first trade."""
        return self.market.price(self.last_ticks) if self.last_ticks else None

    @property
    def mid_ticks(self) -> float:
        """Half-way between the touches in ticks; 0.0 unless both sides are there."""
        return (self.bid_ticks + self.ask_ticks) / 2 if self.bid_ticks and self.ask_ticks else 0.0

    @property
    def mid(self) -> float | None:
        """Half-way between the touches, ``None`` unless both sides are there."""
        return self.market.price(self.mid_ticks) if self.bid_ticks and self.ask_ticks else None

    @property
    def spread(self) -> float | None:
        """Best ask minus best bid, ``None`` unless both sides are there."""
        if not (self.bid_ticks and self.ask_ticks):
            return None
        return self.market.price(self.ask_ticks - self.bid_ticks)

    @property
    def microprice(self) -> float | None:
        """Touch prices weighted by the opposite touch's size, ``None`` without both sides."""
        if not (self.bid_ticks and self.ask_ticks):
            return None
        weighted = self.bid_ticks * self.ask_lots + self.ask_ticks * self.bid_lots
        return self.market.price(weighted / (self.bid_lots + self.ask_lots))

    def imbalance(self, n: int = 1) -> float:
        """(bid - ask) / (bid + ask) volume of ``n`` levels, in [-1, 1]; 0.0 when empty."""
        bid = sum(lots for _, lots in self.bid_levels[:n])
        ask = sum(lots for _, lots in self.ask_levels[:n])
        return (bid - ask) / (bid + ask) if bid + ask else 0.0

    def bids(self, n: int | None = None) -> list[tuple[float, float]]:
        """The best ``n`` buy levels as ``(price, quantity)``, best first."""
        return [(self.market.price(p), self.market.qty(q)) for p, q in self.bid_levels[:n]]

    def asks(self, n: int | None = None) -> list[tuple[float, float]]:
        """The best ``n`` sell levels as ``(price, quantity)``, best first."""
        return [(self.market.price(p), self.market.qty(q)) for p, q in self.ask_levels[:n]]

    def depth_lots(self, side: int, fraction: float) -> int:
        """Visible lots of a side within ``fraction`` of the mid (or of a lonely touch)."""
        if side == BUY:
            floor = (self.mid_ticks or self.bid_ticks) * (1.0 - fraction)
            return sum(lots for ticks, lots in self.bid_levels if ticks >= floor)
        ceiling = (self.mid_ticks or self.ask_ticks) * (1.0 + fraction)
        return sum(lots for ticks, lots in self.ask_levels if ticks <= ceiling)

    def depth(self, side: int, fraction: float) -> float:
        """Visible quantity of a side within ``fraction`` of the mid, as far as the levels reach."""
        return self.market.qty(self.depth_lots(side, fraction))


class Trade:
    """One public trade.  ``side`` is the aggressor's, ``flags`` those of its order."""

    __slots__ = ("flags", "market", "price_ticks", "qty_lots", "side", "time_ns", "trade_id")

    def __init__(
        self,
        market: Market,
        time_ns: int,
        trade_id: int,
        price_ticks: int,
        qty_lots: int,
        side: int,
        flags: int,
    ) -> None:
        self.market = market
        self.time_ns = time_ns
        self.trade_id = trade_id
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.side = side
        self.flags = flags

    def __repr__(self) -> str:
        word = "BUY" if self.side == BUY else "SELL"
        return f"Trade({self.symbol}, {word} {self.qty} @ {self.price}, time_ns={self.time_ns})"

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def price(self) -> float:
        """Price of the trade."""
        return self.market.price(self.price_ticks)

    @property
    def qty(self) -> float:
        """Quantity of the trade in base units."""
        return self.market.qty(self.qty_lots)

    @property
    def is_liquidation(self) -> bool:
        """True when the aggressor was a liquidation engine or another forced seller."""
        return bool(self.flags & (FLAG_LIQUIDATION | FLAG_FORCED))


class MarkPrice:
    """Published prices of a perpetual at ``time_ns``; micro-ticks in the integer fields."""

    __slots__ = (
        "available_ns",
        "index_micro",
        "mark_micro",
        "market",
        "open_interest_lots",
        "time_ns",
    )

    def __init__(
        self,
        market: Market,
        time_ns: int,
        mark_micro: int,
        index_micro: int,
        open_interest_lots: int = 0,
        available_ns: int = 0,
    ) -> None:
        self.market = market
        self.time_ns = time_ns
        self.mark_micro = mark_micro
        self.index_micro = index_micro
        self.open_interest_lots = open_interest_lots
        self.available_ns = available_ns

    def __repr__(self) -> str:
        prices = f"mark={self.mark}, index={self.index}"
        return f"MarkPrice({self.symbol}, {prices}, time_ns={self.time_ns})"

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def mark(self) -> float:
        """Mark price: what margin is computed with."""
        return self.market.price(self.mark_micro / 1_000_000)

    @property
    def index(self) -> float:
        """Index price: what the venue believes the spot to be."""
        return self.market.price(self.index_micro / 1_000_000)

    @property
    def open_interest(self) -> float:
        """Open contracts, one side, in base units."""
        return self.market.qty(self.open_interest_lots)


class _Sealed:
    """Refuses every change: views are shared by all who read them."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: market data are shared; copy what you want to change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{name}: market data are shared; copy what you want to change")


class _SealedBook(_Sealed, BookView):
    __slots__ = ()


class _SealedTrade(_Sealed, Trade):
    __slots__ = ()


class _SealedMark(_Sealed, MarkPrice):
    __slots__ = ()


def seal_book(view: BookView) -> BookView:
    """Make a book view read-only.  Changing its class costs 40 ns, frozen attributes 600 ns."""
    view.__class__ = _SealedBook
    return view


def seal_trade(trade: Trade) -> Trade:
    """Make a trade read-only."""
    trade.__class__ = _SealedTrade
    return trade


def seal_mark(mark: MarkPrice) -> MarkPrice:
    """Make a mark price read-only."""
    mark.__class__ = _SealedMark
    return mark
