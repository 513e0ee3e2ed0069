"""A recorded run of the real world passes every check, and a planted bug in it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange_sim.analysis.run_dir import open_run
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.analysis.summary import summarise
from exchange_sim.analysis.verify import verify
from exchange_sim.journal import JournalHeader
from exchange_sim.scenario import Scenario, load
from exchange_sim.scenario.build import BuiltRun, build_run
from exchange_sim.scenario.world_config import world_config
from exchange_sim.world import World


def make_world(header: JournalHeader) -> World:
    """The world that a header describes, with nothing but the header."""
    return World(world_config(Scenario.from_json(header.scenario_text)))


def built(folder: Path) -> BuiltRun:
    """The smallest scenario, ready to run, without the checks of the world itself."""
    return build_run(load("first_trade", ["scenario.checks=cheap"]), out=folder)


def test_everything_agrees(tmp_path: Path) -> None:
    """Files, journal, replay, tables and second bookkeeper; the summary has its trades."""
    finished = built(tmp_path).execute()
    assert finished.directory is not None
    found = verify(finished.directory, make_world)

    assert [check.detail for check in found.checks if not check.passed] == []
    assert len(found.checks) == 5
    assert summarise(open_run(finished.directory)).totals.trades == finished.trades


def test_money_from_nowhere_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """LED-6 planted in the world: one unit that no event mentions, in the twentieth command."""
    apply = World.apply

    def generous(world: World, command: tuple[int, ...]) -> list[tuple[int, ...]]:
        events = apply(world, command)
        if world.seq == 20:
            world.ledger.posted[-1][0] += 1
        return events

    monkeypatch.setattr(World, "apply", generous)
    finished = built(tmp_path).execute()
    assert finished.directory is not None
    (difference,) = check_balances(open_run(finished.directory))

    assert (difference.what, difference.asset) == ("amount", 0)
    assert difference.recorded == difference.rebuilt + 1
    monkeypatch.undo()
    failed = [c.name for c in verify(finished.directory, make_world).checks if not c.passed]
    assert failed == ["replay", "books"]
