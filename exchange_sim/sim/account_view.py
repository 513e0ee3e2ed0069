"""What an owner knows about one account: built from the messages that reached it.

``AccountView.apply`` takes one event and returns the notices that it gives rise to, in the order in
which the strategy is told: order update first, then fill, then position.  Balances are those of the
ledger once all messages have arrived: ``Traded`` carries what its two sides exchange,
``LedgerPosted`` every other movement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from exchange_sim.marketdata.market import Market
from exchange_sim.messages.reasons import CancelReason
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, OrderStatus
from exchange_sim.sim.loan_book import LOAN_EVENTS, LoanBook
from exchange_sim.sim.money_view import Event, MoneyView, Notice
from exchange_sim.strategy.views import (
    CANCELED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    REJECTED,
    Fill,
    OrderHandle,
)

MARGIN_SNAPSHOT: Final = 1_000
"""Type id of the shell's own message ``(MARGIN_SNAPSHOT, MarginState)``; not part of the
registry.
"""

_EXPIRED_BY: Final = {
    int(CancelReason.IOC): int(OrderStatus.EXPIRED),
    int(CancelReason.FOK): int(OrderStatus.EXPIRED),
    int(CancelReason.NO_LIQUIDITY): int(OrderStatus.EXPIRED),
    int(CancelReason.EXPIRED): int(OrderStatus.EXPIRED),
    int(CancelReason.PRICE_BOUND): int(OrderStatus.EXPIRED),
    int(CancelReason.STP): int(OrderStatus.EXPIRED_IN_MATCH),
}

_NOTHING: Final[list[Notice]] = []


class AccountView(MoneyView):
    """Orders, balances, loans, positions and margin of one account, as known to its owner.

    ``orders`` holds the orders not known to have ended, by client order id; ``ended`` those that
    ended while a request about them was still to be answered.  ``silent``: nobody is told of
    orders, fills and positions (most makers look at their wake-ups), so no notices are made.
    """

    def __init__(
        self,
        account: int,
        venue: str,
        markets: Sequence[Market],
        asset_names: Sequence[str],
        asset_scales: Sequence[int],
        numeraire: int,
    ) -> None:
        super().__init__(account, venue, markets, asset_names, asset_scales, numeraire)
        self.orders: dict[int, OrderHandle] = {}
        self.ended: dict[int, OrderHandle] = {}
        self.wants_fills = True
        self.silent = False
        self._handlers: dict[int, Callable[[int, Event], list[Notice]]] = {
            1: self._accepted,
            2: self._rejected,
            3: self._canceled,
            4: self._replaced,
            5: self._triggered,
            6: self._traded,
            10: self._posted,
            11: self._loan,
            13: self._transfer_started,
            14: self._transfer_finished,
            15: self._refused,
            16: self._position_opened,
            30: self._band,
            31: self._liquidation_started,
            32: self._liquidation_step,
            33: self._liquidation_ended,
            35: self._adl,
            37: self._taken_over,
            60: self._wallet_opened,
            62: self._mode_changed,
            63: self._legs_offset,
            100: self._transaction,
            101: self._transaction,
            102: self._transaction,
            103: self._transaction,
            MARGIN_SNAPSHOT: self._margin,
        }
        self.pledged = LoanBook(account, venue, asset_names, asset_scales, self.numeraire_scale)
        self._handlers |= dict.fromkeys(LOAN_EVENTS, self.pledged.apply)

    def apply(self, time_ns: int, event: Event) -> list[Notice]:
        """Take one message sent at ``time_ns``; returns what the strategy is told."""
        handler = self._handlers.get(event[0])
        return handler(time_ns, event) if handler else []

    # orders

    def _end(self, order: OrderHandle, status: int) -> None:
        order.status_code = status
        self.orders.pop(order.client_order_id, None)
        if order.pending_cancel or order.pending_replace:
            self.ended[order.client_order_id] = order

    def _accepted(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        order.status_code = NEW
        order.order_id = event[1]
        order.qty_lots = order.leaves_lots = event[9]
        order.update_ns = time_ns
        return _NOTHING if self.silent else [("on_order_update", order)]

    def _rejected(self, time_ns: int, event: Event) -> list[Notice]:
        _, _, _, client_id, reason, command = event
        order = self.orders.get(client_id)
        if order is None:
            order = self.ended.get(client_id)
            if order is None:
                return []
        order.reject_code = reason
        order.update_ns = time_ns
        if command == 1:
            order.leaves_lots = 0
            self._end(order, REJECTED)
        elif command == 2:
            order.pending_cancel = 0
        elif command == 3:
            order.pending_replace = max(0, order.pending_replace - 1)
        if not (order.pending_cancel or order.pending_replace):
            self.ended.pop(client_id, None)
        return _NOTHING if self.silent else [("on_order_update", order)]

    def _canceled(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        leaves, reason = event[6], event[7]
        order.leaves_lots = leaves
        order.cancel_code = reason
        order.update_ns = time_ns
        if leaves == 0:
            if reason == CancelReason.USER:
                order.pending_cancel = 0
            self._end(order, _EXPIRED_BY.get(reason, CANCELED))
        return _NOTHING if self.silent else [("on_order_update", order)]

    def _replaced(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        order.price_ticks = event[5]
        order.leaves_lots = event[6]
        order.qty_lots = order.filled_lots + event[6]
        order.pending_replace = max(0, order.pending_replace - 1)
        order.update_ns = time_ns
        return _NOTHING if self.silent else [("on_order_update", order)]

    def _triggered(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        order.update_ns = time_ns
        return _NOTHING if self.silent else [("on_order_update", order)]

    # trades

    def _traded(self, time_ns: int, event: Event) -> list[Notice]:
        notices: list[Notice] = []
        side = event[5]
        if event[9] == self.account or event[9] in self.wallets:
            notices += self._one_side(time_ns, event, side, event[18], event[20], 13)
        if event[8] == self.account or event[8] in self.wallets:
            notices += self._one_side(time_ns, event, 1 - side, event[17], event[19], 12)
        return notices

    def _one_side(
        self,
        time_ns: int,
        event: Event,
        side: int,
        client_id: int,
        leaves: int,
        fee_at: int,
    ) -> list[Notice]:
        """One side of a trade.  ``fee_at`` is where its fee is: account 4 before, PnL 2 after."""
        instrument, price, qty = event[2], event[3], event[4]
        fee, pnl = event[fee_at], event[fee_at + 2]
        is_maker = fee_at == 12
        market = self.markets[instrument]
        notices: list[Notice] = []
        order = self.orders.get(client_id)
        if order is not None and order.market is market:
            order.filled_lots += qty
            order.quote_value += price * qty
            order.leaves_lots = leaves
            order.update_ns = time_ns
            if leaves:
                order.status_code = PARTIALLY_FILLED
            else:
                self._end(order, FILLED)
            notices.append(("on_order_update", order))
        signed = qty if side == BUY else -qty
        flags = 0 if order is None else order.flags
        self._trade(event[fee_at - 4], instrument, signed, price, pnl, flags)
        balances = self.wallets.get(event[fee_at - 4], self.balances)
        gained = pnl - fee
        if event[10]:
            sign = 1 if side == BUY else -1
            balances[market.base_id] += sign * event[10]
            gained -= sign * event[11]
        balances[market.settle_id] += gained
        if not self.wants_fills:
            if not self.silent:
                notices.append(("on_position", market))
            return notices
        forced = bool(not is_maker and event[16] & FLAG_LIQUIDATION)
        fill = Fill(
            order,
            market,
            self.account,
            time_ns,
            event[1],
            side,
            price,
            qty,
            is_maker,
            forced,
            fee,
            pnl,
        )
        notices.append(("on_fill", fill))
        notices.append(("on_position", market))
        return notices
