"""Old orders of a population from the scenario file to the books: who holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange_sim.errors import ScenarioError
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run

SMALL = Path(__file__).parents[1] / "e2e" / "small.toml"


def scenario(tmp_path: Path, accounts: int) -> Path:
    """The small scenario with its old bids dealt out to so many accounts."""
    text = SMALL.read_text()
    line = next(line for line in text.splitlines() if "orders = 40 }" in line)
    file = tmp_path / "stale.toml"
    file.write_text(text.replace(line, line.replace("40 }", f"40, accounts = {accounts} }}")))
    return file


@pytest.mark.parametrize("accounts", [1, 7])
def test_old_orders_are_dealt_out_in_turn(tmp_path: Path, accounts: int) -> None:
    """On each venue all accounts hold about as many of the old bids."""
    world = build_run(load(scenario(tmp_path, accounts)), out=tmp_path / "runs").world
    counts: dict[int, list[int]] = {}
    for account in world.accounts:
        if len(account.orders) > 3:
            counts.setdefault(account.venue, []).append(len(account.orders))

    for held in counts.values():
        assert len(held) == accounts
        assert max(held) - min(held) <= len(world.instruments)


def test_without_an_account_nobody_can_hold_them(tmp_path: Path) -> None:
    """The mistake is told where it stands."""
    with pytest.raises(ScenarioError, match="at least one account"):
        build_run(load(scenario(tmp_path, 0)), out=tmp_path / "runs")
