"""Automated market makers, gas and liquidation bots."""

from __future__ import annotations

from fractions import Fraction

from exchange_sim.analysis.rules.common import SCALE, InputError, Inputs, Results, rule, units
from exchange_sim.defi import bots, curve, gas, uniswap_v2, uniswap_v3


def _fee(value: Fraction) -> int:
    scaled = value * curve.FEE_DENOMINATOR
    if scaled.denominator != 1:
        raise InputError(f"a fee of {float(value)} has more than ten decimals")
    return scaled.numerator


@rule("curve.stableswap_ng", "curve.stableswap")
def stableswap(given: Inputs) -> Results:
    """Exchange in a stableswap pool; balances and amount in whole coins, results in 10**-18."""
    rates = given.nums("rates") if given.has("rates") else []
    held = given.nums("balances")
    rates += [Fraction(1)] * (len(held) - len(rates))
    i, j = given.integer("i", default=0), given.integer("j", default=1)
    amount = given.num("dx", "amount_in")
    if not (0 <= i < len(held) and 0 <= j < len(held)):
        raise InputError(f"inputs: coins {i} and {j} are not among {len(held)} balances")
    done = curve.exchange(
        [units(balance * rate) for balance, rate in zip(held, rates, strict=True)],
        int(given.num("A", "amplification") * curve.A_PRECISION),
        i,
        j,
        units(amount * rates[i]),
        _fee(given.num("fee", default=0)),
        _fee(given.num("offpeg_fee_multiplier", default=1)),
    )
    out = Fraction(done.out) / rates[j]
    return {
        "D": done.invariant,
        "dy_before_fee": done.before_fee,
        "fee_rate_1e10": done.fee_rate,
        "dy_out": int(out),
        "avg_price": out / (amount * SCALE),
    }


@rule("uniswap.v2.amount_out", "uniswap.v2.amount_in")
def constant_product(given: Inputs) -> Results:
    """Swap in a constant product pool."""
    reserves = given.integer("reserve_in"), given.integer("reserve_out")
    fee = given.num("fee", default=Fraction(3, 1000)) * 10_000
    kept = 10_000 - int(fee)
    if given.has("amount_in"):
        out = uniswap_v2.amount_out(given.integer("amount_in"), *reserves, kept, 10_000)
        return {"amount_out": out}
    return {"amount_in": uniswap_v2.amount_in(given.integer("amount_out"), *reserves, kept, 10_000)}


def _sqrt(given: Inputs, sqrt_names: tuple[str, ...], price_names: tuple[str, ...]) -> int:
    if given.has(*sqrt_names):
        return given.integer(*sqrt_names)
    return uniswap_v3.encode_sqrt(given.num(*price_names))


_SQRT = ("sqrtP", "sqrt_price", "sqrtPriceX96")


@rule("uniswap.v3.next_sqrt_price")
def next_sqrt_price(given: Inputs) -> Results:
    """Price after an exact input or output of either token."""
    price, liquidity = _sqrt(given, _SQRT, ("price",)), given.integer("L", "liquidity")
    for name, zero, moved in (
        ("amount_in_token0", True, uniswap_v3.next_from_input),
        ("amount_in_token1", False, uniswap_v3.next_from_input),
        ("amount_out_token0", False, uniswap_v3.next_from_output),
        ("amount_out_token1", True, uniswap_v3.next_from_output),
    ):
        if given.has(name):
            amount = given.integer(name)
            return {"sqrtQ": moved(price, liquidity, amount, zero_for_one=zero)}
    zero = given.flag("zeroForOne", "zero_for_one")
    if given.has("amount_in"):
        amount = given.integer("amount_in")
        return {"sqrtQ": uniswap_v3.next_from_input(price, liquidity, amount, zero_for_one=zero)}
    amount = given.integer("amount_out")
    return {"sqrtQ": uniswap_v3.next_from_output(price, liquidity, amount, zero_for_one=zero)}


@rule("uniswap.v3.amount0_delta", "uniswap.v3.amount1_delta")
def amount_deltas(given: Inputs) -> Results:
    """Both token amounts between two prices."""
    a = _sqrt(given, ("sqrtA", "sqrtPA"), ("priceA", "price_a"))
    b = _sqrt(given, ("sqrtB", "sqrtPB"), ("priceB", "price_b"))
    liquidity, up = given.integer("L", "liquidity"), given.flag("roundUp", "round_up")
    return {
        "amount0": uniswap_v3.amount0_delta(a, b, liquidity, round_up=up),
        "amount1": uniswap_v3.amount1_delta(a, b, liquidity, round_up=up),
    }


