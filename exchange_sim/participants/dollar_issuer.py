"""The desk of a synthetic dollar: coins hedged by short perpetuals, a liquid buffer, yield.

The backing is real: coins and short positions in ordinary accounts, where margin calls, liquidation
and ADL meet them like anybody's, and a wallet from which redemptions are paid.  At each look the
desk

1. keeps every hedge neutral: a short that ADL closed is opened again, or, when margin or book do
   not allow it, the coins that it covered are sold;
2. refills the buffer: what lies in a lending pool is withdrawn, as far as the pool has not lent it;
   then coins are sold, the same amount of shorts closed, and the money is transferred to the
   wallet;
3. passes funding income on, once ``yield_s`` have gone by, to the holders of the staked token.

Simplification: it hedges on the venue where the coins lie and never moves coins between venues.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import BUY, FLAG_REDUCE_ONLY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import (
    AdlNotice,
    FundingNotice,
    Market,
    OrderHandle,
    RefusalNotice,
    Strategy,
    TransactionNotice,
    TransferNotice,
)
from exchange_sim.strategy.views import REJECTED
from exchange_sim.units import NANOS_PER_S

START_TRANSFER = 26


@attrs.frozen
class HedgePair:
    """Coins and the perpetual that hedges them, on one venue."""

    spot: str
    perpetual: str


@attrs.frozen
class DollarIssuerParams(Strategy.Params):
    """``buffer_low`` starts a refill of the wallet up to ``buffer_target`` (whole backing units).

    ``tolerance_usd`` of a hedge may be missing; each order is worth at most ``slice_usd``.
    ``pool_deposit`` of backing lies in the lending pool ``pool`` at the start and is used first;
    when the pool has lent it out, redemption waits for the rest.  ``cash_reserve`` stays on each
    venue as margin.  ``staked`` names the token whose holders get the funding income ("": nobody).
    """

    issuer: str = "dollar"
    chain: str = "chain"
    backing: str = "USDT"
    pairs: tuple[HedgePair, ...] = ()
    staked: str = ""
    buffer_low: float = 0.0
    buffer_target: float = 0.0
    tolerance_usd: float = 1_000.0
    slice_usd: float = 200_000.0
    cash_reserve: float = 10_000.0
    pool: str = ""
    pool_deposit: float = 0.0
    slippage: float = 0.01
    interval_s: float = 1.0
    retry_s: float = 60.0
    yield_s: float = 300.0


class _Hedge:
    """One pair; ``blocked`` after a short could not be opened: coins are sold instead."""

    __slots__ = ("blocked", "perpetual", "spot")

    def __init__(self, spot: Market, perpetual: Market) -> None:
        self.spot = spot
        self.perpetual = perpetual
        self.blocked = False


class DollarIssuer(Strategy):
    """One issuer with accounts on the venues of its hedges and a wallet."""

    Params = DollarIssuerParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._hedges: list[_Hedge] = []
        self._income: dict[str, float] = {}
        self._under_way = 0.0
        self._refilling = False
        self._waits_until_ns = 0
        self._to_pass_on = 0.0
        self._deposited = self.params.pool_deposit
        self._withdrawal = (0, 0.0)

    def on_start(self) -> None:
        """Watch the books of the hedges."""
        for pair in self.params.pairs:
            hedge = _Hedge(self.market(pair.spot), self.market(pair.perpetual))
            self._hedges.append(hedge)
            for market in (hedge.spot, hedge.perpetual):
                self.subscribe_book(market, 1)
        self.set_timer("look", self.params.interval_s, self.params.interval_s * 0.1)
        if self.params.staked:
            self.set_timer("yield", self.params.yield_s)

    def on_timer(self, name: str) -> None:
        """Hedges, then the buffer; or the yield."""
        if name == "yield":
            self._pass_on()
        elif name == "look":
            for hedge in self._hedges:
                self._balance(hedge)
            self._fill_buffer()

    def on_adl(self, event: AdlNotice) -> None:
        """A short is gone; the next look sees it too, this only says so."""
        if event.is_victim:
            usd = int(event.qty * event.price)
            self.note(NoteKind.HEDGE_LOST, abs(usd), 0, venue=event.market.venue)

    def on_funding(self, event: FundingNotice) -> None:
        """Income and cost of the shorts, by venue."""
        self._income[event.venue] = self._income.get(event.venue, 0.0) + event.amount

    def on_transfer(self, transfer: TransferNotice) -> None:
        """Money that has arrived is no longer under way."""
        if transfer.finished:
            self._under_way = max(0.0, self._under_way - transfer.amount)

    def on_refusal(self, refusal: RefusalNotice) -> None:
        """A transfer was refused: nothing is under way, try again later."""
        if refusal.command == START_TRANSFER:
            self._under_way = 0.0
            self._waits_until_ns = self.now_ns + int(self.params.retry_s * NANOS_PER_S)

    def on_order_update(self, order: OrderHandle) -> None:
        """A refused short means that the hedge cannot be opened again for now."""
        if order.status_code == REJECTED:
            for hedge in self._hedges:
                if order.market is hedge.perpetual and order.side == SELL:
                    hedge.blocked = True

    # hedges

    def uncovered(self, hedge: _Hedge) -> float:
        """Coins without a short (negative: shorts without coins), in base units."""
        contracts = hedge.perpetual.qty(self.position_lots(hedge.perpetual))
        return self.balance(hedge.spot.base, hedge.spot.venue) + contracts

    def _balance(self, hedge: _Hedge) -> None:
        p, loose = self.params, self.uncovered(hedge)
        price = self.book(hedge.spot).mid_ticks * hedge.spot.tick
        if not price or abs(loose) * price < p.tolerance_usd:
            hedge.blocked = False
            return
        qty = min(abs(loose), p.slice_usd / price)
        if loose < 0.0:
            self._send(hedge.perpetual, BUY, qty, reduce_only=True)
        elif hedge.blocked:
            self._send(hedge.spot, SELL, qty)
        else:
            self._send(hedge.perpetual, SELL, qty)

    def _send(self, market: Market, side: int, qty: float, *, reduce_only: bool = False) -> float:
        """One IOC order within the slippage; what it is worth, 0.0 when it is too small."""
        book, slippage = self.book(market), self.params.slippage
        touch = book.bid_ticks * (1 - slippage) if side == SELL else book.ask_ticks * (1 + slippage)
        lots, price = market.to_lots(qty), int(touch)
        if lots <= 0 or price <= 0 or market.notional(price, lots) < market.min_notional:
            return 0.0
        flags = FLAG_REDUCE_ONLY if reduce_only else 0
        self.submit(market, side, lots, price, LIMIT, IOC, flags)
        return market.notional(price, lots)

    # buffer and yield

    def _fill_buffer(self) -> None:
        """Sell backing while the wallet is short of money, and send the money there."""
        p = self.params
        have = self.balance(p.backing, p.chain) + self._under_way
        if have < p.buffer_low and not self._refilling:
            self._refilling = True
            self.note(NoteKind.BUFFER_REFILL, int(have), int(p.buffer_target), venue=p.chain)
        if have >= p.buffer_target:
            self._refilling = False
        if not self._refilling:
            return
        missing = p.buffer_target - have
        if self._withdrawal[0] or self._from_pool(missing):
            return
        for hedge in self._hedges:
            spare = self.balance(p.backing, hedge.spot.venue) - p.cash_reserve
            if spare >= min(missing, p.slice_usd) and self.now_ns >= self._waits_until_ns:
                amount = int(min(spare, missing))
                if self.transfer(p.backing, amount, hedge.spot.venue, p.chain):
                    self._under_way += amount
                    missing -= amount
            elif missing > 0.0:
                price = self.book(hedge.spot).mid_ticks * hedge.spot.tick
                if price:
                    qty = min(missing, p.slice_usd) / price
                    qty = min(qty, self.balance(hedge.spot.base, hedge.spot.venue))
                    missing -= self._send(hedge.spot, SELL, qty)

    def _from_pool(self, missing: float) -> bool:
        """Take back what lies in the lending pool, as far as it has not lent it; True if asked."""
        p, chain = self.params, self.chain_view()
        if chain is None or self._deposited < 1.0 or self.now_ns < self._waits_until_ns:
            return False
        amount = int(min(missing, self._deposited, chain.pools[p.pool].reserves[p.backing].cash))
        if amount < 1:
            return False
        number = self.transact(self.withdraw_action(p.pool, p.backing, amount))
        self._withdrawal = (number, float(amount))
        return number > 0

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """A withdrawal from the pool is over; one that failed is tried again later."""
        number, amount = self._withdrawal
        if transaction.number != number or transaction.status == "waiting":
            return
        self._withdrawal = (0, 0.0)
        if transaction.status == "executed":
            self._deposited -= amount
        else:
            self._waits_until_ns = self.now_ns + int(self.params.retry_s * NANOS_PER_S)

    def _pass_on(self) -> None:
        """Send funding income to the wallet, and what has arrived on to the stakers."""
        p = self.params
        for venue, income in self._income.items():
            if income >= 1.0 and self.now_ns >= self._waits_until_ns:
                self._income[venue] = 0.0
                if self.transfer(p.backing, int(income), venue, p.chain):
                    self._to_pass_on += int(income)
        if self._to_pass_on >= 1.0 and self.balance(p.backing, p.chain) > self._to_pass_on:
            self.transact(self.pass_yield_action(p.issuer, p.staked, self._to_pass_on))
            self._to_pass_on = 0.0
