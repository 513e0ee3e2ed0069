"""Actions of AMMs: swaps in all of them, and liquidity of stableswap and constant product pools.

::

    SWAP               amm, asset in, asset out, amount in, least amount out
    ADD_LIQUIDITY      amm, amount of each coin (up to four), least shares
    REMOVE_LIQUIDITY   amm, shares
    REMOVE_ONE_COIN    amm, shares, asset, least amount out          (stableswap)

A pool keeps the fraction of a unit that every rounding leaves.
"""

from __future__ import annotations

from math import isqrt

from exchange_sim.defi import curve, stableswap, uniswap_v2
from exchange_sim.defi.concentrated import plan_swap
from exchange_sim.defi.spec import AmmKind
from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.units import PPM, mul_div_ceil, mul_div_floor
from exchange_sim.world.chain.amms import Amm
from exchange_sim.world.chain.execution import ALL, Action, Execution, Revert

R = RejectReason


def amm_at(x: Execution, amm: int) -> Amm:
    """The AMM that an action names."""
    if not 0 <= amm < len(x.chain.amms):
        raise Revert(R.UNKNOWN_AMM)
    return x.chain.amms[amm]


def coin(amm: Amm, asset: int) -> int:
    """Position of an asset among the coins of an AMM."""
    k = amm.index_of.get(asset)
    if k is None:
        raise Revert(R.UNKNOWN_COIN)
    return k


def swap(x: Execution, action: Action) -> None:
    """Swap an exact input."""
    _, amm_id, asset_in, asset_out, amount, least, _ = action
    amm = amm_at(x, amm_id)
    i, j = coin(amm, asset_in), coin(amm, asset_out)
    if i == j:
        raise Revert(R.UNKNOWN_COIN)
    amount = x.amount(amount, x.free(asset_in))
    if amm.kind == AmmKind.CONCENTRATED:
        out, fee = _through_ranges(x, amm, i, amount)
    else:
        out, fee = quote(amm, amm.balances(x.w.ledger), i, j, amount)
    if out <= 0 or out < least:
        raise Revert(R.TOO_LITTLE_OUT)
    x.post(asset_in, x.wallet, amm.account, amount, PostingKind.SWAP_IN)
    x.post(asset_out, amm.account, x.wallet, out, PostingKind.SWAP_OUT)
    x.emit(120, amm.id, x.wallet, asset_in, amount, asset_out, out, fee)
    x.output = out


def quote(amm: Amm, held: list[int], i: int, j: int, amount: int) -> tuple[int, int]:
    """Output and fee of a swap in a pool of one range: fee of the input (v2) or output (curve).

    Reverts when the pool cannot trade.
    """
    if min(held[i], held[j]) <= 0:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    if amm.kind == AmmKind.CONSTANT_PRODUCT:
        kept = PPM - amm.spec.fee_ppm
        out = uniswap_v2.amount_out(amount, held[i], held[j], kept, PPM)
        return out, amount - mul_div_floor(amount, kept, PPM)
    dx = amm.scale_up(i, amount)
    try:
        done = curve.exchange(amm.scaled(held), amm.amplification, i, j, dx, amm.fee, amm.offpeg)
    except (ValueError, ZeroDivisionError):
        raise Revert(R.POOL_OUT_OF_BALANCE) from None
    return amm.scale_down(j, done.out), amm.scale_down(j, done.before_fee - done.out)


def _through_ranges(x: Execution, amm: Amm, i: int, amount: int) -> tuple[int, int]:
    """A swap across ticks; it must find liquidity for all of its input."""
    down, pool = i == 0, amm.curve
    plan = plan_swap(pool, amount, zero_for_one=down)
    if plan.remaining > 0:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    for tick, growth in plan.crossed:
        edge = pool.ticks[tick]
        x.touch(edge)
        edge.outside0 = (growth if down else pool.growth0) - edge.outside0
        edge.outside1 = (pool.growth1 if down else growth) - edge.outside1
    x.touch(pool)
    pool.sqrt_price, pool.tick, pool.liquidity = plan.sqrt_price, plan.tick, plan.liquidity
    if down:
        pool.growth0 = plan.growth
    else:
        pool.growth1 = plan.growth
    return plan.got, plan.fees


