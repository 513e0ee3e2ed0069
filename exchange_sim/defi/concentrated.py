"""A pool of the Uniswap v3 kind: liquidity in tick ranges, swaps across ticks, fees by range.

Square-root prices are Q64.96 of token1 per token0 in smallest units; fee growth is Q128 per unit of
liquidity.  Source: https://github.com/Uniswap/v3-core (UniswapV3Pool.sol, Tick.sol, Position.sol,
TickMath.sol).

Simplifications
---------------
No protocol fee and no oracle observations.  The price of a tick is ``1.0001**(tick/2)`` worked out
as in TickMath by a product of constants, so it is exact to the last bit of the contract.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import attrs
from sortedcontainers import SortedDict

from exchange_sim.defi.uniswap_v3 import Q96, amount0_delta, amount1_delta, swap_step
from exchange_sim.units import mul_div_floor

Q128: Final = 1 << 128
TICK_MAX: Final = 887_272
SQRT_MIN: Final = 4_295_128_739
SQRT_MAX: Final = 1_461_446_703_485_210_103_287_273_052_203_988_822_378_723_970_342

_FACTORS: Final = (
    0xFFFCB933BD6FAD37AA2D162D1A594001,
    0xFFF97272373D413259A46990580E213A,
    0xFFF2E50F5F656932EF12357CF3C7FDCC,
    0xFFE5CACA7E10E4E61C3624EAA0941CD0,
    0xFFCB9843D60F6159C9DB58835C926644,
    0xFF973B41FA98C081472E6896DFB254C0,
    0xFF2EA16466C96A3843EC78B326B52861,
    0xFE5DEE046A99A2A811C461F1969C3053,
    0xFCBE86C7900A88AEDCFFC83B479AA3A4,
    0xF987A7253AC413176F2B074CF7815E54,
    0xF3392B0822B70005940C7A398E4B70F3,
    0xE7159475A2C29B7443B29C7FA6E889D9,
    0xD097F3BDFD2022B8845AD8F792AA5825,
    0xA9F746462D870FDF8A65DC1F90E061E5,
    0x70D869A156D2A1B890BB3DF62BAF32F7,
    0x31BE135F97D08FD981231505542FCFA6,
    0x9AA508B5B7A84E1C677DE54F3E99BC9,
    0x5D6AF8DEDB81196699C329225EE604,
    0x2216E584F5FA1EA926041BEDFE98,
    0x48A170391F7DC42444E8FA2,
)
"""``sqrt(1.0001)**-(2**k)`` in Q128.128, k from 0."""


@lru_cache(maxsize=4096)
def sqrt_at(tick: int) -> int:
    """Square-root price at a tick, rounded up as TickMath does.  ``ValueError`` out of range."""
    if not -TICK_MAX <= tick <= TICK_MAX:
        raise ValueError(f"ticks reach from {-TICK_MAX} to {TICK_MAX}, not to {tick}")
    ratio = Q128
    for k, factor in enumerate(_FACTORS):
        if abs(tick) >> k & 1:
            ratio = ratio * factor >> 128
    if tick > 0:
        ratio = ((1 << 256) - 1) // ratio
    return -(-ratio >> 32)


def tick_at(sqrt_price: int) -> int:
    """The highest tick whose square-root price is not above ``sqrt_price``."""
    low, high = -TICK_MAX, TICK_MAX
    while low < high:
        middle = (low + high + 1) // 2
        if sqrt_at(middle) <= sqrt_price:
            low = middle
        else:
            high = middle - 1
    return low


class Tick:
    """What happens where a range begins or ends."""

    __slots__ = ("gross", "net", "outside0", "outside1")

    def __init__(self, outside0: int, outside1: int) -> None:
        self.gross = 0
        self.net = 0
        self.outside0 = outside0
        self.outside1 = outside1


class Range:
    """Liquidity of one owner between two ticks, and the fee growth it was last paid at."""

    __slots__ = ("inside0", "inside1", "liquidity")

    def __init__(self) -> None:
        self.liquidity = 0
        self.inside0 = 0
        self.inside1 = 0


class Curve:
    """The state of a concentrated pool.  Every method changes it only as its text says.

    ``ticks`` and ``ranges`` are changed through ``tables``, so that a transaction can undo it.
    """

    __slots__ = ("fee_pips", "growth0", "growth1", "liquidity", "sqrt_price", "tick", "ticks")

    def __init__(self, sqrt_price: int, fee_pips: int) -> None:
        self.sqrt_price = sqrt_price
        self.tick = tick_at(sqrt_price)
        self.fee_pips = fee_pips
        self.liquidity = 0
        self.growth0 = 0
        self.growth1 = 0
        self.ticks: SortedDict = SortedDict()

    def following(self, down: bool) -> int | None:
        """The next tick with liquidity in a direction; None at the end."""
        if down:
            at = self.ticks.bisect_right(self.tick) - 1
            return int(self.ticks.keys()[at]) if at >= 0 else None
        at = self.ticks.bisect_right(self.tick)
        return int(self.ticks.keys()[at]) if at < len(self.ticks) else None

    def amounts(self, lower: int, upper: int, liquidity: int, *, up: bool) -> tuple[int, int]:
        """Tokens that liquidity between two ticks is worth at the present price."""
        a, b, price = sqrt_at(lower), sqrt_at(upper), self.sqrt_price
        middle = min(max(price, a), b)
        amount0 = amount0_delta(middle, b, liquidity, round_up=up) if middle < b else 0
        amount1 = amount1_delta(a, middle, liquidity, round_up=up) if middle > a else 0
        return amount0, amount1

    def liquidity_for(self, lower: int, upper: int, amount0: int, amount1: int) -> int:
        """The most liquidity that two amounts pay for between two ticks."""
        a, b, price = sqrt_at(lower), sqrt_at(upper), self.sqrt_price
        middle, found = min(max(price, a), b), []
        if middle < b:
            inverse = mul_div_floor(middle, b, Q96)
            found.append(mul_div_floor(amount0, inverse, b - middle))
        if middle > a:
            found.append(mul_div_floor(amount1, Q96, middle - a))
        return min(found)

    def inside(self, lower: int, upper: int) -> tuple[int, int]:
        """Fee growth between two ticks (differences of it are what counts)."""
        low, high = self.ticks[lower], self.ticks[upper]
        below0, below1 = (
            (low.outside0, low.outside1)
            if self.tick >= lower
            else (self.growth0 - low.outside0, self.growth1 - low.outside1)
        )
        above0, above1 = (
            (high.outside0, high.outside1)
            if self.tick < upper
            else (self.growth0 - high.outside0, self.growth1 - high.outside1)
        )
        return self.growth0 - below0 - above0, self.growth1 - below1 - above1

    def new_tick(self, tick: int) -> Tick:
        """A tick that is not in use yet: all growth so far happened below it."""
        if tick <= self.tick:
            return Tick(self.growth0, self.growth1)
        return Tick(0, 0)


@attrs.define
class Swap:
    """How far a swap has come; the pool itself has not changed.

    ``crossed`` lists ticks in order with the growth at the moment of crossing.
    """

    sqrt_price: int
    tick: int
    liquidity: int
    growth: int
    remaining: int
    paid: int = 0
    got: int = 0
    fees: int = 0
    crossed: list[tuple[int, int]] = attrs.field(factory=list)


def plan_swap(curve: Curve, amount_in: int, *, zero_for_one: bool) -> Swap:
    """Walk an exact input through the ranges.  ``remaining`` is what found no liquidity."""
    growth = curve.growth0 if zero_for_one else curve.growth1
    swap = Swap(curve.sqrt_price, curve.tick, curve.liquidity, growth, amount_in)
    keys = curve.ticks.keys()
    at = curve.ticks.bisect_right(swap.tick) - (1 if zero_for_one else 0)
    while swap.remaining > 0 and 0 <= at < len(keys):
        tick = int(keys[at])
        target = sqrt_at(tick)
        if swap.liquidity:
            step = swap_step(
                swap.sqrt_price, target, swap.liquidity, swap.remaining, curve.fee_pips
            )
            swap.sqrt_price = step.sqrt_price
            swap.remaining -= step.amount_in + step.fee
            swap.paid += step.amount_in + step.fee
            swap.got += step.amount_out
            swap.fees += step.fee
            swap.growth += step.fee * Q128 // swap.liquidity
        else:
            swap.sqrt_price = target
        if swap.sqrt_price != target:
            swap.tick = tick_at(swap.sqrt_price)
            break
        net = curve.ticks[tick].net
        swap.liquidity += -net if zero_for_one else net
        swap.crossed.append((tick, swap.growth))
        swap.tick = tick - 1 if zero_for_one else tick
        at += -1 if zero_for_one else 1
    return swap
