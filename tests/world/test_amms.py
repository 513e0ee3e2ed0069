"""AMMs on the chain: swaps, liquidity, fees, prices."""

from __future__ import annotations

import random
from math import isqrt

import pytest

from exchange_sim.defi import curve, uniswap_v2
from exchange_sim.defi.concentrated import SQRT_MAX, SQRT_MIN, TICK_MAX, sqrt_at, tick_at
from exchange_sim.defi.uniswap_v3 import Q96
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.world.chain.execution import ALL, PREVIOUS
from tests.world.defi_factory import CURVE, ONE, USD8, V2, V3, DefiDesk, swapped
from tests.world.factory import ETH, USDE, USDT, of

RICH = 10**12


def provider(desk: DefiDesk) -> int:
    """A wallet with a million of everything."""
    return desk.wallet(usdt=RICH, usde=RICH, eth=RICH)


def test_a_stableswap_gives_what_the_formula_says():
    """Scaled to eighteen decimals and back, rounded down; the fee stays in the pool."""
    desk = DefiDesk()
    maker, taker = provider(desk), provider(desk)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 900_000 * ONE, 100_000 * ONE))
    (event,) = swapped(desk.act(taker, (A.SWAP, CURVE, USDE, USDT, 50_000 * ONE, 0)))

    balances = [900_000 * 10**18, 100_000 * 10**18]
    want = curve.exchange(balances, 200 * 100, 0, 1, 50_000 * 10**18, 10**6, 10**10)
    assert event[6] == want.out // 10**12
    assert event[7] == (want.before_fee - want.out) // 10**12
    assert desk.chain.amms[CURVE].balances(desk.w.ledger) == [
        950_000 * ONE,
        100_000 * ONE - event[6],
    ]


def test_a_constant_product_gives_what_the_formula_says():
    """x y = k with three tenths of a per cent."""
    desk = DefiDesk()
    maker, taker = provider(desk), provider(desk)
    (minted,) = of(desk.act(maker, (A.ADD_LIQUIDITY, V2, 1_000 * ONE, 4_000 * ONE)), 121)
    assert minted[3] == isqrt(1_000 * ONE * 4_000 * ONE)
    (event,) = swapped(desk.act(taker, (A.SWAP, V2, ETH, USDT, 10 * ONE, 0)))
    want = uniswap_v2.amount_out(10 * ONE, 1_000 * ONE, 4_000 * ONE)
    assert (event[6], event[7]) == (want, 30_000)
    assert desk.chain.amms[V2].price(desk.w.ledger, ETH, USDT) == pytest.approx(
        3.92 * USD8, rel=1e-3
    )


def test_a_swap_protects_its_sender():
    """The least output, unknown coins and pools, and a pool that is empty."""
    desk = DefiDesk()
    maker = provider(desk)
    assert desk.fails(maker, (A.SWAP, CURVE, USDE, USDT, 5, 0)) == R.TOO_LITTLE_LIQUIDITY
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 1_000 * ONE, 1_000 * ONE))
    assert desk.fails(maker, (A.SWAP, CURVE, USDE, USDT, ONE, ONE)) == R.TOO_LITTLE_OUT
    assert desk.fails(maker, (A.SWAP, CURVE, USDE, ETH, ONE, 0)) == R.UNKNOWN_COIN
    assert desk.fails(maker, (A.SWAP, CURVE, USDE, USDE, ONE, 0)) == R.UNKNOWN_COIN
    assert desk.fails(maker, (A.SWAP, 3, USDE, USDT, ONE, 0)) == R.UNKNOWN_AMM
    assert desk.fails(maker, (A.SWAP, V3, ETH, USDT, ONE, 0)) == R.TOO_LITTLE_LIQUIDITY
    assert desk.fails(maker, (A.SWAP, CURVE, USDE, USDT, 2 * RICH, 0)) == R.INSUFFICIENT_BALANCE


