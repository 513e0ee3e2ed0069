"""Makers that trade off spread against inventory risk by a formula.

AvellanedaStoikov: Avellaneda & Stoikov (2008), "High-frequency trading in a limit order book",
Quant. Finance 8(3), with a rolling horizon tau instead of a closing time (crypto does not close).
GlftMaker: Gueant, Lehalle & Fernandez-Tapia (2013), arXiv 1105.3115, asymptotic quotes in the form
of arXiv 1605.01862, equations 4.6 and 4.7.

Everything is in basis points of the fair value: variance in bp^2/s, gamma and k in 1/bp, inventory
in orders (``inventory_orders`` orders make the limit).  In a volatile market the formulas push a
long maker's ask to or through the mid: it turns from a maker into a seller.
"""

from __future__ import annotations

import math

import attrs

from exchange_sim.strategy.formulas import glft_quotes, optimal_spread, reservation_price
from strategies.maker import Maker, MakerParams
from strategies.pair import Pair


@attrs.frozen
class AvellanedaStoikovParams(MakerParams):
    """``k`` is 1 / half spread of the pair, which makes that the spread without risk aversion."""

    gamma_per_bp: float = 0.002
    horizon_s: float = 30.0
    inventory_orders: float = 10.0


class AvellanedaStoikov(Maker):
    """Reservation price and optimal spread around the fair value."""

    Params = AvellanedaStoikovParams

    def offsets(self, pair: Pair) -> tuple[float, float]:
        """Shift and half spread in bp."""
        p: AvellanedaStoikovParams = self.params
        orders = pair.inventory * p.inventory_orders
        shift = reservation_price(0.0, orders, p.gamma_per_bp, pair.variance, p.horizon_s)
        k = 1.0 / pair.params.half_spread_bp
        return shift, optimal_spread(p.gamma_per_bp, pair.variance, p.horizon_s, k) / 2.0


@attrs.frozen
class GlftParams(MakerParams):
    """``fills_per_s`` is the arrival rate A at the mid; ``xi_per_bp`` defaults to gamma when 0."""

    gamma_per_bp: float = 0.002
    xi_per_bp: float = 0.0
    fills_per_s: float = 1.0
    inventory_orders: float = 10.0


class GlftMaker(Maker):
    """Asymptotic quotes: no horizon, skew and spread proportional to volatility."""

    Params = GlftParams

    def offsets(self, pair: Pair) -> tuple[float, float]:
        """Shift and half spread in bp."""
        p: GlftParams = self.params
        quotes = glft_quotes(
            a=p.fills_per_s,
            k=1.0 / pair.params.half_spread_bp,
            gamma=p.gamma_per_bp,
            xi=p.xi_per_bp or p.gamma_per_bp,
            sigma=math.sqrt(pair.variance),
            delta=1.0,
            inventory=pair.inventory * p.inventory_orders,
        )
        half = (quotes.bid_depth + quotes.ask_depth) / 2.0
        return (quotes.ask_depth - quotes.bid_depth) / 2.0, half
