"""Rules of margin and position modes are shown to fail: a bug is planted, and must be noticed."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.model.account import CROSS, ISOLATED
from exchange_sim.world import World, isolated, positions
from exchange_sim.world.steps import StepChecker
from tests.world.soup import Soup, soup_config

PLANTS: dict[str, tuple[str, Any]] = {}


def plant(rule):
    """Register a bug that ``rule`` must find."""

    def register(function):
        PLANTS[function.__name__] = rule, function
        return function

    return register


def violations(seed, commands=1_000):
    """What the checker finds; a world that stops with an assertion has been caught."""
    w = World(soup_config(seed))
    soup = Soup(w, seed, crash=seed % 2 > 0, modes=(ISOLATED, CROSS, ISOLATED))
    checker = StepChecker(w)
    for _ in range(commands):
        command = soup.next()
        checker.before(command)
        try:
            events = w.apply(command)
        except AssertionError:
            return []
        found = checker.observe(command, events)
        if found:
            return found
    return []


@plant("ISO-1")
def margin_stays_behind(patch):
    """A closed position's margin is forgotten in its wallet."""
    real = isolated._settle

    def settle(w, account, wallet):
        if account.orders or any(p.qty for p in account.positions.values()):
            real(w, account, wallet)

    patch.setattr(isolated, "_settle", settle)


@plant("ISO-2")
def parent_pays_for_losses(patch):
    """A neighbour's cash tops up every wallet."""
    real = isolated.move

    def move(w, source, target, asset, amount):
        real(w, source, w.accounts[target.id - 1] if target.parent < 0 else target, asset, amount)

    patch.setattr(isolated, "move", move)


@plant("HEDGE-1")
def second_leg_forgotten(patch):
    """The sum follows the long leg alone."""
    real = positions._change_legs

    def change(w, inst, account, position, change, notional, flags):
        pnl = real(w, inst, account, position, change, notional, flags)
        position.qty = position.legs[0].qty
        return pnl

    patch.setattr(positions, "_change_legs", change)


@pytest.mark.parametrize("name", PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """The first broken rules of some run include the one that the bug breaks."""
    rule, install = PLANTS[name]
    install(monkeypatch)

    assert any(rule in {found.id for found in violations(seed)} for seed in range(40, 50))
