"""A maker on one venue that hedges on another.

Quotes sit around the mid of the hedge venue, moved against the net inventory of both legs; within
``band`` of the limit the inventory is left to the quotes, beyond it the excess is traded away on
the hedge venue at once:

    shift = -skew * half spread * net / limit
    hedge = -(|net| - band * limit) * sign(net)   when |net| > band * limit, else 0

That a dealer internalises inside a range and externalises outside of it is the result of Barzykin,
Bergault & Guéant (2023), "Algorithmic market making in dealer markets with hedging and market
impact", Math. Finance 33(1), arXiv 2106.06974; here the range is a parameter.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.strategy.api import AdlNotice, Side, Strategy


@attrs.frozen
class HedgedMakerParams(Strategy.Params):
    """``limit`` is the largest net inventory in base units, ``band`` the part that is not hedged.

    ``slippage`` bounds the price of hedges.  After a hedge was lost to auto-deleveraging nothing is
    quoted for ``pause_s``.
    """

    symbol: str = "leading:BTCUSDT-PERP"
    hedge: str = "second:BTCUSDT"
    qty: float = 0.05
    half_spread_bps: float = 3.0
    skew: float = 1.0
    limit: float = 0.5
    band: float = attrs.field(
        default=0.4, validator=[attrs.validators.ge(0.0), attrs.validators.le(1.0)]
    )
    slippage: float = 0.002
    interval_s: float = 0.5
    pause_s: float = 60.0


def hedge_qty(net: float, limit: float, band: float) -> float:
    """Signed quantity to trade on the hedge venue; 0 inside the band."""
    excess = abs(net) - band * limit
    if excess <= 0.0:
        return 0.0
    return -excess if net > 0.0 else excess


def quote_shift(net: float, limit: float, skew: float, half: float) -> float:
    """Shift of the centre of the quotes, in the unit of the half spread."""
    return -skew * half * max(-1.0, min(1.0, net / limit))


class HedgedMaker(Strategy):
    """Makes a market here, hedges there."""

    Params = HedgedMakerParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._base_lots = [0, 0]
        self._paused_until_ns = 0

    def on_start(self) -> None:
        """Subscribe to both books; what is held of the hedge now counts as flat."""
        p: HedgedMakerParams = self.params
        self._legs = (self.market(p.symbol), self.market(p.hedge))
        for number, market in enumerate(self._legs):
            self.subscribe_book(market, depth=1)
            self._base_lots[number] = self.position_lots(market)
        self.set_timer("quote", p.interval_s, p.interval_s * 0.1)

    def net(self) -> float:
        """Base units that both legs together are away from flat."""
        return sum(
            market.qty(self.position_lots(market) - base)
            for market, base in zip(self._legs, self._base_lots, strict=True)
        )

    def on_timer(self, name: str) -> None:
        """Hedge the excess, then replace both quotes."""
        if name != "quote":
            return
        p: HedgedMakerParams = self.params
        fair = self.book(self._legs[1]).mid or self.book(self._legs[0]).mid
        self.cancel_all_orders(p.symbol)
        if fair is None or self.now_ns < self._paused_until_ns:
            return
        net = self.net()
        self._hedge(hedge_qty(net, p.limit, p.band), fair)
        half = fair * p.half_spread_bps / 10_000.0
        centre = fair + quote_shift(net, p.limit, p.skew, half)
        if net < p.limit:
            self.buy(p.symbol, p.qty, centre - half, post_only=True)
        if net > -p.limit:
            self.sell(p.symbol, p.qty, centre + half, post_only=True)

    def on_adl(self, event: AdlNotice) -> None:
        """A leg is gone: no quotes until the other one has been brought back."""
        if event.is_victim:
            self._paused_until_ns = self.now_ns + round(self.params.pause_s * 1e9)

    def _hedge(self, qty: float, fair: float) -> None:
        if not qty or any(order.is_open for order in self.open_orders(self._legs[1])):
            return
        side = Side.BUY if qty > 0.0 else Side.SELL
        price = fair * (1.0 + self.params.slippage * (1.0 if qty > 0.0 else -1.0))
        if abs(qty) * fair >= self._legs[1].min_notional and self._legs[1].to_lots(abs(qty)):
            self.submit_order(self._legs[1], side, abs(qty), price, tif="IOC")
