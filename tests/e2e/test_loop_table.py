"""The loop of the public account of the crash, out of real transactions in a real run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exchange_sim.analysis.verify import verify
from exchange_sim.cli.seam import make_world
from exchange_sim.scenario.build import build_run
from exchange_sim.scenario.load import load

ONE = 10**6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first five minutes: the loop is built, the dollar falls, the bot comes."""
    scenario = load("loop_table", ["scenario.duration=5m", "scenario.checks=sampled"])
    built = build_run(scenario, tmp_path_factory.mktemp("loop"))
    built.execute()
    assert built.directory is not None
    return built.directory


def rows(run: Path, table: str) -> list[dict[str, Any]]:
    """One event table."""
    found: list[dict[str, Any]] = pq.read_table(run / "events" / f"{table}.parquet").to_pylist()
    return found


def test_five_rounds_make_the_table(run: Path) -> None:
    """368,928 of collateral, 268,928 of debt, in one transaction of 16 actions."""
    changes = [r for r in rows(run, "pool_position_changed") if r["cause"] in (1, 3)][1:]
    supplied = [r["change"] for r in changes if r["side"] == 0]
    borrowed = [r["change"] for r in changes if r["side"] == 1]
    deposits = (100_000, 80_000, 64_000, 51_200, 40_960, 32_768)
    assert [round(x / ONE) for x in supplied] == list(deposits)
    assert [round(x / ONE) for x in borrowed] == list(deposits[1:])
    assert round(sum(supplied) / ONE) == 368_928
    assert round(sum(borrowed) / ONE) == 268_928
    assert rows(run, "transaction_submitted")[0]["actions"] == 16


def test_it_ends_where_the_formula_says(run: Path) -> None:
    """0.8576 at a threshold of 85 %: alive at every price above, liquidated at the first below."""
    level = 268_928 / 368_928 / 0.85
    prices = [
        (r["time_ns"], r["price"] / 10**8) for r in rows(run, "oracle_updated") if r["asset"] == 1
    ]
    first = rows(run, "pool_liquidation")[0]
    below = next((time, price) for time, price in prices if price < level)
    assert level == pytest.approx(0.8576, abs=1e-4)
    assert all(price > level for time, price in prices if time < below[0])
    assert first["time_ns"] - below[0] == 12 * 10**9  # seen in one block, done in the next
    assert first["health_before_ppm"] < 10**6 < first["health_after_ppm"]


def test_leverage_is_measured(run: Path) -> None:
    """Deposits, what of them is capital, and how far the loop is levered, every minute."""
    before, after = rows(run, "pool_sampled")[:2]
    assert before["deposits_cents"] == 2_000_000 * 100
    assert round(after["deposits_cents"] / 100) == 2_368_928
    assert round(after["capital_cents"] / 100) == 2_100_000
    assert after["leverage_ppm"] == pytest.approx(3.689 * 10**6, rel=1e-3)


def test_a_replay_and_a_second_look_agree(run: Path) -> None:
    """Everything about the chain is in the journal: the same digest comes out again."""
    found = verify(run, make_world)
    assert found.passed, found.checks


def test_without_bots_nobody_liquidates(tmp_path: Path) -> None:
    """The mechanism changes what it names: the loop is under water and stays there."""
    scenario = load(
        "loop_table", ["scenario.duration=5m", "scenario.checks=cheap"], ["liquidation_bots"]
    )
    built = build_run(scenario, None)
    built.execute()
    chain = built.world.chain
    assert chain is not None
    (held,) = [p for p in chain.pools[0].positions.values() if p.debt]
    assert [round(owed / ONE) for owed in held.debt.values()] == [268_928]


def test_a_careful_looper_leaves_in_time() -> None:
    """With an own level it gives up half of the loop by flash loan before anybody liquidates it."""
    scenario = load(
        "loop_table",
        [
            "scenario.duration=3m",
            "scenario.checks=sampled",
            "participants.looper.params.unwind_health=1.1",
            "participants.looper.params.slippage=0.002",
        ],
        ["liquidation_bots"],
    )
    built = build_run(scenario, None)
    seen: dict[int, list[tuple[int, ...]]] = {112: [], 115: []}

    def hear(_: int, event: tuple[int, ...]) -> None:
        seen[event[0]].append(event)

    built.run.exchange.listeners |= dict.fromkeys(seen, hear)
    built.execute()
    chain, wallet = built.world.chain, built.accounts.of["looper", "ethereum"]
    assert chain is not None
    assert seen[112] == []
    assert {event[3] for event in seen[115]} == {wallet}
    (owed,) = chain.pools[0].positions[wallet].debt.values()
    assert owed / ONE == pytest.approx(268_928 / 2 ** len(seen[115]), rel=1e-3)
