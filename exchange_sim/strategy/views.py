"""What a strategy knows about itself: its orders, fills, positions, margin and the notices it gets.

All of it is the strategy's own *delayed* view: it changes when a message has arrived over the
strategy's link, never before.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from exchange_sim.marketdata.market import Market
from exchange_sim.messages.reasons import (
    CancelReason,
    LiquidationAction,
    LiquidationOutcome,
    MarginBand,
    RejectReason,
)
from exchange_sim.model.enums import BUY, OrderStatus, OrderType, PositionSide, Side, TimeInForce

PENDING_NEW: Final = int(OrderStatus.PENDING_NEW)
NEW: Final = int(OrderStatus.NEW)
PARTIALLY_FILLED: Final = int(OrderStatus.PARTIALLY_FILLED)
FILLED: Final = int(OrderStatus.FILLED)
CANCELED: Final = int(OrderStatus.CANCELED)
REJECTED: Final = int(OrderStatus.REJECTED)
EXPIRED: Final = int(OrderStatus.EXPIRED)

_ENDED: Final = (False, False, True, True, True, True, True, False)
"""By ``OrderStatus``: has the order ended?"""


class OrderHandle:
    """A live handle on one order, with its state as its owner knows it.

    ``status_code`` is an ``OrderStatus`` as a plain integer.  ``pending_cancel`` /
    ``pending_replace`` say that a request is under way.  ``reject_code`` / ``cancel_code`` are the
    reason of the latest refusal (of the order or of a request about it) and of the end of the
    order, 0 for none.  ``quote_value`` is the sum of ``price_ticks * qty_lots`` over the fills.
     ``tag`` belongs to the strategy.
    """

    __slots__ = (
        "account",
        "cancel_code",
        "client_order_id",
        "filled_lots",
        "flags",
        "leaves_lots",
        "market",
        "order_id",
        "order_type",
        "pending_cancel",
        "pending_replace",
        "price_ticks",
        "qty_lots",
        "quote_value",
        "reject_code",
        "sent_ns",
        "side",
        "status_code",
        "tag",
        "time_in_force",
        "update_ns",
    )

    def __init__(
        self,
        market: Market,
        account: int,
        client_order_id: int,
        side: int,
        order_type: int,
        time_in_force: int,
        price_ticks: int,
        qty_lots: int,
        flags: int,
        sent_ns: int,
    ) -> None:
        self.market = market
        self.account = account
        self.client_order_id = client_order_id
        self.side = side
        self.order_type = order_type
        self.time_in_force = time_in_force
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.leaves_lots = qty_lots
        self.flags = flags
        self.sent_ns = self.update_ns = sent_ns
        self.status_code = PENDING_NEW
        self.filled_lots = self.quote_value = 0
        self.order_id = -1
        self.pending_cancel = self.pending_replace = 0
        self.reject_code = self.cancel_code = 0
        self.tag: Any = None

    def __repr__(self) -> str:
        return (
            f"OrderHandle({self.client_order_id}, {self.symbol}, {Side(self.side).name} "
            f"{self.qty} @ {self.price}, {self.status.name}, filled={self.filled})"
        )

    @property
    def is_open(self) -> bool:
        """True until the owner has learned that the order ended."""
        return not _ENDED[self.status_code]

    @property
    def is_live(self) -> bool:
        """True while the venue has confirmed the order and it has not ended."""
        return self.status_code <= PARTIALLY_FILLED

    @property
    def status(self) -> OrderStatus:
        """State of the order as its owner knows it."""
        return OrderStatus(self.status_code)

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def price(self) -> float | None:
        """Limit price, ``None`` for an order without one."""
        return self.market.price(self.price_ticks) if self.price_ticks else None

    @property
    def qty(self) -> float:
        """Quantity that was ordered (changed by a successful ``modify_order``)."""
        return self.market.qty(self.qty_lots)

    @property
    def filled(self) -> float:
        """Quantity that has traded."""
        return self.market.qty(self.filled_lots)

    @property
    def leaves(self) -> float:
        """Quantity still open; 0.0 when the order has ended."""
        return self.market.qty(self.leaves_lots)

    @property
    def average_price(self) -> float | None:
        """Volume-weighted price of the fills, ``None`` before the first."""
        if not self.filled_lots:
            return None
        return self.market.price(self.quote_value / self.filled_lots)

    @property
    def reject_reason(self) -> RejectReason | None:
        """Why the order, or the latest request about it, was refused."""
        return RejectReason(self.reject_code) if self.reject_code else None

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why the open quantity left the market."""
        return CancelReason(self.cancel_code) if self.cancel_code else None

    @property
    def type(self) -> OrderType:
        """Kind of order."""
        return OrderType(self.order_type)

    @property
    def tif(self) -> TimeInForce:
        """How long the remainder lives."""
        return TimeInForce(self.time_in_force)


