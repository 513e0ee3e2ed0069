"""Liquidity providers who leave an AMM when it drifts from its fair price, and come back later.

A provider of a pool of pegged coins loses to whoever knows better: it ends up with the coin that
falls.  These watch the pool's marginal price against the oracles.  Each has a tolerance and a
reaction time of its own; what left comes back when the price has been near its fair value long
enough.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.strategy.api import Strategy, TransactionNotice
from exchange_sim.strategy.chain_requests import ALL
from exchange_sim.strategy.chain_views import AmmView, ChainView
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class ProviderParams(Strategy.Params):
    """``tolerance`` is the deviation at which a share of ``leaves`` is withdrawn.

    ``oracles`` name the feeds of the first and second coin.  ``ticks`` are those of its range in a
    concentrated pool.  It returns after ``calm_s`` within half of its tolerance (0: never).
    """

    amm: str = ""
    oracles: tuple[str, str] = ("", "")
    tolerance: float = 0.01
    leaves: float = attrs.field(default=1.0, validator=attrs.validators.le(1.0))
    reaction_s: float = 60.0
    calm_s: float = 0.0
    ticks: tuple[int, ...] = ()
    tip_gwei: float = 2.0


class LiquidityProvider(Strategy):
    """Watches one pool in which it has liquidity at the start (see ``opening`` of scenarios)."""

    Params = ProviderParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.away = False
        self.number = 0
        self._since_ns = 0

    def deviation(self, chain: ChainView) -> float:
        """How far the pool's price is from the oracles', as a share."""
        p: ProviderParams = self.params
        amm = chain.amms[p.amm]
        fair = chain.oracles[p.oracles[0]] / chain.oracles[p.oracles[1]]
        return abs(amm.price(amm.coins[0], amm.coins[1]) / fair - 1.0)

    def on_block(self, chain: ChainView) -> None:
        """Leave or come back once the reason has lasted long enough."""
        p: ProviderParams = self.params
        off = self.deviation(chain)
        reason = off < p.tolerance / 2 if self.away else off > p.tolerance
        if self.number or not reason or (self.away and not p.calm_s):
            self._since_ns = 0 if not reason else self._since_ns
            return
        self._since_ns = self._since_ns or chain.time_ns
        waits = p.calm_s if self.away else p.reaction_s
        if chain.time_ns - self._since_ns < waits * NANOS_PER_S:
            return
        amm = chain.amms[p.amm]
        actions = self._return(chain, amm) if self.away else self._leave(amm)
        if actions:
            most = 3.0 * chain.base_fee_gwei + p.tip_gwei
            self.number = self.transact(*actions, tip_gwei=p.tip_gwei, max_fee_gwei=most)

    def _leave(self, amm: AmmView) -> list[tuple[int, ...]]:
        p: ProviderParams = self.params
        if amm.kind == "concentrated":
            return [self.remove_range_action(p.amm, (p.ticks[0], p.ticks[1]), ALL)]
        shares = int(amm.shares.get(self.wallet(), 0) * p.leaves)
        return [self.remove_liquidity_action(p.amm, shares)] if shares else []

    def _return(self, chain: ChainView, amm: AmmView) -> list[tuple[int, ...]]:
        p: ProviderParams = self.params
        held = {
            coin: self.balance(coin, chain.venue) for coin in amm.coins if coin != chain.gas_asset
        }
        if not any(held.values()):
            return []
        if amm.kind == "concentrated":
            pairs = tuple((coin, held.get(coin, 0.0)) for coin in amm.coins)
            return [self.add_range_action(p.amm, (p.ticks[0], p.ticks[1]), pairs)]
        return [self.add_liquidity_action(p.amm, {**held}, amm.coins)]

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """What the chain has confirmed is so."""
        if transaction.number != self.number or transaction.status == "waiting":
            return
        if transaction.status == "executed":
            self.away = not self.away
            self.log("liquidity", away=self.away)
        self.number, self._since_ns = 0, 0
