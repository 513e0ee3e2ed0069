"""Arbitrage through a protocol that swaps a dollar for newly minted coins, and back.

An algorithmic dollar (TerraUSD) promises that one unit can always be burnt for one dollar's worth
of its sister coin, at the coin's market price.  Whoever buys the dollar at 0.95 burns it and sells
the coins: the discount is closed by printing coins.  When the coin falls faster than dollars leave,
every dollar burnt prints more coins than the one before, and both go to nothing (Liu, Makarov &
Schoar 2023, "Anatomy of a run: the Terra Luna crash", NBER 31160).

Simplification: the protocol is an account with a huge stock of coins.  Burnt dollars are bought and
kept, minted coins are sold from the stock, so that every unit stays accounted for; the spread that
the protocol charged when swaps were many is ``fee``, its virtual pool a cap on the rate.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.model.enums import BUY, GTX, IOC, LIMIT, SELL
from exchange_sim.strategy.api import OrderHandle, Strategy
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class MintBurnParams(Strategy.Params):
    """``dollar`` and ``coin`` are markets against the same quote asset.

    Dollars cheaper than one less ``fee`` are bid for one tick above the best bid, and what is
    bought is burnt: coins worth as many dollars are sold, each order up to ``slippage`` below the
    touch, until all are sold.
    Dollars dearer than one plus ``fee`` are minted from bought coins and sold.  At most
    ``cap_usd_per_s`` pass in either direction, and nobody burns more while unsold coins are worth
    ``backlog_s`` of that; ``burn_start_ns`` lets the protocol open later.
    """

    dollar: str = ""
    coin: str = ""
    fee: float = 0.005
    cap_usd_per_s: float = 100_000.0
    backlog_s: float = 20.0
    slippage: float = 0.05
    interval_s: float = 1.0
    burn_start_ns: int = 0


class MintBurnArbitrage(Strategy):
    """Burns cheap dollars for coins and sells them; mints dear dollars from bought coins.

    ``burnt_usd`` and ``minted_coins`` say how much so far.
    """

    Params = MintBurnParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.burnt_usd = 0.0
        self.minted_coins = 0.0
        self._last_ns = 0
        self._bid: OrderHandle | None = None
        self._sale: OrderHandle | None = None
        self._filled = 0
        self._unsold = 0.0

    def on_start(self) -> None:
        """Watch both books."""
        p: MintBurnParams = self.params
        self._dollar, self._coin = self.market(p.dollar), self.market(p.coin)
        for market in (self._dollar, self._coin):
            self.subscribe_book(market, 1)
        self._last_ns = self.now_ns
        self.set_timer("swap", p.interval_s)

    def on_timer(self, name: str) -> None:
        """One round, if it pays."""
        if name != "swap":
            return
        p: MintBurnParams = self.params
        seconds = (self.now_ns - self._last_ns) / NANOS_PER_S
        self._last_ns = self.now_ns
        if self.now_ns < p.burn_start_ns:
            return
        dollar, coin = self.book(self._dollar), self.book(self._coin)
        budget = p.cap_usd_per_s * seconds
        self._burn(coin.bid_ticks)
        waiting = self._unsold * coin.bid_ticks * self._coin.tick
        if waiting > p.backlog_s * p.cap_usd_per_s:
            budget = 0.0
        self._rebid(dollar.bid_ticks + 1, budget)
        bid = dollar.bid_ticks * self._dollar.tick
        if bid and coin.ask_ticks and bid - 1.0 > p.fee:
            usd = min(budget, dollar.bid_lots * self._dollar.lot)
            coins = usd / (coin.ask_ticks * self._coin.tick)
            if self._trade(SELL, usd, dollar.bid_ticks, BUY, coins, coin.ask_ticks):
                self.burnt_usd -= usd
                self.minted_coins -= coins

    def _burn(self, coin_bid: int) -> None:
        """Mint a dollar's worth of coins for every dollar bought; sell what is not sold yet."""
        if not coin_bid:
            return
        if self._bid is not None:
            usd = self._dollar.qty(self._bid.filled_lots - self._filled)
            self._filled = self._bid.filled_lots
            coins = usd / (coin_bid * self._coin.tick)
            self.burnt_usd += usd
            self.minted_coins += coins
            self._unsold += coins
        if self._sale is not None:
            if self._sale.is_open:
                return
            self._unsold -= self._coin.qty(self._sale.filled_lots)
            self._sale = None
        limit = max(1, int(coin_bid * (1.0 - self.params.slippage)))
        lots = self._coin.to_lots(max(0.0, self._unsold))
        if lots and self._coin.notional(limit, lots) >= self._coin.min_notional:
            self._sale = self.submit(self._coin, SELL, lots, limit, LIMIT, IOC)

    def _rebid(self, ticks: int, budget: float) -> None:
        """Replace the bid by one at the front, as long as a dollar is cheap enough there."""
        if self._bid is not None and self._bid.is_open:
            if self._bid.price_ticks != ticks - 1 or not budget:
                self.cancel(self._bid)
            return
        lots = self._dollar.to_lots(budget)
        cheap = ticks * self._dollar.tick < 1.0 - self.params.fee
        enough = self._dollar.notional(ticks, lots) >= self._dollar.min_notional
        if ticks > 1 and cheap and enough:
            self._bid = self.submit(self._dollar, BUY, lots, ticks, LIMIT, GTX)
            self._filled = 0

    def _trade(
        self, side: int, usd: float, touch: int, other: int, coins: float, coin_touch: int
    ) -> bool:
        """Dollars at the touch, coins up to the slippage beyond it; False when too small."""
        slip = 1.0 - self.params.slippage if other == SELL else 1.0 + self.params.slippage
        limit = max(1, int(coin_touch * slip))
        lots, coin_lots = self._dollar.to_lots(usd), self._coin.to_lots(coins)
        enough = self._coin.notional(limit, coin_lots) >= self._coin.min_notional
        if not enough or self._dollar.notional(touch, lots) < self._dollar.min_notional:
            return False
        self.submit(self._dollar, side, lots, touch, LIMIT, IOC)
        self.submit(self._coin, other, coin_lots, limit, LIMIT, IOC)
        return True