class Fill:
    """One own trade.  ``order`` is ``None`` when the venue traded for the account (a liquidation).

    ``fee`` and ``realized_pnl`` are in the quote asset; ``time_ns`` is the venue's time of the
    trade.
    """

    __slots__ = (
        "account",
        "fee_units",
        "is_liquidation",
        "is_maker",
        "market",
        "order",
        "pnl_units",
        "price_ticks",
        "qty_lots",
        "side",
        "time_ns",
        "trade_id",
    )

    def __init__(
        self,
        order: OrderHandle | None,
        market: Market,
        account: int,
        time_ns: int,
        trade_id: int,
        side: int,
        price_ticks: int,
        qty_lots: int,
        is_maker: bool,
        is_liquidation: bool,
        fee_units: int,
        pnl_units: int,
    ) -> None:
        self.order = order
        self.market = market
        self.account = account
        self.time_ns = time_ns
        self.trade_id = trade_id
        self.side = side
        self.price_ticks = price_ticks
        self.qty_lots = qty_lots
        self.is_maker = is_maker
        self.is_liquidation = is_liquidation
        self.fee_units = fee_units
        self.pnl_units = pnl_units

    def __repr__(self) -> str:
        return f"Fill({self.symbol}, {Side(self.side).name} {self.qty} @ {self.price})"

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
        """Quantity of the trade, unsigned."""
        return self.market.qty(self.qty_lots)

    @property
    def signed_lots(self) -> int:
        """Lots gained (positive: bought)."""
        return self.qty_lots if self.side == BUY else -self.qty_lots

    @property
    def fee(self) -> float:
        """Fee paid in the quote asset; negative for a rebate."""
        return float(self.fee_units / 10**self.market.settle_decimals)

    @property
    def realized_pnl(self) -> float:
        """Profit realized by this fill (perpetuals), in the quote asset, before the fee."""
        return float(self.pnl_units / 10**self.market.settle_decimals)


@attrs.frozen
class Position:
    """A holding in one market, as known to its owner.

    Perpetuals: signed contracts and the average entry price.  Spot: the balance of the base asset;
    the entry price is the average cost of what own fills bought, 0.0 when that is not known.
    ``unrealized_pnl`` is taken at the delayed mark price (spot: at the delayed mid).  ``side`` is
    LONG or SHORT for a leg of hedge mode, and ``isolated_margin`` what its wallet holds, None for a
    position in common margin.
    """

    market: Market
    account: int
    qty_lots: int
    entry_price: float
    mark_price: float
    realized_pnl: float
    side: PositionSide = PositionSide.BOTH
    isolated_margin: float | None = None

    @property
    def symbol(self) -> str:
        """``"venue:NAME"``."""
        return self.market.symbol

    @property
    def qty(self) -> float:
        """Signed quantity in base units."""
        return self.market.qty(self.qty_lots)

    @property
    def notional(self) -> float:
        """Signed value at the delayed mark price, in the quote asset."""
        return self.qty if self.market.is_inverse else self.qty * self.mark_price

    @property
    def unrealized_pnl(self) -> float:
        """Profit at the delayed mark, in the quote asset (inverse: in the base asset).

        0.0 without entry or mark.
        """
        if not (self.entry_price and self.mark_price):
            return 0.0
        if self.market.is_inverse:
            return self.qty * (1 / self.entry_price - 1 / self.mark_price)
        return self.qty * (self.mark_price - self.entry_price)


@attrs.frozen
class Margin:
    """State of a unified account at ``time_ns`` (0: not known yet), in the numeraire.

    ``uni_mmr`` is adjusted equity over maintenance margin; large when nothing is at risk.
    """

    venue: str
    account: int
    time_ns: int
    equity: float
    initial: float
    maintenance: float
    available: float
    uni_mmr: float
    band: MarginBand

    @property
    def leverage_used(self) -> float:
        """Initial margin over equity; infinite when the equity is gone."""
        return self.initial / self.equity if self.equity > 0 else float("inf")


@attrs.frozen
class LiquidationNotice:
    """The venue's liquidation engine started, acted on, or finished with an own account.

    ``stage`` is ``"started"``, ``"step"``, ``"taken_over"`` or ``"ended"``; ``market``, ``action``,
    ``qty_lots`` belong to steps, ``outcome`` to the end.
    """

    venue: str
    account: int
    time_ns: int
    stage: str
    market: Market | None = None
    action: LiquidationAction | None = None
    qty_lots: int = 0
    outcome: LiquidationOutcome | None = None


@attrs.frozen
class AdlNotice:
    """An own position was closed (``is_victim``) or covered by auto-deleveraging."""

    market: Market
    account: int
    time_ns: int
    price: float
    qty: float
    pnl: float
    is_victim: bool


@attrs.frozen
class FundingNotice:
    """Funding was settled; ``amount`` was received (negative: paid), in ``asset``."""

    venue: str
    account: int
    time_ns: int
    asset: str
    amount: float


@attrs.frozen
class TransferNotice:
    """An own transfer started or arrived (``finished``)."""

    transfer: int
    account: int
    time_ns: int
    asset: str
    amount: float
    finished: bool


@attrs.frozen
class RefusalNotice:
    """A request that is not about an order (borrow, repay, transfer, leverage) was refused."""

    venue: str
    account: int
    time_ns: int
    command: int
    reason: RejectReason
