"""Actions of lending pools: supply, withdraw, borrow, repay, categories, flash loans.

Arguments start with the pool and the asset::

    SUPPLY, WITHDRAW, BORROW, REPAY    pool, asset, amount
    SET_CATEGORY                       pool, category
    FLASH_LOAN                         pool, asset, amount    (paid back when the actions are over)
"""

from __future__ import annotations

from exchange_sim.defi.reserves import (
    WAD,
    PoolPosition,
    Reserve,
    debt_of,
    deposit_of,
    shares_down,
    shares_up,
)
from exchange_sim.messages.reasons import PoolCause, PoolSide, PostingKind, RejectReason
from exchange_sim.units import PPM, mul_div_ceil
from exchange_sim.world.chain.execution import Action, Execution, Revert
from exchange_sim.world.chain.feeds import fresh_price
from exchange_sim.world.chain.health import Health, health_of, value_up
from exchange_sim.world.chain.pools import Pool

R = RejectReason
TREASURY = -1
"""Wallet id of the protocol in events about positions."""


def pool_at(x: Execution, pool: int) -> Pool:
    """The pool that an action names."""
    if not 0 <= pool < len(x.chain.pools):
        raise Revert(R.UNKNOWN_POOL)
    return x.chain.pools[pool]


def reserve_at(x: Execution, pool: Pool, asset: int) -> tuple[int, Reserve]:
    """Position and state of a reserve, with its indices brought up to date."""
    k = pool.index_of.get(asset)
    if k is None:
        raise Revert(R.UNKNOWN_RESERVE)
    reserve = pool.reserves[k]
    if reserve.updated_ns != x.w.time_ns:
        earned = reserve.treasury_shares
        x.touch(reserve)
        reserve.accrue(x.w.time_ns)
        earned = reserve.treasury_shares - earned
        if earned:
            amount = deposit_of(earned, reserve.supply_index)
            x.emit(
                110, pool.id, asset, TREASURY, PoolSide.SUPPLY, reserve.treasury_shares, earned,
                amount, PoolCause.SUPPLY,
            )  # fmt: skip
    return k, reserve


def finish(x: Execution, pool: Pool, k: int) -> None:
    """After an operation on a reserve: its new rate, and its state as an event."""
    reserve = pool.reserves[k]
    cash = pool.cash(x.w.ledger, k)
    x.touch(reserve)
    reserve.set_rate(cash)
    reserve.roundings += 1
    x.emit(
        111, pool.id, reserve.spec.asset, reserve.supply_index, reserve.debt_index,
        reserve.supply_shares, reserve.treasury_shares, reserve.debt_shares, cash, reserve.deficit,
        reserve.rate_ppm, reserve.supply_rate_ppm(cash),
    )  # fmt: skip


def change(
    x: Execution,
    pool: Pool,
    k: int,
    wallet: int,
    side: PoolSide,
    shares: int,
    amount: int,
    cause: PoolCause,
) -> None:
    """Add ``shares`` (negative: take) to a position and to the reserve's total."""
    position = pool.positions.get(wallet)
    if position is None:
        position = PoolPosition()
        x.put(pool.positions, wallet, position)
    reserve = pool.reserves[k]
    x.touch(reserve)
    table = position.debt if side == PoolSide.DEBT else position.supply
    held = table.get(k, 0) + shares
    if side == PoolSide.DEBT:
        reserve.debt_shares += shares
    else:
        reserve.supply_shares += shares
    if held:
        x.put(table, k, held)
    elif k in table:
        x.drop(table, k)
    pool.dirty[wallet] = None
    x.emit(110, pool.id, reserve.spec.asset, wallet, side, held, shares, amount, cause)


def supply(x: Execution, action: Action) -> None:
    """Deposit; the deposit is collateral as far as the reserve has a threshold."""
    _, pool_id, asset, amount, *_ = action
    pool = pool_at(x, pool_id)
    k, reserve = reserve_at(x, pool, asset)
    amount = x.amount(amount, x.free(asset))
    shares = shares_down(amount, reserve.supply_index)
    if not shares:
        raise Revert(R.BAD_AMOUNT)
    cap = reserve.spec.supply_cap
    if cap and reserve.supplied() + amount > cap:
        raise Revert(R.SUPPLY_CAP)
    x.post(asset, x.wallet, pool.account, amount, PostingKind.POOL_SUPPLY)
    change(x, pool, k, x.wallet, PoolSide.SUPPLY, shares, amount, PoolCause.SUPPLY)
    finish(x, pool, k)
    x.output = amount


def position_of(pool: Pool, wallet: int) -> PoolPosition:
    """What a wallet has in a pool; an empty position when it has nothing."""
    return pool.positions.get(wallet) or PoolPosition()


def withdraw(x: Execution, action: Action) -> None:
    """Take a deposit back, if cash and health allow it."""
    _, pool_id, asset, amount, *_ = action
    pool = pool_at(x, pool_id)
    k, reserve = reserve_at(x, pool, asset)
    position = position_of(pool, x.wallet)
    held = position.supply.get(k, 0)
    if not held:
        raise Revert(R.NOTHING_SUPPLIED)
    most = deposit_of(held, reserve.supply_index)
    amount = x.amount(amount, most)
    if amount > most:
        raise Revert(R.NOTHING_SUPPLIED)
    shares = held if amount == most else shares_up(amount, reserve.supply_index)
    if pool.cash(x.w.ledger, k) < amount:
        raise Revert(R.NO_LIQUIDITY)
    x.post(asset, pool.account, x.wallet, amount, PostingKind.POOL_WITHDRAW)
    change(x, pool, k, x.wallet, PoolSide.SUPPLY, -shares, amount, PoolCause.WITHDRAW)
    if position.debt and checked_health(x, pool, position).factor < WAD:
        raise Revert(R.HEALTH_FACTOR_TOO_LOW)
    finish(x, pool, k)
    x.output = amount


