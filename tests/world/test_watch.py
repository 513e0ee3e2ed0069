"""A world that watches itself: same events, same digests, and a stop at the first broken rule."""

from __future__ import annotations

import pytest

from exchange_sim.errors import InvariantViolation
from exchange_sim.world import World
from exchange_sim.world.invariants import INVARIANTS, check_world
from exchange_sim.world.steps import StepChecker
from exchange_sim.world.watch import WatchedWorld
from tests.world.factory import START, make_config
from tests.world.soup import Soup, soup_config


@pytest.mark.parametrize("level", ["cheap", "sampled", "full"])
def test_watching_changes_nothing(level):
    """Events and digest are those of a world that nobody watches."""
    plain, watched = World(soup_config(3)), WatchedWorld(soup_config(3), level)
    soup = Soup(plain, 3, crash=True)
    for _ in range(600):
        command = soup.next()
        assert watched.apply(command) == plain.apply(command)

    assert watched.state_digest() == plain.state_digest()


@pytest.mark.parametrize("level", ["cheap", "full"])
def test_a_broken_rule_stops_the_run(level):
    """The error names the rule, the command and what was found."""
    w = WatchedWorld(make_config(), level)
    w.apply((20, START, 0, 1, 0, 0))
    account = len(w.accounts) - 1
    w.apply((21, START, account, 0, 500))
    w.ledger.posted[account][0] += 1

    with pytest.raises(InvariantViolation, match="after command 3: expected balances") as stopped:
        w.apply((21, START, account, 0, 1))
    assert stopped.value.invariant == "LED-2"
    assert stopped.value.exit_code == 3


def test_sampled_looks_at_everything_now_and_then():
    """A fault in an account that no command touches is found at the next sweep."""
    w = World(make_config())
    checker = StepChecker(w, "sampled", every=5)
    w.ledger.posted[3][0] += 7
    found = []
    for _ in range(5):
        command = (40, START, 0, 1, 0, 0)
        checker.before(command)
        found.append([v.id for v in checker.observe(command, w.apply(command))])

    assert found == [[], [], [], [], ["LED-1"]]


def test_levels_are_named():
    """Anything else is a mistake of the caller."""
    with pytest.raises(ValueError, match="cheap, sampled, full"):
        StepChecker(World(make_config()), "thorough")


def test_a_fresh_world_is_sound():
    """At every level."""
    w = World(make_config())

    assert check_world(w) == check_world(w, "cheap") == []


def test_every_rule_says_what_it_means():
    """An id, a sentence, a cost and at least one checker."""
    for rule in INVARIANTS.values():
        assert rule.sentence.endswith(".")
        assert rule.cost.startswith("O(")
        assert rule.checks


def test_perpetuals_settle_in_the_numeraire():
    """A world whose margins could not be added up is refused."""
    config = make_config(venue={"numeraire": 3})

    with pytest.raises(ValueError, match="BTC-PERP: perpetuals settle in the venue's numeraire"):
        World(config)
