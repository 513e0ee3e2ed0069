"""The public feed of the chain: after each block its state as a ``ChainView``, read with a delay.

A view is made once per block, for everybody who has a wallet; each reader sees the newest one that
its link has delivered.  State changes in blocks only, so nothing is lost between them.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from exchange_sim.defi.concentrated import plan_swap
from exchange_sim.defi.feeds import USD
from exchange_sim.defi.reserves import WAD, PoolPosition, debt_of, deposit_of
from exchange_sim.defi.spec import AmmKind
from exchange_sim.sim.chain_screen import MarketScreen, PoolScreen
from exchange_sim.sim.seams import Event
from exchange_sim.strategy.chain_views import (
    AmmView,
    ChainView,
    MarketPositionView,
    MarketView,
    PoolView,
    PositionView,
    ReserveView,
)
from exchange_sim.units import PPM
from exchange_sim.world.chain.actions import ACTIONS
from exchange_sim.world.chain.amms import Amm
from exchange_sim.world.chain.execution import Revert
from exchange_sim.world.chain.feeds import price_of
from exchange_sim.world.chain.health import Health, health_of, terms
from exchange_sim.world.chain.markets import collateral_price, health_ppm
from exchange_sim.world.chain.pools import MarketState, Pool
from exchange_sim.world.chain.swaps import quote
from exchange_sim.world.world import World

VIEWS_KEPT: Final = 64
AT_RISK_SHOWN: Final = 300
"""Positions at risk of one pool that a view shows, the largest debts; it counts all of them."""
INFINITE_PPM: Final = 10**15
GWEI: Final = 10**9
Listener = Callable[[ChainView], None]


class AmmQuotes:
    """What an AMM was at a moment; quotes by its own formula, on copies."""

    def __init__(self, w: World, amm: Amm, names: tuple[str, ...]) -> None:
        self._amm = copy.copy(amm)
        self._amm.curve = copy.copy(amm.curve)
        self._amm.curve.ticks = amm.curve.ticks.copy()
        self._held = amm.balances(w.ledger)
        self._place = {name: k for k, name in enumerate(names)}
        self._scales = amm.scales

    def balances(self) -> list[float]:
        """Whole coins in the pool."""
        return [units / scale for units, scale in zip(self._held, self._scales, strict=True)]

    def quote(self, asset_in: str, qty: float, asset_out: str) -> float:
        """See ``AmmView.quote``."""
        i, j = self._place[asset_in], self._place[asset_out]
        amount = int(qty * self._scales[i])
        if amount <= 0 or i == j:
            return 0.0
        if self._amm.kind == AmmKind.CONCENTRATED:
            plan = plan_swap(self._amm.curve, amount, zero_for_one=i == 0)
            return 0.0 if plan.remaining else plan.got / self._scales[j]
        try:
            return quote(self._amm, self._held, i, j, amount)[0] / self._scales[j]
        except Revert:
            return 0.0

    def price(self, asset: str, against: str) -> float:
        """See ``AmmView.price``."""
        i, j = self._place[asset], self._place[against]
        coins = self._amm.coins
        return self._amm.marginal(self._held, coins[i], coins[j]) / USD


class ChainFeed:
    """Makes views; ``wallets`` are those of strategies, whose positions the views show."""

    def __init__(self, w: World) -> None:
        assert w.chain is not None
        self._w = w
        self._chain = w.chain
        self._assets = [spec.asset.name for spec in w.config.assets]
        self._scales = [spec.asset.scale for spec in w.config.assets]
        self.wallets: list[int] = []
        self.listeners: list[Listener] = []
        self.views: deque[ChainView] = deque(maxlen=VIEWS_KEPT)
        self.screens = [PoolScreen(w, pool) for pool in self._chain.pools]
        self.market_screens = [MarketScreen(w, market) for market in self._chain.markets]
        self._gas = {int(kind): spec.gas for kind, spec in ACTIONS.items()}
        priced = [feed.spec.asset for feed in self._chain.feeds]
        self._gas_oracle = (
            priced.index(self._chain.gas_asset) if self._chain.gas_asset in priced else -1
        )

    @property
    def base_fee(self) -> int:
        """Base fee of the next block, in wei."""
        return self._chain.base_fee

    def publish(self, block: Event | None) -> None:
        """A block (or the start) is final: make its view and push it."""
        view = self._view(block)
        self.views.append(view)
        for listener in self.listeners:
            listener(view)

    def seen_at(self, view_ns: int) -> ChainView | None:
        """The newest view that was there at ``view_ns``."""
        for view in reversed(self.views):
            if view.time_ns <= view_ns:
                return view
        return None

    def _view(self, block: Event | None) -> ChainView:
        w, chain = self._w, self._chain
        gas_usd = price_of(w, self._gas_oracle) / USD if self._gas_oracle >= 0 else 0.0
        return ChainView(
            venue=w.config.venues[chain.venue].name,
            number=chain.block,
            time_ns=w.time_ns,
            base_fee_gwei=chain.base_fee / GWEI,
            gas_used=block[3] / chain.spec.gas_limit if block else 0.0,
            waiting=len(chain.mempool),
            gas_asset=self._assets[chain.gas_asset],
            gas_price_usd=gas_usd,
            pools={pool.spec.name: self._pool(pool) for pool in chain.pools},
            markets={market.spec.name: self._market(market) for market in chain.markets},
            amms={amm.spec.name: self._amm(amm) for amm in chain.amms},
            oracles={feed.spec.name: price_of(w, k) / USD for k, feed in enumerate(chain.feeds)},
            gas=self._gas,
        )

    def _pool(self, pool: Pool) -> PoolView:
        w, reserves = self._w, {}
        for k, reserve in enumerate(pool.reserves):
            spec = reserve.spec
            scale, cash = self._scales[spec.asset], pool.cash(w.ledger, k)
            supply, debt, _ = reserve.indices_at(w.time_ns)
            reserves[self._assets[spec.asset]] = ReserveView(
                asset=self._assets[spec.asset],
                price=price_of(w, spec.oracle) / USD,
                cash=cash / scale,
                supplied=deposit_of(reserve.supply_shares, supply) / scale,
                debt=debt_of(reserve.debt_shares, debt) / scale,
                deficit=reserve.deficit / scale,
                borrow_rate=reserve.rate_ppm / PPM,
                supply_rate=reserve.supply_rate_ppm(cash) / PPM,
                ltv=spec.ltv_ppm / PPM,
                threshold=spec.threshold_ppm / PPM,
                bonus=spec.bonus_ppm / PPM - 1.0,
                protocol_fee=spec.protocol_fee_ppm / PPM,
            )
        risky = []
        named, count = self.screens[pool.id].largest_below(1.0, AT_RISK_SHOWN)
        for wallet in named:
            position = pool.positions[wallet]
            health = health_of(w, pool, position)
            if health.factor < WAD:
                risky.append(self._position(pool, wallet, position, health))
        risky.sort(key=lambda view: (view.health, view.wallet))
        own = {
            wallet: self._position(
                pool, wallet, pool.positions[wallet], health_of(w, pool, pool.positions[wallet])
            )
            for wallet in self.wallets
            if wallet in pool.positions
        }
        return PoolView(
            pool.spec.name, pool.id, reserves, tuple(risky), own,
            pool.spec.flash_premium_ppm / PPM, pool.spec.min_leftover_usd, pool.spec.min_base_usd,
            count,
        )  # fmt: skip

    def _position(
        self, pool: Pool, wallet: int, position: PoolPosition, health: Health
    ) -> PositionView:
        now = self._w.time_ns
        collateral, debts, bonus = {}, {}, {}
        for k, shares in sorted(position.supply.items()):
            reserve = pool.reserves[k]
            asset = reserve.spec.asset
            amount = deposit_of(shares, reserve.indices_at(now)[0])
            _, threshold, with_principal = terms(pool, position, k)
            if threshold:
                collateral[self._assets[asset]] = amount / self._scales[asset]
                bonus[self._assets[asset]] = with_principal / PPM - 1.0
        for k, shares in sorted(position.debt.items()):
            reserve = pool.reserves[k]
            asset = reserve.spec.asset
            owed = debt_of(shares, reserve.indices_at(now)[1])
            debts[self._assets[asset]] = owed / self._scales[asset]
        factor = health.factor_ppm
        return PositionView(
            pool=pool.spec.name,
            wallet=wallet,
            health=float("inf") if factor >= INFINITE_PPM else health.factor / WAD,
            collateral_usd=health.collateral / USD,
            borrowable_usd=health.borrowable / USD,
            debt_usd=health.debt / USD,
            collateral=collateral,
            debts=debts,
            bonus=bonus,
            category=position.category,
        )

    def _market(self, state: MarketState) -> MarketView:
        w, spec, market = self._w, state.spec, state.market
        price = collateral_price(w, state)
        loan, pledged = self._scales[spec.loan], self._scales[spec.collateral]
        risky = [
            self._lot(state, wallet)
            for wallet in self.market_screens[state.id].below(1.0, price)
            if health_ppm(w, state, state.positions[wallet]) < PPM
        ]
        return MarketView(
            name=spec.name,
            id=state.id,
            collateral=self._assets[spec.collateral],
            loan=self._assets[spec.loan],
            price=price / WAD * pledged / loan,
            lltv=spec.lltv_ppm / PPM,
            incentive=spec.incentive / WAD,
            cash=w.ledger.posted[state.account][spec.loan] / loan,
            supplied=market.supply_assets / loan,
            debt=market.borrow_assets / loan,
            borrow_rate=market.rate_ppm / PPM,
            at_risk=tuple(risky),
            own={wallet: self._lot(state, wallet) for wallet in self.wallets
                 if wallet in state.positions},
        )  # fmt: skip

    def _lot(self, state: MarketState, wallet: int) -> MarketPositionView:
        lot, market, spec = state.positions[wallet], state.market, state.spec
        loan = self._scales[spec.loan]
        owed = market.owed(lot.borrow_shares, market.interest_until(self._w.time_ns))
        health = health_ppm(self._w, state, lot)
        return MarketPositionView(
            spec.name, wallet, float("inf") if health >= INFINITE_PPM else health / PPM,
            lot.collateral / self._scales[spec.collateral], owed / loan,
            market.claim(lot.supply_shares) / loan,
        )  # fmt: skip

    def _amm(self, amm: Amm) -> AmmView:
        coins = tuple(self._assets[asset] for asset in amm.coins)
        state: Any = AmmQuotes(self._w, amm, coins)
        return AmmView(
            name=amm.spec.name,
            id=amm.id,
            kind=amm.kind.name.lower(),
            coins=coins,
            balances=dict(zip(coins, state.balances(), strict=True)),
            fee=amm.spec.fee_ppm / PPM,
            shares={wallet: amm.shares[wallet] for wallet in self.wallets if wallet in amm.shares},
            total_shares=amm.total,
            state=state,
        )
