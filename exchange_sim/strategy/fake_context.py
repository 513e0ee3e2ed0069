"""A ``Context`` without a venue: it records what a strategy sends and shows what it was told."""

# ruff: noqa: ARG002 - a fake takes whole signatures and uses part of them

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exchange_sim.errors import UsageError
from exchange_sim.marketdata.market import Market, Number
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.messages.reasons import MarginBand
from exchange_sim.model.enums import GTC, LIMIT
from exchange_sim.rng import Stream, Streams
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.chain_views import ChainView
from exchange_sim.strategy.context import SymbolLike
from exchange_sim.strategy.edge import millionths
from exchange_sim.strategy.loan_types import LoanView
from exchange_sim.strategy.views import REJECTED, Margin, OrderHandle, Position
from exchange_sim.units import PPM, parse_utc


class FakeContext:
    """Everything that ``Context`` asks for, from tables that a test fills."""

    def __init__(self, markets: Sequence[Market], start: str = "2025-10-10T20:50:00Z") -> None:
        self._markets = {market.symbol: market for market in markets}
        self._now = parse_utc(start)
        self._rng = Streams(0).stream("strategy/bench")
        self._books = {market.symbol: BookView(market, 0) for market in markets}
        self._marks: dict[str, MarkPrice] = {}
        self._trades: dict[str, list[Trade]] = {market.symbol: [] for market in markets}
        self._lots: dict[str, int] = {}
        self._entry: dict[str, float] = {}
        self._balances: dict[tuple[str, str], float] = {}
        self._timers: dict[str, tuple[int, int, bool]] = {}
        self._margin = Margin("", 0, 0, 0.0, 0.0, 0.0, 0.0, 999.0, MarginBand.FREE)
        self.strategy: Strategy | None = None
        self.sent: list[OrderHandle] = []
        self.cancels: list[OrderHandle] = []
        self.modifies: list[tuple[OrderHandle, int, int]] = []
        self.modifies_waiting: list[tuple[OrderHandle, int, int]] = []
        self.requests: list[tuple[Any, ...]] = []
        self.notes: list[tuple[int, int, int]] = []
        self.logs: list[tuple[str, dict[str, object]]] = []
        self.records: list[tuple[str, float]] = []
        self.subscriptions: list[tuple[Any, ...]] = []
        self.stopped = ""
        self.credit: list[LoanView] = []
        self.chain: ChainView | None = None
        self.chain_names: dict[str, list[str]] = {}

    @property
    def now_ns(self) -> int:
        """Simulated time."""
        return self._now

    @property
    def rng(self) -> Stream:
        """A stream that is the same in every test."""
        return self._rng

    @property
    def name(self) -> str:
        """Name of the strategy."""
        return "bench"

    def market(self, symbol: SymbolLike) -> Market:
        """The market of a symbol; ``UsageError`` when the bench has none."""
        if isinstance(symbol, Market):
            return symbol
        if symbol not in self._markets:
            raise UsageError(f"no market {symbol!r}; there are {', '.join(self._markets)}")
        return self._markets[symbol]

    def markets(self, venue: str | None = None) -> Sequence[Market]:
        """All markets, or those of a venue."""
        return [m for m in self._markets.values() if venue in (None, m.venue)]

    def venues(self) -> Sequence[str]:
        """All venues."""
        return list(dict.fromkeys(market.venue for market in self._markets.values()))

    def account_names(self, venue: str) -> Sequence[str]:
        """One account on every venue."""
        return ["main"] if venue in self.venues() else []

    def book(self, symbol: SymbolLike) -> BookView:
        """The book that was set last."""
        return self._books[self.market(symbol).symbol]

    def last_trades(self, symbol: SymbolLike, n: int) -> list[Trade]:
        """The trades that were published."""
        return self._trades[self.market(symbol).symbol][-n:]

    def mark(self, symbol: SymbolLike) -> MarkPrice | None:
        """The mark that was set last."""
        return self._marks.get(self.market(symbol).symbol)

    def open_orders(self, symbol: SymbolLike | None, account: str | None) -> list[OrderHandle]:
        """Orders that have not ended."""
        market = None if symbol is None else self.market(symbol)
        return [o for o in self.sent if o.is_open and market in (None, o.market)]

    def balance(self, asset: str, venue: str | None, account: str | None) -> float:
        """The balance that was set."""
        return self._balances.get((venue or self.venues()[0], asset), 0.0)

    def loan(self, asset: str, venue: str | None, account: str | None) -> float:
        """Nothing is owed on a bench."""
        return 0.0

    def balances(self, venue: str | None, account: str | None) -> dict[str, float]:
        """The balances that were set."""
        chosen = venue or self.venues()[0]
        return {asset: held for (at, asset), held in self._balances.items() if at == chosen}

    def loans(self, venue: str | None, account: str | None) -> dict[str, float]:
        """Nothing is owed on a bench."""
        return {}

    def positions(self, venue: str | None, account: str | None) -> list[Position]:
        """The positions in perpetuals that are not flat."""
        return [
            self.position(market, account)
            for market in self._markets.values()
            if market.is_perpetual and self._lots.get(market.symbol)
        ]

    def position(self, symbol: SymbolLike, account: str | None, side: int = 0) -> Position:
        """The position that was set, and the fills since."""
        market = self.market(symbol)
        mark = self._marks.get(market.symbol)
        lots = self._lots.get(market.symbol, 0)
        entry = self._entry.get(market.symbol, 0.0)
        return Position(market, 0, lots, entry, mark.mark if mark else 0.0, 0.0)

    def position_lots(self, symbol: SymbolLike, account: str | None = None) -> int:
        """Lots of ``position``."""
        return self._lots.get(self.market(symbol).symbol, 0)

    def margin(self, venue: str | None, account: str | None) -> Margin:
        """The margin that was set last."""
        return self._margin

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
        """Record an order; it stays pending until the test answers."""
        number = len(self.sent) + 1
        order = OrderHandle(
            market, 0, number, side, order_type, tif, price_ticks, qty_lots, flags, self._now
        )
        self.sent.append(order)
        return order

    def refused(
        self, market: Market, side: int, order_type: int, reason: int, account: str | None
    ) -> OrderHandle:
        """A handle on an order that could not be written down."""
        order = OrderHandle(market, 0, 0, side, order_type, GTC, 0, 0, 0, self._now)
        order.status_code, order.reject_code = REJECTED, int(reason)
        return order

    def modify(self, handle: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        """Record a request to change an order."""
        if not handle.is_open:
            return False
        handle.pending_replace += 1
        self.modifies.append((handle, price_ticks, qty_lots))
        self.modifies_waiting.append((handle, price_ticks, qty_lots))
        return True

    def cancel(self, handle: OrderHandle) -> bool:
        """Record a request to cancel an order."""
        if not handle.is_open or handle.pending_cancel:
            return False
        handle.pending_cancel = 1
        self.cancels.append(handle)
        return True

    def mass_cancel(
        self, symbol: SymbolLike | None, side: int | None, venue: str | None, account: str | None
    ) -> int:
        """Record a mass cancel; it asks for each order concerned."""
        self.requests.append(("mass_cancel", symbol, side, venue))
        for order in self.open_orders(symbol, account):
            if side in (None, order.side) and venue in (None, order.market.venue):
                self.cancel(order)
        return 1

    def borrow(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """Record a request to borrow."""
        self.requests.append(("borrow", asset, qty, venue))
        return True

    def repay(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """Record a request to repay."""
        self.requests.append(("repay", asset, qty, venue))
        return True

    def transfer(
        self,
        asset: str,
        qty: Number,
        from_venue: str,
        to_venue: str,
        from_account: str | None,
        to_account: str | None,
    ) -> bool:
        """Record a transfer."""
        self.requests.append(("transfer", asset, qty, from_venue, to_venue))
        return True

    def set_leverage(self, symbol: SymbolLike, leverage: int, account: str | None) -> bool:
        """Record a choice of leverage."""
        self.requests.append(("set_leverage", self.market(symbol).symbol, leverage))
        return True

    def units(self, asset: str, qty: Number) -> int:
        """A bench counts in millionths of every asset."""
        return max(0, int(float(qty) * PPM))

    def asset_id(self, asset: str) -> int:
        """Position among the assets of the markets."""
        names = [name for m in self._markets.values() for name in (m.base, m.quote)]
        return list(dict.fromkeys(names)).index(asset)

    def numeraire(self, venue: str | None, account: str | int | None) -> str:
        """The quote asset of the venue's first market."""
        return self.markets(venue)[0].quote

    def loan_product(self, product: str) -> int:
        """A bench has one product, whatever its name."""
        return 0

    def request(
        self, kind: int, fields: tuple[int, ...], venue: str | None, account: str | int | None
    ) -> bool:
        """Record a request."""
        self.requests.append((kind, *fields))
        return True

    def underlying_units(self, wrapper: str, qty: Number) -> int:
        """Millionths, as of every asset."""
        return self.units(wrapper, qty)

    def issuer(self, issuer: str) -> tuple[int, str, str]:
        """A bench has one issuer: of the first base asset, backed by the first quote asset."""
        first = next(iter(self._markets.values()))
        return 0, first.base, first.quote

    def chain_id(self, kind: str, name: str) -> int:
        """Numbers in the order in which a test asks for names."""
        known = self.chain_names.setdefault(kind, [""] if kind.startswith("category") else [])
        if name not in known:
            known.append(name)
        return known.index(name)

    def wallet(self, account: str | None) -> int:
        """Always the same wallet."""
        return 7

    def chain_view(self) -> ChainView | None:
        """What the test has put there."""
        return self.chain

    def transact(
        self,
        actions: tuple[tuple[int, ...], ...],
        tip_wei: int,
        max_fee_wei: int,
        venue: str | None,
        account: str | None,
    ) -> int:
        """Record a transaction."""
        self.requests.append(("transact", *actions))
        return len(self.requests)

    def pledged_loans(self, venue: str | None, account: str | None) -> list[LoanView]:
        """The loans that were set."""
        return list(self.credit)

    def set_timer(self, name: str, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        """Set a timer; a bench leaves jitter out."""
        self._timers[name] = (self._now + interval_ns, interval_ns, repeat)

    def cancel_timer(self, name: str) -> bool:
        """Stop a timer."""
        return self._timers.pop(name, None) is not None

    def subscribe_book(self, symbol: SymbolLike, depth: int, interval_ns: int | None) -> None:
        """Record a subscription."""
        self.subscriptions.append(("book", self.market(symbol).symbol, depth, interval_ns))

    def subscribe_trades(self, symbol: SymbolLike) -> None:
        """Record a subscription."""
        self.subscriptions.append(("trades", self.market(symbol).symbol))

    def subscribe_bars(self, symbol: SymbolLike, interval_ns: int) -> None:
        """Record a subscription."""
        self.subscriptions.append(("bars", self.market(symbol).symbol, interval_ns))

    def subscribe_margin(self, venue: str | None, account: str | None) -> None:
        """Record a subscription."""
        self.subscriptions.append(("margin", venue))

    def note(self, kind: int, a: int, b: int, venue: str | None, account: str | None) -> None:
        """Record a remark."""
        self.notes.append((kind, a, b))

    def record(self, values: dict[str, float]) -> None:
        """Keep recorded values."""
        for name, value in values.items():
            self.records.append((name, millionths(name, value) / PPM))

    def log(self, message: str, values: dict[str, object]) -> None:
        """Record a line of the narrative."""
        self.logs.append((message, values))

    def stop(self, reason: str) -> None:
        """Record that the strategy stopped itself."""
        self.stopped = reason or "stopped"