def add_liquidity(x: Execution, action: Action) -> None:
    """Deposit coins for shares."""
    _, amm_id, *given, least = action
    amm = amm_at(x, amm_id)
    n = len(amm.coins)
    if amm.kind == AmmKind.CONCENTRATED:
        raise Revert(R.BAD_RANGE)
    amounts = [
        x.free(asset) if amount == ALL else amount
        for asset, amount in zip(amm.coins, given, strict=False)
    ]
    if any(given[n:]) or min(amounts) < 0 or not any(amounts):
        raise Revert(R.BAD_AMOUNT)
    held = amm.balances(x.w.ledger)
    if amm.kind == AmmKind.CONSTANT_PRODUCT:
        amounts, shares = _in_proportion(amm, held, amounts)
    else:
        after = [a + b for a, b in zip(held, amounts, strict=True)]
        try:
            shares = stableswap.minted(
                amm.scaled(held), amm.scaled(after), amm.amplification, amm.fee, amm.total
            )
        except (ValueError, ZeroDivisionError):
            raise Revert(R.POOL_OUT_OF_BALANCE) from None
    if shares <= 0 or shares < least:
        raise Revert(R.TOO_LITTLE_OUT)
    if amm.total + shares > INT64_MAX:
        raise Revert(R.TOO_LARGE)
    for asset, amount in zip(amm.coins, amounts, strict=True):
        x.post(asset, x.wallet, amm.account, amount, PostingKind.LIQUIDITY_IN)
    _shares(x, amm, shares)
    x.output = shares


def _in_proportion(amm: Amm, held: list[int], amounts: list[int]) -> tuple[list[int], int]:
    """Constant product: what of two amounts is taken, rounded up, and the shares, rounded down."""
    if not amm.total:
        return amounts, isqrt(amounts[0] * amounts[1])
    if min(held) <= 0:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    shares = min(
        mul_div_floor(amount, amm.total, balance)
        for amount, balance in zip(amounts, held, strict=True)
    )
    return [mul_div_ceil(balance, shares, amm.total) for balance in held], shares


def _shares(x: Execution, amm: Amm, change: int) -> None:
    """Mint or burn shares of the wallet."""
    held = amm.shares.get(x.wallet, 0) + change
    if held:
        x.put(amm.shares, x.wallet, held)
    else:
        x.drop(amm.shares, x.wallet)
    x.touch(amm.issue)
    amm.issue.total += change
    x.emit(121, amm.id, x.wallet, held, change, amm.total)


def _burnable(x: Execution, amm: Amm, given: int) -> int:
    held = amm.shares.get(x.wallet, 0)
    shares = x.amount(given, held)
    if shares > held:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    return shares


def remove_liquidity(x: Execution, action: Action) -> None:
    """Burn shares for a proportional part of every coin."""
    _, amm_id, given, *_ = action
    amm = amm_at(x, amm_id)
    shares = _burnable(x, amm, given)
    amounts = stableswap.proportional(amm.balances(x.w.ledger), shares, amm.total)
    for asset, amount in zip(amm.coins, amounts, strict=True):
        x.post(asset, amm.account, x.wallet, amount, PostingKind.LIQUIDITY_OUT)
    _shares(x, amm, -shares)
    x.output = amounts[0]


def remove_one_coin(x: Execution, action: Action) -> None:
    """Burn shares for one coin of a stableswap pool, at a fee for the imbalance."""
    _, amm_id, given, asset, least, *_ = action
    amm = amm_at(x, amm_id)
    if amm.kind != AmmKind.STABLESWAP:
        raise Revert(R.UNKNOWN_COIN)
    k, shares = coin(amm, asset), _burnable(x, amm, given)
    if shares == amm.total:
        raise Revert(R.TOO_LITTLE_LIQUIDITY)
    held = amm.scaled(amm.balances(x.w.ledger))
    try:
        scaled = stableswap.one_coin(held, amm.amplification, amm.fee, k, shares, amm.total)
    except (ValueError, ZeroDivisionError):
        raise Revert(R.POOL_OUT_OF_BALANCE) from None
    out = amm.scale_down(k, scaled)
    if out <= 0 or out < least:
        raise Revert(R.TOO_LITTLE_OUT)
    x.post(asset, amm.account, x.wallet, out, PostingKind.LIQUIDITY_OUT)
    _shares(x, amm, -shares)
    x.output = out
