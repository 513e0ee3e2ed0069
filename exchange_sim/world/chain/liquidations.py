"""The liquidation call of a lending pool, by the rules of Aave v3.3.

::

    LIQUIDATE    pool, borrower, debt asset, collateral asset, amount, receive shares (0 or 1)

``amount`` is how much debt the caller offers to repay; ``ALL`` is whatever the rules allow and the
wallet has.  The caller gets collateral at a bonus, as an asset or (1) as a deposit in the pool.
"""

from __future__ import annotations

import attrs

from exchange_sim.defi import aave
from exchange_sim.defi.feeds import USD
from exchange_sim.defi.reserves import (
    WAD,
    PoolPosition,
    debt_of,
    deposit_of,
    shares_down,
    shares_up,
)
from exchange_sim.messages.reasons import PoolCause, PoolSide, PostingKind, RejectReason
from exchange_sim.world.chain.execution import ALL, Action, Execution, Revert
from exchange_sim.world.chain.feeds import fresh_price
from exchange_sim.world.chain.health import Health, health_of, terms, value_down, value_up
from exchange_sim.world.chain.lending import (
    TREASURY,
    change,
    checked_health,
    finish,
    pool_at,
    reserve_at,
)
from exchange_sim.world.chain.pools import Pool

R = RejectReason