@rule("uniswap.v3.swap_step")
def swap_step(given: Inputs) -> Results:
    """One step of a swap inside a price range."""
    remaining = (
        given.integer("amount_in") if given.has("amount_in") else -given.integer("amount_out")
    )
    target = _sqrt(given, ("sqrtTarget", "sqrt_target"), ("target", "price_target"))
    done = uniswap_v3.swap_step(
        _sqrt(given, _SQRT, ("price",)),
        target,
        given.integer("L", "liquidity"),
        remaining,
        given.integer("fee_pips", "fee"),
    )
    return {
        "amountIn": done.amount_in,
        "amountOut": done.amount_out,
        "fee": done.fee,
        "sqrtQ": done.sqrt_price,
        "reachedTarget": done.sqrt_price == target,
    }


@rule("eip1559.base_fee")
def base_fee(given: Inputs) -> Results:
    """Base fee of the next block."""
    limit = given.opt("gas_limit")
    target = int(limit) // gas.ELASTICITY if limit is not None else given.integer("gas_target")
    fee = gas.next_base_fee(
        given.integer("parent_base_fee_wei", "base_fee_wei"),
        given.integer("gas_used"),
        int(limit) if limit is not None else target * gas.ELASTICITY,
    )
    return {"base_fee_wei": fee}


@rule("eip1559.time_to_100x", "eip1559.time_to")
def time_to_fee(given: Inputs) -> Results:
    """Blocks until the base fee reaches a target."""
    limit = given.integer("gas_limit", default=30_000_000)
    full = given.flag("all_blocks_full", default=True)
    used = given.integer("gas_used", default=limit if full else 0)
    blocks, fee = gas.blocks_until(
        int(given.num("start_gwei") * gas.GWEI),
        int(given.num("target_gwei") * gas.GWEI),
        used,
        limit,
    )
    seconds = given.integer("block_seconds", default=gas.BLOCK_SECONDS)
    return {"blocks": blocks, "seconds": blocks * seconds, "base_fee_wei": fee}


def _gas(given: Inputs) -> Fraction:
    if given.has("gas_cost", "gas_cost_usd"):
        return given.num("gas_cost", "gas_cost_usd")
    if not given.has("gas_units"):
        return Fraction(0)
    price = given.num("gas_price_gwei") * gas.GWEI
    return bots.gas_cost(given.integer("gas_units"), price, given.num("eth_price"))


_SHARE = ("protocol_fee_share", "protocol_share", "protocol_fee")
_SLIPPAGE = ("slippage_on_collateral", "slippage")


@rule("liquidation_bot.profit")
def bot_profit(given: Inputs) -> Results:
    """Profit of a liquidation and its parts."""
    done = bots.profit(
        given.num("debt_repaid", "repaid", "position_usd"),
        given.num("bonus"),
        given.num(*_SHARE, default=0),
        given.num("flash_fee", default=0),
        given.num(*_SLIPPAGE, default=0),
        _gas(given),
    )
    return {
        "gross": done.gross,
        "flash_fee": done.flash_fee,
        "slippage_cost": done.slippage_cost,
        "gas_cost": done.gas_cost,
        "net": done.net,
        "profitable": done.net > 0,
    }


@rule("liquidation_bot.breakeven_slippage")
def breakeven(given: Inputs) -> Results:
    """Slippage at which the profit is gone; gas counts per unit repaid if it is given."""
    fee = given.num("flash_fee", default=0)
    if given.has("debt_repaid", "repaid"):
        fee += _gas(given) / given.num("debt_repaid", "repaid")
    share = given.num(*_SHARE, default=0)
    return {"max_slippage": bots.breakeven_slippage(given.num("bonus"), share, fee)}


@rule("liquidation_bot.min_size")
def smallest(given: Inputs) -> Results:
    """Highest gas cost that a position pays for, or the smallest position for a gas cost."""
    bonus, share = given.num("bonus"), given.num(*_SHARE, default=0)
    fee, slippage = given.num("flash_fee", default=0), given.num(*_SLIPPAGE, default=0)
    found: Results = {}
    if given.has("position_usd", "debt_repaid"):
        size = given.num("position_usd", "debt_repaid")
        found["max_gas_cost"] = bots.profit(size, bonus, share, fee, slippage).net
    if given.has("gas_cost", "gas_cost_usd", "gas_units"):
        least = bots.smallest_position(_gas(given), bonus, share, fee)
        found |= {"min_position": least, "min_position_usd": least}
    return found


# One unit of a token in the vectors is SCALE of its smallest units, as on chain.
assert SCALE == bots.WEI_PER_ETH
