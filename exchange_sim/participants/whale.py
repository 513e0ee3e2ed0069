"""Whales: large holders who borrowed against coins, and what they do when the margin call comes.

A whale holds coins as collateral of a unified account and owes stablecoins.  When its uniMMR falls
below ``call_ratio`` it has been called; after a reaction delay of its own it sells part of its
collateral at the market, in slices, until the ratio is back at ``target_ratio``.  One that reacts
too late is liquidated by the venue like anybody else.  The delay stands for people: margin desks
give notice and grace, owners sleep, and moving cash takes time.

Simplification: it sells its assets in the order of ``assets``, not the most liquid one first.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import FLAG_FORCED, IOC, LIMIT, SELL
from exchange_sim.strategy.api import LiquidationNotice, Strategy
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class WhaleParams(Strategy.Params):
    """Ratios are uniMMR; ``reaction_mean_s`` and ``reaction_sd_s`` describe a gamma delay.

    Each slice is ``slice_share`` of what is left of an asset, with a limit ``slippage`` below the
    best bid.  ``ignores`` whales never react: the venue sells for them.
    """

    assets: tuple[str, ...] = ()
    call_ratio: float = 1.6
    target_ratio: float = 2.0
    reaction_mean_s: float = 600.0
    reaction_sd_s: float = 200.0
    interval_s: float = 5.0
    slice_share: float = 0.05
    slippage: float = 0.01
    ignores: bool = False


class Whale(Strategy):
    """One borrower against coins."""

    Params = WhaleParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._acts_from_ns = 0
        self._liquidated = False

    def on_start(self) -> None:
        """Watch the margin of the first venue; look at the books when it matters."""
        p: WhaleParams = self.params
        venue = self.venues()[0]
        self._venue = venue
        self._markets = [self.market(f"{venue}:{asset}USDT") for asset in p.assets]
        for market in self._markets:
            self.subscribe_book(market, 1)
        self.subscribe_margin(venue)
        if not p.ignores:
            self.set_timer("look", p.interval_s, p.interval_s * 0.2)

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """While the venue sells, the owner can do nothing."""
        self._liquidated = event.stage != "ended"

    def on_timer(self, name: str) -> None:
        """Check the margin; once called and ready, sell a slice of everything."""
        if name != "look" or self._liquidated:
            return
        p: WhaleParams = self.params
        ratio = self.margin(self._venue).uni_mmr
        if self._acts_from_ns and ratio >= p.target_ratio:
            self._acts_from_ns = 0
        elif not self._acts_from_ns and ratio < p.call_ratio:
            delay = self.rng.gamma_ns(
                int(p.reaction_mean_s * NANOS_PER_S), int(p.reaction_sd_s * NANOS_PER_S)
            )
            self._acts_from_ns = self.now_ns + delay
            ratio_ppm = int(ratio * 1_000_000)
            self.note(NoteKind.MARGIN_CALL_REACTION, ratio_ppm, delay, venue=self._venue)
        elif self._acts_from_ns and self.now_ns >= self._acts_from_ns:
            self._sell()

    def _sell(self) -> None:
        """One slice of each asset, then use the cash to repay."""
        p: WhaleParams = self.params
        for market in self._markets:
            bid = self.book(market).bid_ticks
            lots = market.to_lots(self.balance(market.base, self._venue) * p.slice_share)
            price = int(bid * (1.0 - p.slippage))
            if price > 0 and lots > 0 and market.notional(price, lots) >= market.min_notional:
                self.submit(market, SELL, lots, price, LIMIT, IOC, FLAG_FORCED)
        cash = self.balance("USDT", self._venue)
        owed = self.loan("USDT", self._venue)
        if owed > 0 and cash > 1_000.0:
            self.repay("USDT", min(int(cash), int(owed) + 1), self._venue)