@pytest.mark.parametrize("amm", [CURVE, V2])
def test_shares_are_worth_what_was_paid(amm):
    """Proportional in and out: back to a unit; swaps in between make shares dearer."""
    desk = DefiDesk()
    maker, second, taker = provider(desk), provider(desk), provider(desk)
    desk.act(maker, (A.ADD_LIQUIDITY, amm, 7_000 * ONE, 7_000 * ONE))
    coins = desk.chain.amms[amm].coins
    before = [desk.posted(second, coin) for coin in coins]
    desk.act(second, (A.ADD_LIQUIDITY, amm, 500 * ONE + 1, 500 * ONE + 3))
    desk.act(second, (A.REMOVE_LIQUIDITY, amm, ALL))
    lost = [a - desk.posted(second, coin) for a, coin in zip(before, coins, strict=True)]
    if coins[0] == ETH:
        lost[0] = 0  # gas
    assert all(0 <= x <= 3 for x in lost)

    desk.act(second, (A.ADD_LIQUIDITY, amm, 700 * ONE, 700 * ONE))
    desk.act(taker, (A.SWAP, amm, *coins, 300 * ONE, 0), (A.SWAP, amm, *coins[::-1], PREVIOUS, 0))
    events = desk.act(second, (A.REMOVE_LIQUIDITY, amm, ALL))
    got = [event[4] for event in of(events, 10) if event[2] == desk.chain.amms[amm].account]
    assert got[0] * got[1] > (700 * ONE) ** 2
    assert desk.chain.amms[amm].shares.keys() == {maker}