def checked_health(x: Execution, pool: Pool, position: PoolPosition) -> Health:
    """Health of a position by prices that must be fresh."""
    for k in (*position.supply, *position.debt):
        fresh_price(x.w, pool.reserves[k].spec.oracle)
    return health_of(x.w, pool, position)


def borrow(x: Execution, action: Action) -> None:
    """Take a loan within the LTV of the collateral; ``ALL`` is as much as that allows."""
    _, pool_id, asset, given, *_ = action
    pool = pool_at(x, pool_id)
    k, reserve = reserve_at(x, pool, asset)
    position = position_of(pool, x.wallet)
    _check_borrowable(pool, position, k, reserve)
    before = checked_health(x, pool, position)
    price, cash = fresh_price(x.w, reserve.spec.oracle), pool.cash(x.w.ledger, k)
    scale = x.w.config.assets[asset].asset.scale
    room = max(0, before.borrowable - before.debt) * scale // price
    amount = x.amount(given, min(room, cash))
    if cash < amount:
        raise Revert(R.NO_LIQUIDITY)
    cap = reserve.spec.borrow_cap
    if cap and reserve.debt() + amount > cap:
        raise Revert(R.BORROW_CAP)
    if before.debt + value_up(x.w, asset, amount, price) > before.borrowable:
        raise Revert(R.COLLATERAL_TOO_LOW)
    shares = shares_up(amount, reserve.debt_index)
    x.post(asset, pool.account, x.wallet, amount, PostingKind.POOL_BORROW)
    change(x, pool, k, x.wallet, PoolSide.DEBT, shares, amount, PoolCause.BORROW)
    if health_of(x.w, pool, pool.positions[x.wallet]).factor < WAD:
        raise Revert(R.HEALTH_FACTOR_TOO_LOW)
    finish(x, pool, k)
    x.output = amount


def _check_borrowable(pool: Pool, position: PoolPosition, k: int, reserve: Reserve) -> None:
    category = position.category
    allowed = not category or k in pool.spec.emodes[category - 1].borrowable
    if not reserve.spec.borrowable or not allowed:
        raise Revert(R.NOT_BORROWABLE)


def repay(x: Execution, action: Action) -> None:
    """Pay back a debt, at most what is owed (and what the wallet has, for ``ALL``)."""
    _, pool_id, asset, amount, *_ = action
    pool = pool_at(x, pool_id)
    k, reserve = reserve_at(x, pool, asset)
    held = position_of(pool, x.wallet).debt.get(k, 0)
    if not held:
        raise Revert(R.NOTHING_OWED)
    owed = debt_of(held, reserve.debt_index)
    amount = min(owed, x.amount(amount, x.free(asset)))
    shares = held if amount == owed else shares_down(amount, reserve.debt_index)
    x.post(asset, x.wallet, pool.account, amount, PostingKind.POOL_REPAY)
    change(x, pool, k, x.wallet, PoolSide.DEBT, -shares, amount, PoolCause.REPAY)
    finish(x, pool, k)
    x.output = amount


def set_category(x: Execution, action: Action) -> None:
    """Choose an e-mode category; the position must be allowed and healthy in it."""
    _, pool_id, category, *_ = action
    pool = pool_at(x, pool_id)
    if not 0 <= category <= len(pool.spec.emodes):
        raise Revert(R.BAD_CATEGORY)
    position = pool.positions.get(x.wallet)
    if position is None:
        position = PoolPosition()
        x.put(pool.positions, x.wallet, position)
    if category:
        allowed = pool.spec.emodes[category - 1].borrowable
        if any(k not in allowed for k in position.debt):
            raise Revert(R.NOT_BORROWABLE)
    x.touch(position)
    position.category = category
    if position.debt and checked_health(x, pool, position).factor < WAD:
        raise Revert(R.HEALTH_FACTOR_TOO_LOW)
    pool.dirty[x.wallet] = None
    x.emit(114, pool.id, x.wallet, category)
    x.output = 0


def flash_loan(x: Execution, action: Action) -> None:
    """Borrow without collateral until the transaction is over; the premium goes to the protocol."""
    _, pool_id, asset, amount, *_ = action
    pool = pool_at(x, pool_id)
    k, _ = reserve_at(x, pool, asset)
    amount = x.amount(amount, pool.cash(x.w.ledger, k))
    if pool.cash(x.w.ledger, k) < amount:
        raise Revert(R.NO_LIQUIDITY)
    premium = mul_div_ceil(amount, pool.spec.flash_premium_ppm, PPM)
    x.post(asset, pool.account, x.wallet, amount, PostingKind.FLASH_LOAN)
    x.output = amount

    def settle(x: Execution) -> None:
        if x.free(asset) < amount + premium:
            raise Revert(R.FLASH_LOAN_NOT_REPAID)
        x.post(asset, x.wallet, pool.account, amount, PostingKind.FLASH_REPAY)
        x.post(asset, x.wallet, pool.treasury, premium, PostingKind.FLASH_PREMIUM)
        x.emit(115, pool.id, asset, x.wallet, amount, premium)
        finish(x, pool, reserve_at(x, pool, asset)[0])

    x.due.append(settle)
