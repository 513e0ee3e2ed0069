"""Contagion on a chain: loops, providers, bots and arbitrage around one pool, in one short run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exchange_sim.analysis.run_dir import open_run
from exchange_sim.analysis.verify import verify
from exchange_sim.cli.seam import make_world
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.scenario.build import BuiltRun, build_run
from exchange_sim.scenario.load import load
from exchange_sim.world.invariants import check_world

SMALL = (
    "scenario.duration=10m",
    "populations.loopers.params.accounts=150",
    "populations.loopers.params.total_usd=60000000",
    "populations.loopers.params.unwind_health=1.06",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltRun:
    """Ten minutes with 150 loops."""
    made = build_run(load("loop_unwind", list(SMALL)), tmp_path_factory.mktemp("unwind"))
    made.execute()
    return made


def rows(built: BuiltRun, table: str) -> list[dict[str, Any]]:
    """One event table."""
    assert built.directory is not None
    path = Path(built.directory) / "events" / f"{table}.parquet"
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_the_fall_reaches_the_chain(built: BuiltRun) -> None:
    """The oracle follows the book, loops are liquidated, their leverage rises on the way."""
    prices = [r["price"] / 10**8 for r in rows(built, "oracle_updated") if r["asset"] == 1]
    assert min(prices) < 0.9
    calls = rows(built, "pool_liquidation")
    assert len(calls) > 5
    assert all(call["health_before_ppm"] < 10**6 for call in calls)
    leverage = [r["leverage_ppm"] for r in rows(built, "pool_sampled") if r["leverage_ppm"]]
    assert max(leverage) > 1.2 * leverage[0]


def test_bots_compete_and_pay_for_failures(built: BuiltRun) -> None:
    """Several bots win calls; those who come second fail with a reason and pay gas for it."""
    winners = {call["liquidator"] for call in rows(built, "pool_liquidation")}
    assert len(winners) > 1
    failed = [r for r in rows(built, "transaction_failed") if r["wallet"] in winners]
    assert failed
    assert all(r["fee"] > 0 for r in failed)
    late = {RejectReason.HEALTHY, RejectReason.FLASH_LOAN_NOT_REPAID, RejectReason.NOTHING_OWED}
    assert {RejectReason(r["reason"]) for r in failed} & late


def test_flash_bots_only_act_when_it_pays(built: BuiltRun) -> None:
    """Whoever liquidated with a flash loan has more of the debt asset than before, which was 0."""
    flashed = {r["wallet"] for r in rows(built, "flash_loaned")}
    calls = {r["liquidator"] for r in rows(built, "pool_liquidation")}
    posted = built.world.ledger.posted
    assert flashed & calls
    assert all(posted[wallet][2] > 0 for wallet in flashed & calls)


def test_providers_leave_and_loopers_unwind(built: BuiltRun) -> None:
    """Liquidity is withdrawn after the pool has drifted; loops pay debts back by flash loan."""
    start = rows(built, "block_produced")[0]["time_ns"]
    left = [r for r in rows(built, "liquidity_changed") if r["change"] < 0]
    assert left
    assert all(r["time_ns"] > start + 120 * 10**9 for r in left)
    crowd = built.accounts.unwinds
    assert any(r["wallet"] in crowd for r in rows(built, "flash_loaned"))


def test_arbitrage_ties_the_pool_to_the_book(built: BuiltRun) -> None:
    """It swaps on the chain and trades on the venue."""
    wallet = built.accounts.of["arbitrage", "ethereum"]
    account = built.accounts.of["arbitrage", "cex"]
    assert any(r["wallet"] == wallet for r in rows(built, "swapped"))
    assert any(account in (r["maker_account"], r["taker_account"]) for r in rows(built, "traded"))


def test_ids_have_names(built: BuiltRun) -> None:
    """A table tells what the numbers of pools, AMMs and oracles stand for, and their accounts."""
    assert built.directory is not None
    run = open_run(built.directory)
    named = {(row["kind"], row["id"]): row for row in run.chain}
    assert named["pool", 0]["name"] == "core"
    assert named["amm", 0]["assets"] == "USDE USDT"
    assert {row["name"] for row in run.chain if row["kind"] == "oracle"} == {"USDT", "ETH", "USDE"}
    accounts = [row["owner"] for row in run.accounts]
    assert accounts[named["pool", 0]["account"]] == "ethereum/core"


def test_everything_is_accounted_for(built: BuiltRun) -> None:
    """Conservation across venue and chain to the unit, and a replay that ends the same."""
    assert check_world(built.world) == []
    assert built.directory is not None
    assert verify(built.directory, make_world).passed


@pytest.mark.parametrize(("without", "loops"), [("loop_lending", 0), ("defi_liquidation", 150)])
def test_switches_change_what_they_name(without: str, loops: int) -> None:
    """Without loops there is nothing to liquidate; without liquidation nobody is."""
    made = build_run(load("loop_unwind", [*SMALL, "scenario.duration=8m"], [without]), None)
    seen: list[int] = []
    made.run.exchange.listeners[112] = lambda _, event: seen.append(event[0])
    made.execute()
    chain = made.world.chain
    assert chain is not None
    assert len([p for p in chain.pools[0].positions.values() if p.supply and p.debt]) <= loops
    assert (loops == 0) == (not any(p.debt for p in chain.pools[0].positions.values()))
    assert seen == []
