"""What a strategy sees of the chain: the state after a block, as plain figures.

Amounts are whole assets, prices and values dollars, rates per year, fees gwei; a view never
changes.  ``ChainView`` arrives with ``on_block`` and is read with ``Strategy.chain_view``.
"""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class ReserveView:
    """One asset of a lending pool."""

    asset: str
    price: float
    cash: float
    supplied: float
    debt: float
    deficit: float
    borrow_rate: float
    supply_rate: float
    ltv: float
    threshold: float
    bonus: float
    protocol_fee: float

    @property
    def utilisation(self) -> float:
        """Debt over cash plus debt."""
        total = self.cash + self.debt
        return self.debt / total if total else 0.0


@attrs.frozen
class PositionView:
    """One wallet's position in a lending pool; ``health`` is infinite without debt.

    ``collateral`` and ``debts`` are amounts by asset; ``bonus`` by collateral asset is what a
    liquidator gets, the e-mode category considered.
    """

    pool: str
    wallet: int
    health: float
    collateral_usd: float
    borrowable_usd: float
    debt_usd: float
    collateral: dict[str, float]
    debts: dict[str, float]
    bonus: dict[str, float]
    category: int

    @property
    def leverage(self) -> float:
        """Collateral over equity; 0 without collateral, infinite without equity."""
        equity = self.collateral_usd - self.debt_usd
        if self.collateral_usd <= 0:
            return 0.0
        return self.collateral_usd / equity if equity > 0 else float("inf")


@attrs.frozen
class PoolView:
    """A lending pool.  ``at_risk`` are positions with a health factor below 1, least first.

    Of many the 300 with the largest debts are shown; ``at_risk_count`` is about how many there are.
    ``own`` are the positions of the strategy's wallets, by wallet.
    """

    name: str
    id: int
    reserves: dict[str, ReserveView]
    at_risk: tuple[PositionView, ...]
    own: dict[int, PositionView]
    flash_premium: float
    min_leftover_usd: float
    min_base_usd: float
    at_risk_count: int = 0


@attrs.frozen
class MarketPositionView:
    """One wallet's position in an isolated market."""

    market: str
    wallet: int
    health: float
    collateral: float
    debt: float
    lent: float


@attrs.frozen
class MarketView:
    """An isolated market; ``price`` is loan assets per collateral, ``incentive`` 1.05 for 5 %."""

    name: str
    id: int
    collateral: str
    loan: str
    price: float
    lltv: float
    incentive: float
    cash: float
    supplied: float
    debt: float
    borrow_rate: float
    at_risk: tuple[MarketPositionView, ...]
    own: dict[int, MarketPositionView]


@attrs.frozen(eq=False)
class AmmView:
    """An AMM.  ``shares`` are those of the strategy's wallets by wallet (fungible pools)."""

    name: str
    id: int
    kind: str
    coins: tuple[str, ...]
    balances: dict[str, float]
    fee: float
    shares: dict[int, float]
    total_shares: float
    state: Any = attrs.field(repr=False)
    """What ``quote`` works with: use the methods."""

    def quote(self, asset_in: str, qty: float, asset_out: str) -> float:
        """What a swap would give after the fee, by the pool's own formula; 0 if it cannot."""
        found: float = self.state.quote(asset_in, qty, asset_out)
        return found

    def price(self, asset: str, quote: str) -> float:
        """Marginal price of ``asset`` in ``quote`` without fee; 0 for an empty pool."""
        found: float = self.state.price(asset, quote)
        return found


@attrs.frozen(eq=False)
class ChainView:
    """The chain called ``venue`` after block ``number``, produced at ``time_ns``.

    ``base_fee_gwei`` is that of the next block; ``gas_used`` a share of the block's limit.
    ``waiting`` transactions are in the mempool.  ``gas_price_usd`` is dollars per gas asset when an
    oracle prices it, else 0.  ``gas`` is what each kind of action costs, besides ``base_gas``.
    """

    venue: str
    number: int
    time_ns: int
    base_fee_gwei: float
    gas_used: float
    waiting: int
    gas_asset: str
    gas_price_usd: float
    pools: dict[str, PoolView]
    markets: dict[str, MarketView]
    amms: dict[str, AmmView]
    oracles: dict[str, float]
    gas: dict[int, int] = attrs.field(repr=False)
    base_gas: int = 21_000

    def gas_usd(self, *kinds: int, tip_gwei: float = 1.0) -> float:
        """Dollars that a transaction of actions of these kinds would cost in the next block."""
        units = self.base_gas + sum(self.gas[int(kind)] for kind in kinds)
        return units * (self.base_fee_gwei + tip_gwei) * 1e-9 * self.gas_price_usd