def test_an_unbalanced_deposit_pays_a_fee():
    """One coin in, the other out: about half of a swap's fee each way, never a gain."""
    desk = DefiDesk()
    maker, user = provider(desk), provider(desk)
    desk.act(maker, (A.ADD_LIQUIDITY, CURVE, 10**6 * ONE // 2, 10**6 * ONE // 2))
    start = desk.posted(user, USDE) + desk.posted(user, USDT)
    desk.act(user, (A.ADD_LIQUIDITY, CURVE, 10_000 * ONE, 0))
    desk.act(user, (A.REMOVE_ONE_COIN, CURVE, ALL, USDT, 0))
    lost = start - desk.posted(user, USDE) - desk.posted(user, USDT)
    assert 0.5 * ONE < lost < 3 * ONE
    assert desk.fails(maker, (A.REMOVE_ONE_COIN, CURVE, ALL, USDT, 0)) == R.TOO_LITTLE_LIQUIDITY
    assert desk.fails(maker, (A.REMOVE_ONE_COIN, V2, 1, USDT, 0)) == R.UNKNOWN_COIN
    assert desk.fails(user, (A.REMOVE_LIQUIDITY, CURVE, 1)) == R.TOO_LITTLE_LIQUIDITY


def test_a_pool_out_of_balance_reverts():
    """The iteration does not settle: a reason, not a wrong price."""
    desk = DefiDesk()
    maker = provider(desk)
    assert desk.fails(maker, (A.ADD_LIQUIDITY, CURVE, 0, 10**6)) == R.POOL_OUT_OF_BALANCE
    assert desk.fails(maker, (A.ADD_LIQUIDITY, CURVE, 5, 5, 5)) == R.BAD_AMOUNT
    assert desk.fails(maker, (A.ADD_LIQUIDITY, CURVE, 0, 0)) == R.BAD_AMOUNT


# concentrated


def test_ticks_are_those_of_the_contract():
    """Both ends, zero, and the inverse."""
    assert (sqrt_at(-TICK_MAX), sqrt_at(TICK_MAX), sqrt_at(0)) == (SQRT_MIN, SQRT_MAX, Q96)
    for tick in (-200_000, -3, -1, 0, 1, 2, 77, 300_001):
        assert tick_at(sqrt_at(tick)) == tick
        assert tick_at(sqrt_at(tick) - 1) == tick - 1
        assert sqrt_at(tick) / Q96 == pytest.approx(1.0001 ** (tick / 2), rel=1e-9)
    with pytest.raises(ValueError, match="ticks reach"):
        sqrt_at(TICK_MAX + 1)


def test_a_range_can_be_left_with_its_fees():
    """Liquidity out is liquidity in less a unit; fees go to who was in range, by share."""
    desk = DefiDesk()
    wide, narrow, taker = provider(desk), provider(desk), provider(desk)
    (first,) = of(desk.act(wide, (A.ADD_RANGE, V3, -6_000, 6_000, 1_000 * ONE, 1_000 * ONE)), 122)
    (second,) = of(desk.act(narrow, (A.ADD_RANGE, V3, -100, 100, 1_000 * ONE, 1_000 * ONE)), 122)
    assert desk.chain.amms[V3].curve.liquidity == first[5] + second[5]
    desk.act(taker, (A.SWAP, V3, ETH, USDT, 400 * ONE, 0))
    (a,) = of(desk.act(wide, (A.REMOVE_RANGE, V3, -6_000, 6_000, ALL)), 122)
    (b,) = of(desk.act(narrow, (A.REMOVE_RANGE, V3, -100, 100, ALL)), 122)

    assert a[9] + b[9] == pytest.approx(200_000, abs=4)
    assert a[9] / b[9] == pytest.approx(first[5] / second[5], rel=1e-3)
    assert (a[10], b[10], a[5], b[5]) == (0, 0, 0, 0)
    left = desk.chain.amms[V3].balances(desk.w.ledger)
    assert all(0 <= amount <= 5 for amount in left)
    assert len(desk.chain.amms[V3].curve.ticks) == 0


def test_a_swap_crosses_ranges_and_comes_back():
    """Out of the narrow range the price moves faster; the way back does not gain."""
    desk = DefiDesk()
    maker, taker = provider(desk), provider(desk)
    desk.act(
        maker,
        (A.ADD_RANGE, V3, -6_000, 6_000, 1_000 * ONE, 1_000 * ONE),
        (A.ADD_RANGE, V3, -100, 100, 1_000 * ONE, 1_000 * ONE),
        (A.ADD_RANGE, V3, 200, 400, 500 * ONE, 0),
    )
    pool = desk.chain.amms[V3].curve
    start = desk.posted(taker)
    desk.act(taker, (A.SWAP, V3, ETH, USDT, 1_500 * ONE, 0))
    assert pool.tick < -100
    got = desk.posted(taker) - start
    desk.act(taker, (A.SWAP, V3, USDT, ETH, got, 0))
    assert -100 < pool.tick < 100
    desk.act(taker, (A.SWAP, V3, USDT, ETH, 1_700 * ONE, 0))
    assert pool.tick > 200
    assert desk.fails(taker, (A.SWAP, V3, USDT, ETH, 5_000 * ONE, 0)) == R.TOO_LITTLE_LIQUIDITY


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ((A.ADD_RANGE, V3, 100, -100, 5, 5), R.BAD_RANGE),
        ((A.ADD_RANGE, V3, -TICK_MAX - 1, 0, 5, 5), R.BAD_RANGE),
        ((A.ADD_RANGE, V2, -100, 100, 5, 5), R.BAD_RANGE),
        ((A.ADD_RANGE, V3, -100, 100, 0, 0), R.BAD_AMOUNT),
        ((A.ADD_RANGE, V3, -100, 100, -5, 5), R.BAD_AMOUNT),
        ((A.REMOVE_RANGE, V3, -100, 100, 5), R.TOO_LITTLE_LIQUIDITY),
        ((A.ADD_LIQUIDITY, V3, 5, 5), R.BAD_RANGE),
    ],
)
def test_bad_ranges(action, why):
    """Refused with a reason."""
    desk = DefiDesk()
    assert desk.fails(provider(desk), action) == why


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_keeps_the_rules(seed):
    """Random swaps and liquidity of three wallets: AMM-1, AMM-2 and the books hold throughout."""
    rng, desk = random.Random(seed), DefiDesk()
    wallets = [provider(desk) for _ in range(3)]
    desk.act(wallets[0], (A.ADD_LIQUIDITY, CURVE, 10**6, 3 * 10**6), (A.ADD_LIQUIDITY, V2, 999, 77))
    done = 0
    for _ in range(60):
        wallet, amount = rng.choice(wallets), rng.choice((1, 2, 999, 10**6, 10**9))
        keys = [key[1:] for key in desk.chain.amms[V3].ranges] or [(0, 1)]
        lower, span = rng.randrange(-300, 300, 10), rng.choice((1, 10, 500))
        amm, (i, j) = rng.choice(((CURVE, (USDE, USDT)), (V2, (ETH, USDT)), (V3, (ETH, USDT))))
        action = rng.choice(
            [
                (A.SWAP, amm, i, j, amount, 0),
                (A.SWAP, amm, j, i, amount, 0),
                (A.ADD_LIQUIDITY, amm, amount, rng.choice((0, amount // 2, amount))),
                (A.REMOVE_LIQUIDITY, amm, rng.choice((ALL, amount))),
                (A.REMOVE_ONE_COIN, CURVE, rng.choice((ALL, amount)), rng.choice((USDE, USDT)), 0),
                (A.ADD_RANGE, V3, lower, lower + span, amount, amount),
                (A.REMOVE_RANGE, V3, *rng.choice(keys), rng.choice((ALL, 0, 1))),
            ]
        )  # fmt: skip
        desk.submit(wallet, action)
        done += len(of(desk.block(), 101))
    assert done > 10
