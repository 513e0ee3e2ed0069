"""What an owner knows about one account: built from the messages that reached it.

``AccountView.apply`` takes one event and returns the notices that it gives rise to, in the order in
which the strategy is told: order update first, then fill, then position.  Balances are those of the
ledger once all messages have arrived: ``Traded`` carries what its two sides exchange,
``LedgerPosted`` every other movement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from exchange_sim.marketdata.market import Market
from exchange_sim.messages.reasons import (
    CancelReason,
    LiquidationAction,
    LiquidationOutcome,
    MarginBand,
    PostingKind,
    RejectReason,
)
from exchange_sim.model.enums import BUY, FLAG_LIQUIDATION, SELL, OrderStatus
from exchange_sim.strategy.views import (
    CANCELED,
    FILLED,
    NEW,
    PARTIALLY_FILLED,
    REJECTED,
    AdlNotice,
    Fill,
    FundingNotice,
    LiquidationNotice,
    Margin,
    OrderHandle,
    RefusalNotice,
    TransferNotice,
)
from exchange_sim.units import PPM

Event = tuple[int, ...]
Notice = tuple[str, Any]
"""A callback's name and its argument; a position is named by its market only."""

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
_FUNDING: Final = int(PostingKind.FUNDING)


class Holding:
    """Signed lots of one market and what they cost on average, in ticks (0.0: not known)."""

    __slots__ = ("entry_ticks", "lots", "pnl_units")

    def __init__(self) -> None:
        self.lots = 0
        self.entry_ticks = 0.0
        self.pnl_units = 0

    def trade(self, signed_lots: int, price_ticks: float) -> None:
        """Add a trade: enlarging averages the entry price, shrinking keeps it."""
        before, after = self.lots, self.lots + signed_lots
        if after == 0:
            self.entry_ticks = 0.0
        elif before == 0 or (before > 0) != (after > 0):
            self.entry_ticks = price_ticks
        elif abs(after) > abs(before):
            cost = self.entry_ticks * abs(before) + price_ticks * abs(signed_lots)
            self.entry_ticks = cost / abs(after)
        self.lots = after


