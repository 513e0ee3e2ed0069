"""The callbacks of a strategy, all empty.  The host calls only those that a class overrides."""

from __future__ import annotations

from exchange_sim.marketdata.bars import Bar
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.strategy.chain_views import ChainView
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


class Callbacks:
    """What a strategy may be told.  Override what you need; return nothing."""

    def on_start(self) -> None:
        """Called once, at the start of the run: subscribe and set timers here."""

    def on_book(self, book: BookView) -> None:
        """A subscribed book changed (see ``subscribe_book``)."""

    def on_trade(self, trade: Trade) -> None:
        """A trade of a subscribed market was published."""

    def on_order_update(self, order: OrderHandle) -> None:
        """An own order changed state: accepted, filled, replaced, cancelled, expired, refused."""

    def on_fill(self, fill: Fill) -> None:
        """An own order traded, or the venue traded for the account."""

    def on_position(self, position: Position) -> None:
        """An own holding changed by a trade, a takeover or auto-deleveraging."""

    def on_margin(self, margin: Margin) -> None:
        """The venue published the account's margin state after a mark update."""

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """The liquidation engine started with, acted on, or finished with an own account."""

    def on_adl(self, event: AdlNotice) -> None:
        """Auto-deleveraging closed an own position."""

    def on_funding(self, event: FundingNotice) -> None:
        """Funding was paid or received."""

    def on_mark_price(self, mark: MarkPrice) -> None:
        """The mark price of a subscribed perpetual was published."""

    def on_timer(self, name: str) -> None:
        """A timer fired."""

    def on_loan(self, loan: LoanView) -> None:
        """A loan against pledged coins changed, was called, or ended (``loan.happened``)."""

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """An own transaction on the chain waits, was executed, failed or was dropped."""

    def on_transfer(self, transfer: TransferNotice) -> None:
        """An own transfer started or arrived."""

    def on_refusal(self, refusal: RefusalNotice) -> None:
        """A request that is not about an order was refused."""

    def on_disconnect(self, venue: str, reason: str) -> None:
        """The session with a venue was lost; commands sent now are refused with ``VENUE_DOWN``."""

    def on_reconnect(self, venue: str) -> None:
        """The session with a venue is back."""

    def on_stop(self) -> None:
        """Called once, at the end of the run; commands sent now go nowhere."""

    def on_bar(self, bar: Bar) -> None:
        """A bar of a subscribed market is complete (see ``subscribe_bars``)."""

    def on_block(self, chain: ChainView) -> None:
        """A block reached this strategy, which has a wallet: the chain's state after it.

        Block 0 is the opening state.
        """


CALLBACK_NAMES = tuple(name for name in vars(Callbacks) if name.startswith("on_"))
"""Every callback, in the order of its definition: fault notes count in it, so new ones go last."""


def overridden(strategy: Callbacks) -> frozenset[str]:
    """Names of the callbacks that the strategy's class (or the instance) replaces."""
    return frozenset(
        name
        for name in CALLBACK_NAMES
        if getattr(getattr(strategy, name), "__func__", None) is not getattr(Callbacks, name)
    )
