"""Random transactions on the chain: every rule at every step, and each rule seen to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import attrs
import pytest

from exchange_sim.defi import aave, concentrated, reserves, stableswap, uniswap_v2
from exchange_sim.messages.reasons import ActionKind, RejectReason
from exchange_sim.world.chain import blocks, lending, markets, swaps
from exchange_sim.world.chain.actions import ACTIONS
from exchange_sim.world.invariants import INVARIANTS, check_world
from tests.world.defi_soup import DefiSoup, violations
from tests.world.factory import of

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
CHAIN_PLANTS: dict[str, tuple[str, Plant]] = {}
BLOCKS, SEEDS = 80, range(40)
FIRST = {"lenders_are_not_told_of_bad_debt": 29, "silent_position": 3, "lost_collateral": 1}
"""Seeds of soups in which a bug shows, tried first."""


@pytest.mark.parametrize("seed", range(5))
def test_no_rule_is_broken(seed):
    """Both bookkeepers agree to the unit, and what is owed is covered."""
    soup = DefiSoup(seed)
    soup.run(BLOCKS)
    assert soup.violations == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 130))
def test_no_rule_is_broken_for_long(seed):
    """The same, longer."""
    soup = DefiSoup(seed)
    soup.run(600)
    assert soup.violations == []


@pytest.mark.parametrize("seed", range(3))
def test_junk_is_refused_and_breaks_nothing(seed):
    """Random fields in every command of the chain: a reason or a failure, never an exception."""
    soup = DefiSoup(seed)
    soup.run(15)
    rng = soup.rng
    junk = (-(2**62), -2, -1, 0, 1, 2, 7, 10**6, 2**62)
    for _ in range(300):
        wallet = rng.choice([*soup.wallets, *junk])
        fields = [rng.choice(junk) for _ in range(6)]
        kind = rng.choice([*map(int, ActionKind), *junk])
        number = rng.choice((1, 2, *junk))
        soup._do(100, wallet, number, kind, *fields)
        soup._do(105, wallet, kind, *fields)
        if rng.random() < 0.5:
            soup._do(101, wallet, number, *(rng.choice((1, 10**9, *junk)) for _ in range(3)))
        if rng.random() < 0.1:
            soup._do(102, wallet, number)
            soup._do(104)
            soup.desk.now += 12 * 10**9
            soup._do(103, rng.choice(junk), rng.choice(junk))
    assert soup.violations == []


def test_the_soup_reaches_what_it_should():
    """Every action succeeds somewhere, every kind of event occurs, many transactions fail."""
    seen: Counter[int] = Counter()
    reasons: Counter[int] = Counter()
    for seed in range(12):
        events = DefiSoup(seed, check=False).run(150)
        seen.update(event[0] for event in events)
        reasons.update(event[8] for event in of(events, 102))
    chain = {100, 101, 102, 104, 106, *range(110, 119), 120, 121, 122}
    assert chain - set(seen) == set()
    assert len(reasons) > 12
    assert seen[101] > 500 < seen[102]
    assert reasons[RejectReason.HEALTHY] > 0


def test_the_same_soup_has_the_same_end():
    """Two runs with one seed: equal events and digest; another seed differs."""
    ends = []
    for seed in (3, 3, 4):
        soup = DefiSoup(seed, check=False)
        events = soup.run(60)
        ends.append((events, soup.desk.w.state_digest()))
    assert ends[0] == ends[1]
    assert ends[0] != ends[2]


def test_interest_alone_breaks_nothing():
    """A year in which nobody acts, in one step and in many: LEND-2 holds, indices only rise."""
    for steps in (1, 400):
        soup = DefiSoup(2, check=False)
        soup.run(60)
        seen = []
        for _ in range(steps):
            soup.desk.now += 365 * 86_400 * 10**9 // steps
            soup._send(soup.wallets[0], ((ActionKind.SUPPLY, 0, 0, 1_000),))
            soup._do(103, 0, 0)
            reserve = soup.desk.chain.pools[0].reserves[0]
            seen.append((reserve.supply_index, reserve.debt_index))
        assert all(
            a <= b for first, second in pairwise(seen) for a, b in zip(first, second, strict=True)
        )
        assert check_world(soup.desk.w) == []


def plant(rule: str) -> Callable[[Plant], Plant]:
    """Register a bug that ``rule`` must find."""

    def register(function: Plant) -> Plant:
        CHAIN_PLANTS[function.__name__] = rule, function
        return function

    return register


@plant("LEND-1")
def interest_is_taken_back(patch: Patch) -> None:
    """Debts shrink with time."""
    patch.setattr(reserves, "compounded", lambda _, elapsed: 10**18 - (elapsed > 0) * 10**12)


@plant("LEND-2")
def deposits_round_up(patch: Patch) -> None:
    """A depositor gets a share too many."""
    patch.setattr(lending, "shares_down", lambda amount, index: amount * 10**18 // index + 1)


@plant("LEND-2")
def lenders_are_not_told_of_bad_debt(patch: Patch) -> None:
    """An isolated market forgets debt and keeps its claims."""
    real = markets._socialise

    def socialise(x, state, borrower, position):
        bad = real(x, state, borrower, position)
        state.market.supply_assets += bad
        return bad

    patch.setattr(markets, "_socialise", socialise)


@plant("LEND-2")
def lost_collateral(patch: Patch) -> None:
    """A market gives back more than was pledged by one wallet."""
    real = markets.remove_collateral

    def remove(x, action):
        real(x, action)
        state, _ = markets.market_at(x, action)
        state.positions[x.wallet].collateral += 1

    spec = ACTIONS[ActionKind.MARKET_REMOVE_COLLATERAL]
    patch.setitem(ACTIONS, ActionKind.MARKET_REMOVE_COLLATERAL, attrs.evolve(spec, handler=remove))


@plant("LEND-3")
def no_close_factor(patch: Patch) -> None:
    """Everything may be repaid at once, however healthy."""
    patch.setattr(aave, "max_repay", lambda hf, coll, debt, *_: debt)


@plant("AMM-1")
def generous_swap(patch: Patch) -> None:
    """A swap pays a hundredth more than the formula says."""
    real = swaps.quote

    def quote(*given):
        out, fee = real(*given)
        return out * 102 // 100, fee

    patch.setattr(swaps, "quote", quote)


@plant("AMM-1")
def generous_fees(patch: Patch) -> None:
    """Ranges collect twice what they earned."""
    real = concentrated.Curve.inside
    patch.setattr(
        concentrated.Curve,
        "inside",
        lambda self, a, b: tuple(2 * growth for growth in real(self, a, b)),
    )


@plant("AMM-1")
def cheap_shares(patch: Patch) -> None:
    """A deposit gets shares for more than it is worth."""
    real = stableswap.minted
    patch.setattr(stableswap, "minted", lambda *given: real(*given) * 102 // 100 + 1)


@plant("AMM-2")
def round_trip_gains(patch: Patch) -> None:
    """No fee, and a unit more each way."""
    real = uniswap_v2.amount_out
    patch.setattr(uniswap_v2, "amount_out", lambda a, b, c, *_: real(a, b, c, 1, 1) * 1002 // 1000)


@plant("CHAIN-1")
def unmetered_gas(patch: Patch) -> None:
    """A block counts less gas than its receipts."""
    real = blocks._include

    def include(w, chain, tx):
        gas, ok = real(w, chain, tx)
        return gas // 2, ok

    patch.setattr(blocks, "_include", include)


@plant("LED-2")
def silent_position(patch: Patch) -> None:
    """A repayment is not told."""
    told = lending.change

    def change(x, *given):
        told(x, *given)
        if given[3] == 1 and x.events[-1][6] < 0:
            x.events.pop()

    patch.setattr(lending, "change", change)


@pytest.mark.parametrize("name", CHAIN_PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """The first broken rules of some soup include the one that the bug breaks."""
    rule, install = CHAIN_PLANTS[name]
    install(monkeypatch)
    seeds = (FIRST.get(name, 0), *SEEDS)
    assert any(rule in {found.id for found in violations(seed, BLOCKS)} for seed in seeds)


def test_every_rule_of_the_chain_has_a_planted_bug():
    """No rule is trusted that was never seen to fail."""
    mine = {rule for rule in INVARIANTS if rule.startswith(("LEND-", "AMM-", "CHAIN-"))}
    assert mine <= {rule for rule, _ in CHAIN_PLANTS.values()}
