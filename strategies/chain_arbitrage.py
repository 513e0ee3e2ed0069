"""Arbitrage between a venue's book and an AMM on the chain, with limited capital on both sides.

The leg on the chain goes first, because it is the slow and uncertain one; when it is confirmed, the
other leg follows at the market.  Stock on either side is moved by transfers, which take their time
and can be suspended: then one direction ends when the stock is used up.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.marketdata.market import Market
from exchange_sim.model.enums import BUY, IOC, MARKET, SELL
from exchange_sim.strategy.api import Strategy, TransactionNotice, TransferNotice
from exchange_sim.strategy.chain_requests import Action
from exchange_sim.strategy.chain_views import AmmView, ChainView

SIZES = (1.0, 0.5, 0.25, 0.1, 0.03)
"""Parts of ``size`` that are tried."""


@attrs.frozen
class ChainArbitrageParams(Strategy.Params):
    """``size`` is the largest trade in base coins, ``edge`` the least gain as a share of it.

    Below ``low`` of its stock of a coin on one side, half of the other side's is moved there.
    """

    symbol: str = ""
    amm: str = ""
    size: float = 10_000.0
    edge: float = 0.002
    low: float = 0.1
    tip_gwei: float = 3.0


class ChainArbitrage(Strategy):
    """Buys where it is cheap, sells where it is dear, one trade at a time."""

    Params = ChainArbitrageParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.number = 0
        self.trades = 0
        self._side = 0
        self._moving: dict[str, bool] = {}

    def on_start(self) -> None:
        """Watch the book."""
        self._market: Market = self.market(self.params.symbol)
        self.subscribe_book(self._market, 20, 1.0)

    def on_block(self, chain: ChainView) -> None:
        """Trade if the AMM and the book disagree by more than it costs."""
        if self.number:
            return
        found = self._cheap_on_chain(chain) or self._dear_on_chain(chain)
        if found is None:
            self._rebalance(chain)
            return
        action, self._side = found
        p: ChainArbitrageParams = self.params
        most = 3.0 * chain.base_fee_gwei + p.tip_gwei
        self.number = self.transact(action, tip_gwei=p.tip_gwei, max_fee_gwei=most)

    def _amm(self, chain: ChainView) -> AmmView:
        return chain.amms[self.params.amm]

    def _cheap_on_chain(self, chain: ChainView) -> tuple[Action, int] | None:
        """Buy in the AMM, sell to the bids."""
        m, p = self._market, self.params
        cash = self.balance(m.quote, chain.venue)
        stock = self.balance(m.base, m.venue)
        for part in SIZES:
            qty = min(p.size * part, stock)
            paid = self._book_value(SELL, qty)
            spend = min(paid * (1.0 - p.edge), cash)
            got = self._amm(chain).quote(m.quote, spend, m.base)
            gain = paid * got / qty - spend if qty > 0 else 0.0
            if got >= qty > 0 and gain > p.edge * spend + chain.gas_usd(10):
                return self.swap_action(p.amm, m.quote, spend, m.base, qty), SELL
        return None

    def _dear_on_chain(self, chain: ChainView) -> tuple[Action, int] | None:
        """Sell in the AMM, buy from the asks."""
        m, p = self._market, self.params
        stock, cash = self.balance(m.base, chain.venue), self.balance(m.quote, m.venue)
        for part in SIZES:
            qty = min(p.size * part, stock)
            cost = self._book_value(BUY, qty)
            got = self._amm(chain).quote(m.base, qty, m.quote)
            if 0 < cost <= cash and got - cost > p.edge * cost + chain.gas_usd(10):
                least = cost * (1.0 + p.edge / 2)
                return self.swap_action(p.amm, m.base, qty, m.quote, least), BUY
        return None

    def _book_value(self, side: int, qty: float) -> float:
        """What a market order of ``qty`` would cost or bring after fees; 0 beyond what is seen."""
        m, book = self._market, self.book(self._market)
        levels = book.ask_levels if side == BUY else book.bid_levels
        value = 0.0
        left = m.to_lots(qty)
        for ticks, lots in levels:
            taken = min(left, lots)
            value += m.price(ticks) * m.qty(taken)
            left -= taken
        if left > 0:
            return 0.0
        fee: float = m.taker_fee
        return value * (1.0 + fee if side == BUY else 1.0 - fee)

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """The leg on the chain is settled: do the other one."""
        if transaction.number != self.number or transaction.status == "waiting":
            return
        self.number = 0
        if transaction.status != "executed":
            return
        self.trades += 1
        m = self._market
        view = self.chain_view()
        if view is None:
            return
        if self._side == SELL:
            lots = m.to_lots(transaction.output / self.units(m.base, 1))
        else:
            paid = transaction.output / self.units(m.quote, 1)
            ask = self.book(m).best_ask
            lots = m.to_lots(paid / ask) if ask else 0
        if lots > 0:
            self.submit(m, self._side, lots, 0, MARKET, IOC)

    def _rebalance(self, chain: ChainView) -> None:
        """Move half of a coin to the side that has run out of it."""
        m = self._market
        for asset in (m.base, m.quote):
            here, there = self.balance(asset, m.venue), self.balance(asset, chain.venue)
            total = here + there
            if self._moving.get(asset) or total <= 0 or asset == chain.gas_asset:
                continue
            if here < self.params.low * total:
                self._moving[asset] = self.transfer(asset, there / 2, chain.venue, m.venue)
            elif there < self.params.low * total:
                self._moving[asset] = self.transfer(asset, here / 2, m.venue, chain.venue)

    def on_transfer(self, transfer: TransferNotice) -> None:
        """A transfer has arrived: the next one may leave."""
        if transfer.finished:
            self._moving.pop(transfer.asset, None)
