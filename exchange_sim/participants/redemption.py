"""Redemption arbitrage: buy below what the issuer pays, redeem, bring the money back, again.

Two kinds.  ``RedemptionArbitrage`` buys a synthetic dollar on a venue, sends it to a wallet,
redeems it at par on the chain and sends the money back.  ``WrapperArbitrage`` buys a staking
wrapper, redeems it at the venue's staking desk and sells the underlying when it arrives.  Both are
slow for the same reasons as in the market: transfers take time and can be suspended, redemption
has limits and delays, and capital that is under way buys nothing.  They learn of a suspension by
being refused.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import BUY, IOC, LIMIT, SELL
from exchange_sim.strategy.api import (
    Market,
    RefusalNotice,
    Strategy,
    TransactionNotice,
    TransferNotice,
)
from exchange_sim.units import NANOS_PER_S

START_TRANSFER, UNWRAP = 26, 68


@attrs.frozen
class RedemptionParams(Strategy.Params):
    """``edge`` is the discount to par that pays for fees, gas and waiting.

    Each order takes at most ``slice_usd``; no more than ``stuck_usd`` of dollars is held on the
    venue while transfers are refused.  Amounts below ``min_usd`` are not worth a transfer.
    ``retry_s`` is the wait after a refusal.
    """

    symbol: str = "leading:USDEUSDT"
    issuer: str = "dollar"
    chain: str = "chain"
    edge: float = 0.004
    slice_usd: float = 100_000.0
    stuck_usd: float = 500_000.0
    min_usd: float = 1_000.0
    interval_s: float = 1.0
    retry_s: float = 60.0
    tip_gwei: float = 2.0
    max_fee_gwei: float = 300.0


class RedemptionArbitrage(Strategy):
    """One arbitrageur with an account on the venue and a wallet that may redeem."""

    Params = RedemptionParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._waits_until_ns = 0
        self._redeeming = 0
        self._redeemed = 0.0
        self._share = 1.0

    def on_start(self) -> None:
        """Watch the book of the dollar."""
        self._market = self.market(self.params.symbol)
        self.subscribe_book(self._market, 1)
        self.set_timer("look", self.params.interval_s, self.params.interval_s * 0.1)

    def on_timer(self, name: str) -> None:
        """Buy what is cheap, then move whatever is where it can do nothing."""
        if name != "look":
            return
        self._buy()
        if self.now_ns >= self._waits_until_ns:
            self._move()
        self._redeem()

    def _buy(self) -> None:
        p, market = self.params, self._market
        ask = self.book(market).ask_ticks
        limit = int((1.0 - p.edge) / market.tick)
        if not 0 < ask <= limit:
            return
        price = ask * market.tick
        room = p.slice_usd
        if self.now_ns < self._waits_until_ns:
            room = min(room, p.stuck_usd - self.balance(market.base, market.venue) * price)
        usd = min(room, self.balance(market.quote, market.venue) * 0.999)
        lots = market.to_lots(max(0.0, usd) / price)
        if lots > 0 and usd >= market.min_notional:
            self.submit(market, BUY, lots, limit, LIMIT, IOC)

    def _move(self) -> None:
        """Dollars to the wallet, money to the venue."""
        p, market = self.params, self._market
        held = self.balance(market.base, market.venue)
        if held >= p.min_usd:
            self.transfer(market.base, int(held), market.venue, p.chain)
        money = self.balance(market.quote, p.chain)
        if money >= p.min_usd and not self._redeeming:
            self.transfer(market.quote, int(money), p.chain, market.venue)

    def _redeem(self) -> None:
        p, held = self.params, self.balance(self._market.base, self.params.chain)
        if self._redeeming or held < p.min_usd:
            return
        amount = max(p.min_usd, held * self._share)
        self._redeeming = self.transact(
            self.redeem_action(p.issuer, min(held, amount)),
            tip_gwei=p.tip_gwei,
            max_fee_gwei=p.max_fee_gwei,
        )

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """A redemption is over: what failed is tried again, half as much, after a while."""
        if transaction.number != self._redeeming or transaction.status == "waiting":
            return
        self._redeeming = 0
        if transaction.status == "executed":
            self._share = min(1.0, self._share * 2.0)
            money = transaction.output // 10**self._market.quote_decimals
            self.note(NoteKind.REDEEMED, money, 0, venue=self._market.venue)
        else:
            self._share = max(0.01, self._share / 2.0)

    def on_refusal(self, refusal: RefusalNotice) -> None:
        """Transfers are refused: wait before the next try."""
        if refusal.command == START_TRANSFER:
            self._waits_until_ns = self.now_ns + int(self.params.retry_s * NANOS_PER_S)

    def on_transfer(self, transfer: TransferNotice) -> None:
        """What arrives is used at once."""
        if transfer.finished:
            self._redeem()


@attrs.frozen
class WrapperParams(Strategy.Params):
    """``rate`` is the redemption value in the underlying; the rest as for dollars.

    ``limit_usd`` bounds what waits for redemption.
    """

    wrapper_symbol: str = "leading:WBETHUSDT"
    underlying_symbol: str = "leading:ETHUSDT"
    rate: float = 1.08
    edge: float = 0.01
    slice_usd: float = 50_000.0
    limit_usd: float = 1_000_000.0
    interval_s: float = 1.0
    retry_s: float = 60.0
    slippage: float = 0.005


class WrapperArbitrage(Strategy):
    """Buys a wrapper below its redemption value and redeems it."""

    Params = WrapperParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._waits_until_ns = 0
        self._bought_usd = 0.0
        self._start_units = 0.0

    def on_start(self) -> None:
        """Watch both books."""
        self._wrapper = self.market(self.params.wrapper_symbol)
        self._underlying = self.market(self.params.underlying_symbol)
        for market in (self._wrapper, self._underlying):
            self.subscribe_book(market, 1)
        self._start_units = self._held(self._underlying)
        self.set_timer("look", self.params.interval_s, self.params.interval_s * 0.1)

    def _held(self, market: Market) -> float:
        return self.balance(market.base, market.venue)

    def on_timer(self, name: str) -> None:
        """Buy below value, redeem what is held, sell what has arrived."""
        if name != "look":
            return
        p, wrapper, under = self.params, self._wrapper, self._underlying
        bid = self.book(under).bid_ticks * under.tick
        ask = self.book(wrapper).ask_ticks * wrapper.tick
        limit = bid * p.rate * (1.0 - p.edge)
        if 0.0 < ask <= limit and self._bought_usd < p.limit_usd:
            usd = min(p.slice_usd, self.balance(wrapper.quote, wrapper.venue) * 0.999)
            lots = wrapper.to_lots(usd / ask)
            if lots > 0 and usd >= wrapper.min_notional:
                self.submit(wrapper, BUY, lots, int(limit / wrapper.tick), LIMIT, IOC)
                self._bought_usd += usd
        if self._held(wrapper) > 0.0 and self.now_ns >= self._waits_until_ns:
            self.unwrap(wrapper.base, self._held(wrapper), wrapper.venue)
        arrived = under.to_lots(max(0.0, self._held(under) - self._start_units))
        price = int(self.book(under).bid_ticks * (1.0 - p.slippage))
        if arrived > 0 and price > 0 and under.notional(price, arrived) >= under.min_notional:
            self.submit(under, SELL, arrived, price, LIMIT, IOC)

    def on_refusal(self, refusal: RefusalNotice) -> None:
        """Redemption is suspended: wait before the next try."""
        if refusal.command == UNWRAP:
            self._waits_until_ns = self.now_ns + int(self.params.retry_s * NANOS_PER_S)