class AccountView:
    """Orders, balances, loans, positions and margin of one account, as known to its owner.

    ``orders`` holds the orders not known to have ended, by client order id; ``ended`` those that
    ended while a request about them was still to be answered.
    """

    __slots__ = (
        "_handlers",
        "account",
        "asset_names",
        "asset_scales",
        "balances",
        "ended",
        "holdings",
        "loans",
        "margin",
        "markets",
        "numeraire_scale",
        "orders",
        "venue",
        "wants_fills",
    )

    def __init__(
        self,
        account: int,
        venue: str,
        markets: Sequence[Market],
        asset_names: Sequence[str],
        asset_scales: Sequence[int],
        numeraire: int,
    ) -> None:
        self.account = account
        self.venue = venue
        self.markets = markets
        self.asset_names = asset_names
        self.asset_scales = asset_scales
        self.numeraire_scale = asset_scales[numeraire]
        self.orders: dict[int, OrderHandle] = {}
        self.ended: dict[int, OrderHandle] = {}
        self.balances = [0] * len(asset_names)
        self.loans = [0] * len(asset_names)
        self.holdings: dict[int, Holding] = {}
        self.wants_fills = True
        self.margin = Margin(venue, account, 0, 0.0, 0.0, 0.0, 0.0, 0.0, MarginBand.FREE)
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
            MARGIN_SNAPSHOT: self._margin,
        }

    def apply(self, time_ns: int, event: Event) -> list[Notice]:
        """Take one message sent at ``time_ns``; returns what the strategy is told."""
        handler = self._handlers.get(event[0])
        return handler(time_ns, event) if handler else []

    def holding(self, instrument: int) -> Holding:
        """The holding in a market, created empty when there is none."""
        found = self.holdings.get(instrument)
        if found is None:
            found = self.holdings[instrument] = Holding()
        return found

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
        return [("on_order_update", order)]

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
        return [("on_order_update", order)]

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
        return [("on_order_update", order)]

    def _replaced(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        order.price_ticks = event[5]
        order.leaves_lots = event[6]
        order.qty_lots = order.filled_lots + event[6]
        order.pending_replace = max(0, order.pending_replace - 1)
        order.update_ns = time_ns
        return [("on_order_update", order)]

    def _triggered(self, time_ns: int, event: Event) -> list[Notice]:
        order = self.orders.get(event[4])
        if order is None:
            return []
        order.update_ns = time_ns
        return [("on_order_update", order)]

    # trades

    def _traded(self, time_ns: int, event: Event) -> list[Notice]:
        notices: list[Notice] = []
        side = event[5]
        if event[9] == self.account:
            notices += self._one_side(time_ns, event, side, event[18], event[20], 13)
        if event[8] == self.account:
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
        """One side of a trade.  ``fee_at`` is where its fee is; its PnL is two fields on."""
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
        holding = self.holding(instrument)
        holding.trade(qty if side == BUY else -qty, price)
        holding.pnl_units += pnl
        balances = self.balances
        gained = pnl - fee
        if event[10]:
            sign = 1 if side == BUY else -1
            balances[market.base_id] += sign * event[10]
            gained -= sign * event[11]
        balances[market.quote_id] += gained
        if not self.wants_fills:
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

    # money

    def _posted(self, time_ns: int, event: Event) -> list[Notice]:
        _, asset, source, target, amount, kind = event
        if source == self.account:
            self.balances[asset] -= amount
            amount = -amount
        if target == self.account:
            self.balances[asset] += abs(amount)
        if kind != _FUNDING:
            return []
        return [("on_funding", self._funding(time_ns, asset, amount))]

    def _funding(self, time_ns: int, asset: int, amount: int) -> FundingNotice:
        value = amount / self.asset_scales[asset]
        return FundingNotice(self.venue, self.account, time_ns, self.asset_names[asset], value)

    def _loan(self, _time_ns: int, event: Event) -> list[Notice]:
        self.loans[event[2]] = event[3]
        return []

    def _transfer(self, time_ns: int, event: Event, at: int, *, finished: bool) -> list[Notice]:
        asset, amount = event[at], event[at + 1]
        value = amount / self.asset_scales[asset]
        name = self.asset_names[asset]
        notice = TransferNotice(event[1], self.account, time_ns, name, value, finished)
        return [("on_transfer", notice)]

    def _transfer_started(self, time_ns: int, event: Event) -> list[Notice]:
        return self._transfer(time_ns, event, 4, finished=False) if event[2] == self.account else []

    def _transfer_finished(self, time_ns: int, event: Event) -> list[Notice]:
        return self._transfer(time_ns, event, 3, finished=True)

    def _refused(self, time_ns: int, event: Event) -> list[Notice]:
        reason = RejectReason(event[3])
        return [
            ("on_refusal", RefusalNotice(self.venue, self.account, time_ns, event[2], reason)),
        ]

    # positions and risk

    def _position_opened(self, _time_ns: int, event: Event) -> list[Notice]:
        signed = event[5] if event[1] == self.account else -event[5]
        self.holding(event[3]).trade(signed, event[4])
        return [("on_position", self.markets[event[3]])]

    def _margin(self, time_ns: int, event: Event) -> list[Notice]:
        state: Any = event[1]
        scale = self.numeraire_scale
        self.margin = Margin(
            self.venue,
            self.account,
            time_ns,
            state.equity / scale,
            state.initial / scale,
            state.maintenance / scale,
            state.available / scale,
            state.uni_mmr_ppm / PPM,
            MarginBand(state.band),
        )
        return [("on_margin", self.margin)]

    def _band(self, time_ns: int, event: Event) -> list[Notice]:
        scale, known = self.numeraire_scale, self.margin
        self.margin = Margin(
            self.venue,
            self.account,
            time_ns,
            event[4] / scale,
            known.initial,
            event[5] / scale,
            known.available,
            event[3] / PPM,
            MarginBand(event[2]),
        )
        return [("on_margin", self.margin)]

    def _liquidation_started(self, time_ns: int, _event: Event) -> list[Notice]:
        notice = LiquidationNotice(self.venue, self.account, time_ns, "started")
        return [("on_liquidation", notice)]

    def _liquidation_step(self, time_ns: int, event: Event) -> list[Notice]:
        action = LiquidationAction(event[2])
        market = None
        if action == LiquidationAction.REDUCE_POSITION and 0 <= event[3] < len(self.markets):
            market = self.markets[event[3]]
        notice = LiquidationNotice(
            self.venue, self.account, time_ns, "step", market, action, event[4]
        )
        return [("on_liquidation", notice)]

    def _liquidation_ended(self, time_ns: int, event: Event) -> list[Notice]:
        outcome = LiquidationOutcome(event[2])
        notice = LiquidationNotice(self.venue, self.account, time_ns, "ended", outcome=outcome)
        return [("on_liquidation", notice)]

    def _shrink(self, instrument: int, lots: int, price_ticks: float) -> int:
        """Take lots off a position whatever its side; returns the side that was traded."""
        holding = self.holding(instrument)
        side = SELL if holding.lots > 0 else BUY
        holding.trade(-abs(lots) if side == SELL else abs(lots), price_ticks)
        return side

    def _adl(self, time_ns: int, event: Event) -> list[Notice]:
        instrument, price, lots = event[1], event[2], event[3]
        market = self.markets[instrument]
        is_victim = event[5] == self.account
        pnl = event[6] if is_victim else event[7]
        self._shrink(instrument, lots, price)
        self.holding(instrument).pnl_units += pnl
        value = pnl / self.asset_scales[market.quote_id]
        notice = AdlNotice(
            market,
            self.account,
            time_ns,
            market.price(price),
            market.qty(lots),
            value,
            is_victim,
        )
        return [("on_adl", notice), ("on_position", market)]

    def _taken_over(self, time_ns: int, event: Event) -> list[Notice]:
        instrument, lots = event[2], event[3]
        market = self.markets[instrument]
        self._shrink(instrument, lots, event[4] / PPM)
        self.holding(instrument).pnl_units += event[5]
        notice = LiquidationNotice(
            self.venue, self.account, time_ns, "taken_over", market, qty_lots=abs(lots)
        )
        return [("on_liquidation", notice), ("on_position", market)]
