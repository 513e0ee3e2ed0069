"""Causes switched off one by one: each run reaches its end, balances, and differs as it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from exchange_sim import open_run
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.messages.reasons import NoteKind
from exchange_sim.scenario.mechanisms import Mechanisms
from tests.e2e.harness import SMALL, events, here, manifest, run_into

ELSEWHERE = (
    "cefi_loans", "loop_lending", "defi_liquidation", "liquidation_bots", "issuer_redemption",
    "momentum",
)  # fmt: skip
"""Mechanisms of lenders, chain, issuer and trend followers: this scenario has none of them."""
EVERY = [field.name for field in attrs.fields(Mechanisms)]
NAMES = [name for name in EVERY if name not in ELSEWHERE]


def counts(run: Path) -> dict[str, int]:
    """Events by table."""
    found: dict[str, int] = manifest(run)["counts"]
    return found


def notes(run: Path, kind: NoteKind) -> int:
    """How many remarks of a kind were made."""
    kinds: list[int] = events(run, "noted").column("kind").to_pylist()
    return kinds.count(kind)


def owners(run: Path) -> set[str]:
    """Names of all accounts' groups."""
    return {row["population"] for row in open_run(run).accounts}


MISSING: dict[str, Callable[[Path], object]] = {
    "macro_shock": lambda run: "macro" in owners(run),
    "mm_withdrawal": lambda run: notes(run, NoteKind.QUOTES_WITHDRAWN),
    "unified_account": lambda run: (
        any(row["unified"] for row in open_run(run).accounts[16:40])
        and "whale" in {row["owner"] for row in open_run(run).accounts if row["unified"]}
    ),
    "adl": lambda run: counts(run).get("adl_executed", 0),
    "dip_buyers": lambda run: "value" in owners(run),
    "stale_bids": lambda run: "stale" in owners(run),
    "transfer_suspension": lambda run: counts(run).get("transfers_switched", 0),
}
"""What a run with the mechanism has and a run without it has not."""


@pytest.mark.parametrize("name", NAMES)
def test_without(name: str, small_run: Path, tmp_path: Path) -> None:
    """The run ends, every balance is right, and what was switched off did not happen."""
    run = run_into(tmp_path, "--without", name)

    assert manifest(run)["complete"] is True
    assert manifest(run)["overrides"] == [f"--without {name}"]
    assert check_balances(open_run(run)) == []
    assert manifest(run)["digest"] != manifest(small_run)["digest"]
    if name in MISSING:
        assert MISSING[name](small_run)
        assert not MISSING[name](run)


def test_crash_needs_its_cause(tmp_path: Path) -> None:
    """Without the shock nobody is liquidated: the scenario holds no other trigger."""
    run = run_into(tmp_path, "--without", "macro_shock")

    assert counts(run).get("liquidation_started", 0) == 0


def test_all_at_once(tmp_path: Path) -> None:
    """Switching everything off leaves an ordinary market."""
    options = [word for name in EVERY for word in ("--without", name)]
    run = run_into(tmp_path, *options)

    assert counts(run)["traded"] > 0
    assert here("verify", run).code == 0


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_mechanism_that_a_scenario_lacks_changes_nothing(name: str, tmp_path: Path) -> None:
    """A switch touches only what it names."""
    run = run_into(tmp_path, "--until", "20s", "--without", name)
    reference = run_into(tmp_path / "reference", "--until", "20s")

    assert manifest(run)["digest"] == manifest(reference)["digest"]


def test_unknown_mechanism_gets_the_nearest_name() -> None:
    """A slip of the finger."""
    done = here("run", SMALL, "--no-log", "--without", "mm_withdraw")

    assert done.code == 2
    assert "did you mean 'mm_withdrawal'?" in done.err
