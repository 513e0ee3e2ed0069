"""The seam between a strategy and whoever runs it: the simulation host, or a test.

``Strategy`` forwards each of its helpers to a ``Context``.  There is no other way out of a
strategy: it holds no reference to the world, to other participants, to files or to a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from exchange_sim.marketdata.market import Market, Number
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.model.enums import GTC, LIMIT
from exchange_sim.rng import Stream
from exchange_sim.strategy.chain_views import ChainView
from exchange_sim.strategy.loan_types import LoanView
from exchange_sim.strategy.views import Margin, OrderHandle, Position

SymbolLike = str | Market
"""``"venue:NAME"`` or the ``Market`` itself (faster)."""


class Context(Protocol):
    """Everything a strategy can do and see.  See the methods of ``Strategy`` for their meaning."""

    @property
    def now_ns(self) -> int:
        """See ``Strategy.now_ns``."""

    @property
    def rng(self) -> Stream:
        """See ``Strategy.rng``."""

    @property
    def name(self) -> str:
        """See ``Strategy.name``."""

    def market(self, symbol: SymbolLike) -> Market:
        """See ``Strategy.market``."""

    def markets(self, venue: str | None = None) -> Sequence[Market]:
        """See ``Strategy.markets``."""

    def venues(self) -> Sequence[str]:
        """See ``Strategy.venues``."""

    def account_names(self, venue: str) -> Sequence[str]:
        """See ``Strategy.account_names``."""

    def book(self, symbol: SymbolLike) -> BookView:
        """See ``Strategy.book``."""

    def last_trades(self, symbol: SymbolLike, n: int) -> list[Trade]:
        """See ``Strategy.last_trades``."""

    def mark(self, symbol: SymbolLike) -> MarkPrice | None:
        """See ``Strategy.mark``."""

    def open_orders(self, symbol: SymbolLike | None, account: str | None) -> list[OrderHandle]:
        """See ``Strategy.open_orders``."""

    def balance(self, asset: str, venue: str | None, account: str | None) -> float:
        """See ``Strategy.balance``."""

    def loan(self, asset: str, venue: str | None, account: str | None) -> float:
        """See ``Strategy.loan``."""

    def balances(self, venue: str | None, account: str | None) -> dict[str, float]:
        """See ``Strategy.balances``."""

    def loans(self, venue: str | None, account: str | None) -> dict[str, float]:
        """See ``Strategy.loans``."""

    def positions(self, venue: str | None, account: str | None) -> list[Position]:
        """See ``Strategy.positions``."""

    def position(self, symbol: SymbolLike, account: str | None, side: int = 0) -> Position:
        """See ``Strategy.position``."""

    def position_lots(self, symbol: SymbolLike, account: str | None = None) -> int:
        """See ``Strategy.position_lots``."""

    def margin(self, venue: str | None, account: str | None) -> Margin:
        """See ``Strategy.margin``."""

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
        """See ``Strategy.submit``."""

    def refused(
        self, market: Market, side: int, order_type: int, reason: int, account: str | None
    ) -> OrderHandle:
        """A handle on an order that could not be written down."""

    def modify(self, handle: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        """See ``Strategy.modify``."""

    def cancel(self, handle: OrderHandle) -> bool:
        """See ``Strategy.cancel``."""

    def mass_cancel(
        self, symbol: SymbolLike | None, side: int | None, venue: str | None, account: str | None
    ) -> int:
        """See ``Strategy.cancel_all_orders``."""

    def borrow(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """See ``Strategy.borrow``."""

    def repay(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """See ``Strategy.repay``."""

    def transfer(
        self,
        asset: str,
        qty: Number,
        from_venue: str,
        to_venue: str,
        from_account: str | None,
        to_account: str | None,
    ) -> bool:
        """See ``Strategy.transfer``."""

    def set_leverage(self, symbol: SymbolLike, leverage: int, account: str | None) -> bool:
        """See ``Strategy.set_leverage``."""

    def units(self, asset: str, qty: Number) -> int:
        """Smallest units of a quantity, rounded down; 0 for what is no positive number."""

    def asset_id(self, asset: str) -> int:
        """The id of an asset."""

    def numeraire(self, venue: str | None, account: str | int | None) -> str:
        """What a venue keeps its accounts in."""

    def loan_product(self, product: str) -> int:
        """The id of a loan product."""

    def request(
        self, kind: int, fields: tuple[int, ...], venue: str | None, account: str | int | None
    ) -> bool:
        """Send a command about an own account: ``(kind, account, *fields)``."""

    def underlying_units(self, wrapper: str, qty: Number) -> int:
        """Smallest units of what a wrapper stands for."""

    def issuer(self, issuer: str) -> tuple[int, str, str]:
        """Id, dollar and backing of an issuer."""

    def chain_id(self, kind: str, name: str) -> int:
        """The number of a ``"pool"``, ``"market"``, ``"AMM"`` or ``"category of POOL"``."""

    def wallet(self, account: str | None) -> int:
        """See ``Strategy.wallet``."""

    def chain_view(self) -> ChainView | None:
        """See ``Strategy.chain_view``."""

    def transact(
        self,
        actions: tuple[tuple[int, ...], ...],
        tip_wei: int,
        max_fee_wei: int,
        venue: str | None,
        account: str | None,
    ) -> int:
        """See ``Strategy.transact``."""

    def pledged_loans(self, venue: str | None, account: str | None) -> list[LoanView]:
        """See ``Strategy.pledged_loans``."""

    def set_timer(self, name: str, interval_ns: int, jitter_ns: int, repeat: bool) -> None:
        """See ``Strategy.set_timer_ns``."""

    def cancel_timer(self, name: str) -> bool:
        """See ``Strategy.cancel_timer``."""

    def subscribe_book(self, symbol: SymbolLike, depth: int, interval_ns: int | None) -> None:
        """See ``Strategy.subscribe_book``."""

    def subscribe_trades(self, symbol: SymbolLike) -> None:
        """See ``Strategy.subscribe_trades``."""

    def subscribe_bars(self, symbol: SymbolLike, interval_ns: int) -> None:
        """See ``Strategy.subscribe_bars``."""

    def subscribe_margin(self, venue: str | None, account: str | None) -> None:
        """See ``Strategy.subscribe_margin``."""

    def note(self, kind: int, a: int, b: int, venue: str | None, account: str | None) -> None:
        """See ``Strategy.note``."""

    def record(self, values: dict[str, float]) -> None:
        """See ``Strategy.record``."""

    def log(self, message: str, values: dict[str, object]) -> None:
        """See ``Strategy.log``."""

    def stop(self, reason: str) -> None:
        """See ``Strategy.stop``."""