@attrs.frozen
class Terms:
    """One debt and one collateral of a position, with amounts, prices and values."""

    debt_k: int
    coll_k: int
    debt: int
    collateral: int
    debt_price: int
    coll_price: int
    debt_scale: int
    coll_scale: int
    bonus_ppm: int
    fee_ppm: int

    def largest(self, health: Health, pool: Pool) -> int:
        """Debt that may be repaid by the close factor, in units."""
        debt_value = -(-self.debt * self.debt_price // self.debt_scale)
        coll_value = self.collateral * self.coll_price // self.coll_scale
        least = pool.spec.min_base_usd * USD
        most = aave.max_repay(health.factor, coll_value, debt_value, health.debt, least, WAD)
        if most >= debt_value:
            return self.debt
        return most * self.debt_scale // self.debt_price

    def seizure(self, cover: int) -> aave.Seizure:
        """Collateral for ``cover`` units of debt."""
        return aave.liquidate(
            cover,
            self.debt_price * self.coll_scale,
            self.collateral,
            self.coll_price * self.debt_scale,
            self.bonus_ppm,
            self.fee_ppm,
        )


def terms_of(x: Execution, pool: Pool, position: PoolPosition, debt_k: int, coll_k: int) -> Terms:
    """What a liquidation of this debt and collateral starts from; reverts when one is missing."""
    debt, coll = pool.reserves[debt_k], pool.reserves[coll_k]
    threshold, bonus = terms(pool, position, coll_k)[1:]
    if not position.supply.get(coll_k) or not threshold:
        raise Revert(R.NOTHING_SUPPLIED)
    if not position.debt.get(debt_k):
        raise Revert(R.NOTHING_OWED)
    assets = x.w.config.assets
    return Terms(
        debt_k=debt_k,
        coll_k=coll_k,
        debt=debt_of(position.debt[debt_k], debt.debt_index),
        collateral=deposit_of(position.supply[coll_k], coll.supply_index),
        debt_price=fresh_price(x.w, debt.spec.oracle),
        coll_price=fresh_price(x.w, coll.spec.oracle),
        debt_scale=assets[debt.spec.asset].asset.scale,
        coll_scale=assets[coll.spec.asset].asset.scale,
        bonus_ppm=bonus,
        fee_ppm=coll.spec.protocol_fee_ppm,
    )


def liquidate(x: Execution, action: Action) -> None:
    """Repay somebody's debt and take collateral for it."""
    _, pool_id, borrower, debt_asset, collateral_asset, amount, as_shares = action
    pool = pool_at(x, pool_id)
    if not pool.spec.liquidations:
        raise Revert(R.LIQUIDATIONS_OFF)
    debt_k, _ = reserve_at(x, pool, debt_asset)
    coll_k, _ = reserve_at(x, pool, collateral_asset)
    position = pool.positions.get(borrower)
    if position is None:
        raise Revert(R.NOTHING_OWED)
    if borrower == x.wallet:
        raise Revert(R.OWN_POSITION)
    before = checked_health(x, pool, position)
    if before.factor >= WAD:
        raise Revert(R.HEALTHY)
    deal = terms_of(x, pool, position, debt_k, coll_k)
    most = deal.largest(before, pool)
    if amount == ALL:
        most = min(most, x.free(debt_asset))
    seizure = deal.seizure(min(most, x.amount(amount, most)))
    if seizure.repaid <= 0 or seizure.seized <= 0:
        raise Revert(R.BAD_AMOUNT)
    _check_dust(x, pool, deal, seizure)
    _take_debt(x, pool, borrower, deal, seizure)
    _take_collateral(x, pool, borrower, deal, seizure, as_shares == 1)
    _write_off(x, pool, borrower, position)
    after = health_of(x.w, pool, position)
    x.emit(
        112, pool.id, borrower, x.wallet, debt_asset, collateral_asset, seizure.repaid,
        seizure.seized, seizure.protocol_fee, before.factor_ppm, after.factor_ppm,
    )  # fmt: skip
    finish(x, pool, debt_k)
    if coll_k != debt_k:
        finish(x, pool, coll_k)


def _check_dust(x: Execution, pool: Pool, deal: Terms, seizure: aave.Seizure) -> None:
    """Both sides keep enough for the next liquidator, or one of them is closed."""
    assets = pool.spec.reserves
    left_collateral = deal.collateral - seizure.seized
    left_debt = deal.debt - seizure.repaid
    if aave.leaves_dust(
        value_down(x.w, assets[deal.coll_k].asset, left_collateral, deal.coll_price)
        or int(left_collateral > 0),
        value_up(x.w, assets[deal.debt_k].asset, left_debt, deal.debt_price),
        pool.spec.min_leftover_usd * USD,
    ):
        raise Revert(R.LEAVES_DUST)


def _take_debt(x: Execution, pool: Pool, borrower: int, deal: Terms, seizure: aave.Seizure) -> None:
    """The liquidator pays; the debt shrinks, in the pool's favour."""
    reserve = pool.reserves[deal.debt_k]
    held = pool.positions[borrower].debt[deal.debt_k]
    closed = seizure.repaid == deal.debt
    burnt = held if closed else shares_down(seizure.repaid, reserve.debt_index)
    x.post(reserve.spec.asset, x.wallet, pool.account, seizure.repaid, PostingKind.POOL_REPAY)
    change(
        x, pool, deal.debt_k, borrower, PoolSide.DEBT, -burnt, seizure.repaid,
        PoolCause.LIQUIDATION,
    )  # fmt: skip


def _take_collateral(
    x: Execution, pool: Pool, borrower: int, deal: Terms, seizure: aave.Seizure, as_shares: bool
) -> None:
    """The borrower's deposit goes to the liquidator and, for the fee, to the protocol."""
    k, reserve = deal.coll_k, pool.reserves[deal.coll_k]
    held = pool.positions[borrower].supply[k]
    closed = seizure.seized == deal.collateral
    burnt = held if closed else shares_up(seizure.seized, reserve.supply_index)
    gained = seizure.to_liquidator
    change(
        x, pool, k, borrower, PoolSide.SUPPLY, -burnt, seizure.seized, PoolCause.SEIZED
    )  # fmt: skip
    fee_shares = shares_down(seizure.protocol_fee, reserve.supply_index)
    if fee_shares:
        x.touch(reserve)
        reserve.treasury_shares += fee_shares
        x.emit(
            110, pool.id, reserve.spec.asset, TREASURY, PoolSide.SUPPLY, reserve.treasury_shares,
            fee_shares, seizure.protocol_fee, PoolCause.LIQUIDATION,
        )  # fmt: skip
    if as_shares:
        shares = shares_down(gained, reserve.supply_index)
        change(x, pool, k, x.wallet, PoolSide.SUPPLY, shares, gained, PoolCause.LIQUIDATION)
        x.output = 0
        return
    if pool.cash(x.w.ledger, k) < gained:
        raise Revert(R.NO_LIQUIDITY)
    x.post(reserve.spec.asset, pool.account, x.wallet, gained, PostingKind.POOL_SEIZURE)
    x.output = gained


def _write_off(x: Execution, pool: Pool, borrower: int, position: PoolPosition) -> None:
    """Debt of a borrower who has no collateral left is burned and booked as deficit."""
    if health_of(x.w, pool, position).collateral > 0:
        return
    for k in sorted(position.debt):
        asset = pool.spec.reserves[k].asset
        _, reserve = reserve_at(x, pool, asset)
        owed, shares = debt_of(position.debt[k], reserve.debt_index), position.debt[k]
        change(x, pool, k, borrower, PoolSide.DEBT, -shares, owed, PoolCause.WRITE_OFF)
        x.touch(reserve)
        reserve.deficit += owed
        x.emit(113, pool.id, asset, borrower, owed, reserve.deficit)
        finish(x, pool, k)
