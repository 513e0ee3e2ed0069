"""Random commands over the whole world, hostile ones among them, judged after every step."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.account import CROSS, ISOLATED, PORTFOLIO
from exchange_sim.world import World
from exchange_sim.world.invariants import check_world
from exchange_sim.world.shadow import ShadowBook, ShadowLedger
from exchange_sim.world.steps import StepChecker
from tests.world.factory import COIN_PERP
from tests.world.soup import MODES, Soup, soup_config

ROOT = Path(__file__).parents[2]
SHORT, LONG = 1_500, 6_000
ALL_MODES = (ISOLATED, CROSS, PORTFOLIO, ISOLATED, CROSS)
MARGIN_MODES = (4, 5, 6, 7, 8, 9, CROSS, PORTFOLIO)


def stir(
    seed: int,
    count: int,
    crash: bool = False,
    level: str | None = "sampled",
    modes: tuple[int, ...] = MODES,
    coin: bool = False,
):
    """A world after ``count`` commands; its events; fails on the first broken rule.

    Without "full" the events and the touched accounts are judged at every command, and the whole
    world at every fifth: what is broken there stays broken.
    """
    w = World(soup_config(seed, coin))
    soup = Soup(w, seed, crash=crash, modes=modes)
    checker = StepChecker(w, level) if level else None
    events = []
    for number in range(count):
        command = soup.next()
        if checker is not None:
            checker.before(command)
        happened = w.apply(command)
        events += happened
        if checker is not None:
            found = checker.observe(command, happened)
            if level == "sampled" and number % 5 == 0:
                found += check_world(w)
            assert found == [], (seed, command, found[:3])
    return w, events


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("crash", [False, True])
def test_no_rule_is_broken(seed, crash):
    """In calm and in crash; one of them with every rule at every step."""
    stir(seed, SHORT, crash=crash, level="full" if seed == 3 and crash else "sampled")


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("crash", [False, True])
def test_no_rule_is_broken_in_any_mode(seed, crash):
    """With isolated wallets and both position modes among the accounts."""
    _, events = stir(seed, SHORT, crash=crash, modes=ALL_MODES)
    kinds = {event[0] for event in events}
    assert {60, 62} <= kinds


@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize("crash", [False, True])
def test_no_rule_is_broken_on_margin(seed, crash):
    """With every kind of spot margin account among the others."""
    _, events = stir(seed, SHORT, crash=crash, modes=MARGIN_MODES)
    assert any(event[0] == 11 for event in events)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("crash", [False, True])
def test_no_rule_is_broken_in_coins(seed, crash):
    """With a coin-margined contract that everybody trades."""
    _, events = stir(seed, SHORT, crash=crash, coin=True)
    assert any(event[0] == 6 and event[2] == COIN_PERP for event in events)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 120))
@pytest.mark.parametrize("crash", [False, True])
def test_no_rule_is_broken_for_long(seed, crash):
    """The same, longer and with more seeds."""
    stir(seed, LONG, crash=crash, level="full")
    stir(seed, LONG, crash=crash, modes=ALL_MODES, coin=True, level="full")
    stir(seed, LONG, crash=crash, modes=MARGIN_MODES, coin=True, level="full")


def test_the_soup_reaches_what_it_should():
    """A soup in which nothing happens proves nothing: every kind of event and posting occurs."""
    seen: Counter[int] = Counter()
    postings: Counter[int] = Counter()
    for seed in (31, 33, 35, 44):
        _, events = stir(seed, 2_500, crash=seed % 2 > 0, level=None)
        seen.update(event[0] for event in events)
        postings.update(event[5] for event in events if event[0] == 10)

    rare = {36, 37}
    expected = {1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 30, 31, 32}
    assert (expected | {33, 34, 35, 40} | rare) - set(seen) == set()
    silent = {PostingKind.TRADE, PostingKind.FEE, PostingKind.REALIZED_PNL, PostingKind.INTEREST}
    own = {kind for kind in PostingKind if kind <= PostingKind.DUST}
    assert own - silent - {PostingKind(kind) for kind in postings} <= {
        PostingKind.GENESIS, PostingKind.INSURANCE_SURPLUS,
    }  # fmt: skip


def second_bookkeeper(seed):
    """Kinds of events of a crash, after both sets of books were compared."""
    empty = World(soup_config(seed))
    ledger, book = ShadowLedger(empty), ShadowBook(empty)
    w, events = stir(seed, 2_500, crash=True, level=None)
    for event in events:
        ledger.apply(event)
        book.apply(event)

    assert ledger.posted == w.ledger.posted
    for account, loans in zip(w.accounts, ledger.loans, strict=True):
        assert {asset: owed for asset, owed in loans.items() if owed} == account.loans
        for instrument, position in account.positions.items():
            assert book.positions.get((account.id, instrument), 0) == position.qty
    assert ledger.problems == book.problems == []
    return {event[0] for event in events}


def test_a_second_bookkeeper_agrees():
    """From the first event to the last, reading nothing but events: balances, loans, positions.

    Liquidations, takeovers, ADL, funding and transfers are among them.
    """
    kinds = set().union(*(second_bookkeeper(seed) for seed in (31, 33, 35, 38)))

    assert {6, 10, 11, 13, 14, 22, 32, 35, 36, 37} <= kinds


def fingerprint(seed: int) -> str:
    """Events and state of a crash in one string."""
    w, events = stir(seed, SHORT, crash=True, level=None)
    return f"{w.state_digest()} {len(events)} {events[-1]}"


def test_the_same_commands_give_the_same_world_twice():
    """In one process, watched or not."""
    watched, _ = stir(7, SHORT, crash=True)

    assert fingerprint(7) == fingerprint(7)
    assert fingerprint(7).startswith(watched.state_digest())


@pytest.mark.parametrize("hash_seed", ["0", "42"])
def test_the_hash_seed_changes_nothing(hash_seed):
    """Another process, other hashes: the same bytes."""
    code = "from tests.world.test_soup import fingerprint; print(fingerprint(7))"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )  # fmt: skip

    assert run.stdout.strip() == fingerprint(7)


@pytest.mark.parametrize("level", ["cheap", "sampled"])
def test_cheaper_levels_find_nothing_either(level):
    """They check less, and nothing that is not so."""
    stir(35, SHORT, crash=True, level=level)


NUMBERS = st.one_of(
    st.integers(-2, 30), st.integers(900, 1_100), st.sampled_from([2**62, -(2**62), 10**6])
)


class Hostile(RuleBasedStateMachine):
    """Commands with arbitrary numbers in every field, on top of a world that is alive."""

    @initialize(seed=st.integers(0, 50))
    def start(self, seed):
        """A soup of a few hundred commands."""
        self.w = World(soup_config(seed))
        self.soup = Soup(self.w, seed, crash=True)
        for _ in range(300):
            self.w.apply(self.soup.next())
        self.checker = StepChecker(self.w)
        self.found = []

    def send(self, command):
        """Apply a command and judge it."""
        self.checker.before(command)
        self.found = self.checker.observe(command, self.w.apply(command))

    @rule(kind=st.sampled_from([2, 3, 4, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28,
                                29, 30, 40]), data=st.data())  # fmt: skip
    def any_command(self, kind, data):
        """Fields of the right number, of any value."""
        counts = {2: 2, 3: 4, 4: 3, 15: 2, 20: 4, 25: 5, 26: 4, 28: 2, 29: 3, 30: 2, 40: 4}
        count = counts.get(kind, 3 if kind in (21, 22, 23, 24) else 1)
        fields = [data.draw(NUMBERS) for _ in range(count)]
        self.send((kind, self.soup.now, *fields))

    @rule(fields=st.lists(NUMBERS, min_size=14, max_size=14))
    def any_order(self, fields):
        """An order of arbitrary fields."""
        self.send((1, self.soup.now, *fields))

    @rule(steps=st.integers(1, 10))
    def sensible_commands(self, steps):
        """A few commands of the soup."""
        for _ in range(steps):
            if not self.found:
                self.send(self.soup.next())

    @invariant()
    def nothing_is_broken(self):
        """Checked after every rule."""
        assert getattr(self, "found", []) == []


TestHostile = Hostile.TestCase
TestHostile.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
