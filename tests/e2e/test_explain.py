"""``explain`` on a small crash: exact margins, causes that add up, sentences with numbers."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pyarrow.compute as pc
import pytest

from exchange_sim.analysis.account_state import margin_points
from exchange_sim.analysis.cascade import cascade
from exchange_sim.analysis.explain import liquidation_chains
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.analysis.timeline import account_named, account_timeline, queue_ahead
from exchange_sim.analysis.withdrawals import depeg_sales, withdrawals
from exchange_sim.cli.seam import make_world
from exchange_sim.journal import JournalReader
from exchange_sim.messages.events import OrderAccepted, Traded
from tests.e2e.harness import here


@pytest.fixture(scope="module")
def run(small_run: Path) -> RunData:
    """The small crash, opened."""
    return open_run(small_run)


def liquidated(run: RunData) -> list[int]:
    """Accounts that were liquidated, in order."""
    return list(dict.fromkeys(run.table("liquidation_started").column("account").to_pylist()))


def test_margins_are_exactly_those_that_the_venue_computed(run: RunData) -> None:
    """Equity and maintenance at every band change and liquidation, to the unit."""
    kinds = ("margin_band_changed", "liquidation_started")
    rows = [row for kind in kinds for row in run.table(kind).to_pylist()]
    chosen = liquidated(run)[:25] + [row["account"] for row in rows if "band" in row][:10]
    compared = 0
    for account in dict.fromkeys(chosen):
        points = {point.seq: point for point in margin_points(run, account)}
        for row in rows:
            if row["account"] == account:
                point = points[row["seq"]]
                assert (point.equity, point.maintenance) == (row["equity"], row["maintenance"])
                compared += 1
    assert compared >= 25


def test_causes_add_up_to_the_loss(run: RunData) -> None:
    """Nothing is unexplained, and the worst cause is told first."""
    for account in liquidated(run)[:20]:
        for chain in liquidation_chains(run, account):
            total = sum(change for _, change in chain.causes)
            assert total == pytest.approx(chain.equity - chain.first_equity, abs=1e-6)
            if len(chain.causes) > 1:
                assert chain.causes[0][1] <= chain.causes[-1][1]
            assert chain.equity < chain.first_equity
            assert 0 <= chain.forced_share <= 1


def test_account_in_words(run: RunData) -> None:
    """Everything that happened, then why, with numbers and clock times."""
    account = liquidated(run)[0]
    done = here("explain", run.path, "--account", account, "--limit", 0)
    events = account_timeline(run, account)

    assert done.code == 0, done.err
    assert f"{len(events):,} events" in done.out
    assert all(str(entry) in done.out for entry in events)
    assert re.search(
        r"\d\d:\d\d:\d\d\.\d{3}Z  liquidation started by command [\d,]+: equity", done.out
    )
    assert "why it was liquidated, 1 of " in done.out
    assert "mark price of leading:ALTUSDT-PERP" in done.out


def test_account_that_was_spared(run: RunData) -> None:
    spared = next(
        row["account"] for row in run.accounts
        if row["population"] == "crowd" and row["account"] not in liquidated(run)
    )  # fmt: skip
    done = here("explain", run.path, "--account", spared)

    assert done.code == 0
    assert "it was never liquidated" in done.out


def test_order_in_words(run: RunData) -> None:
    """From entry to its last fill; fills add up."""
    trades = run.table(Traded).to_pylist()
    order = next(row["maker_order"] for row in trades if row["maker_leaves"] == 0)
    done = here("explain", run.path, "--order", order)
    fills = [row for row in trades if order in (row["maker_order"], row["taker_order"])]

    assert done.code == 0
    lines = done.out.splitlines()
    assert f"order {order}: " in lines[0]
    assert done.out.count(" as maker") + done.out.count(" as taker") == len(fills)
    assert run.table(OrderAccepted).num_rows > order
    assert re.search(r"it rested behind [\d,.]+ at its own price and [\d,.]+ at better", lines[-1])


def test_queue_ahead_is_what_the_world_held(run: RunData) -> None:
    """The same count from a replay that stops after the order's own command."""
    accepted = run.table(OrderAccepted)
    states = run.book_of("leading:ALTUSDT-PERP").intervals
    rested = states.filter(pc.greater(states.column("seq"), 2_000)).slice(50, 1).to_pylist()[0]
    order = rested["order_id"]
    (entry,) = accepted.filter(pc.equal(accepted.column("order_id"), order)).to_pylist()
    mine = states.filter(pc.equal(states.column("order_id"), order)).slice(0, 1).to_pylist()[0]
    with JournalReader(run.journal_path) as reader:
        world = make_world(reader.header)
        for command in reader.commands():
            world.apply(command)
            if world.seq == mine["seq"]:
                break
    ahead = []
    for other in world.engines[entry["instrument"]].book.orders_of(mine["side"]):
        if other.order_id == order:
            break
        ahead.append(other)

    assert queue_ahead(run, order).endswith(f"{len(ahead)} orders in all")


def test_books_are_those_of_a_replay(run: RunData) -> None:
    """L3 of every instrument at instants all over the run, with trades between them."""
    rng = random.Random(3)
    span = run.manifest.end_ns - run.manifest.start_ns
    instants = sorted(run.manifest.start_ns + rng.randrange(span) for _ in range(40))
    compared = 0
    with JournalReader(run.journal_path) as reader:
        world, commands = make_world(reader.header), list(reader.commands())
        at = 0
        for instant in instants:
            while at < len(commands) and commands[at][1] <= instant:
                world.apply(commands[at])
                at += 1
            for k, engine in enumerate(world.engines):
                book = run.book_of(k).at(instant)
                for side in (0, 1):
                    held = [(o.order_id, o.account, o.price, o.shown, o.leaves)
                            for o in engine.book.orders_of(side)]  # fmt: skip
                    assert book.orders(side) == held
                    compared += len(held)
    assert compared > 5_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--account", "mm-7"), "nobody is called 'mm-7'; there are mm-"),
        (("--account", "mm-1"), "has several accounts: leading:mm-1 ("),
        (("--account", "99999"), "there is no account 99999"),
        (("--order", "99999999"), "no order 99999999 was accepted"),
        (("--order", "1", "--account", "1"), "ask one of them"),
    ],
)
def test_wrong_question(options: tuple[str, ...], told: str, run: RunData) -> None:
    done = here("explain", run.path, *options)

    assert done.code == 2
    assert told in done.err


def test_names_of_accounts(run: RunData) -> None:
    one = account_named(run, "second:mm-1")

    assert run.accounts[one]["venue_name"] == "second"
    assert account_named(run, str(one)) == one


def test_cascade_adds_up(run: RunData) -> None:
    """Forced dollars by generation, by pusher and by node are the same dollars."""
    found = cascade(run)
    total = sum(node.forced for node in found.nodes)

    assert len(found.nodes) == run.manifest.counts["liquidation_started"]
    assert total > 0
    assert sum(found.forced_by_generation.values()) == pytest.approx(total)
    assert sum(found.count_by_generation.values()) == pytest.approx(len(found.nodes))
    assert 0 < found.branching < 1
    assert found.multiplier == pytest.approx(1 / (1 - found.branching))
    assert all(node.parent < k for k, node in enumerate(found.nodes))
    assert found.table().num_rows == len(found.nodes)
    done = here("explain", run.path)
    assert done.code == 0
    assert "branching ratio" in done.out
    assert "first shock" in done.out


def test_withdrawals_have_causes(run: RunData) -> None:
    """Every withdrawal that was noted, its cause, and when the maker was back."""
    rows = withdrawals(run).to_pylist()
    noted = [row for row in run.view("noted").to_pylist() if row["kind"] == "QUOTES_WITHDRAWN"]

    assert [row["time_ns"] for row in rows] == [row["time_ns"] for row in noted]
    for row in rows:
        assert row["cause"] in {"volatility", "inventory", "margin", "drawdown", "infrastructure",
                                "toxicity", "hedge loss", "liquidation", "group"}  # fmt: skip
        assert row["away_s"] is None or row["away_s"] > 0
        assert row["worst_move"] <= 0


def test_depeg_sales_are_the_sales_of_pegged_assets(run: RunData) -> None:
    sales = depeg_sales(run)
    (total,) = run.sql(
        "SELECT sum(quote_amount) FROM traded WHERE instrument LIKE '%PEG%' AND aggressor = 'SELL'"
    ).fetchall()

    assert sum(sales.column("value").to_pylist()) == pytest.approx(total[0])
    assert set(sales.column("cause").to_pylist()) <= {"liquidation", "forced", "own choice"}


def test_a_damaged_table_is_told(run: RunData, tmp_path: Path) -> None:
    """What can be told is told, the loss is stated."""
    copy = Path(shutil.copytree(run.path, tmp_path / "run"))
    (copy / "events" / "order_canceled.parquet").write_bytes(b"PAR1")
    done = here("explain", copy, "--account", liquidated(run)[0])

    assert done.code == 4
    assert "order_canceled.parquet: cannot be read as Parquet" in done.err
    assert "rows are lost" in done.err


def test_a_damaged_journal_is_told(run: RunData, tmp_path: Path) -> None:
    """Events are told without it, causes are not, and that is said."""
    copy = Path(shutil.copytree(run.path, tmp_path / "run"))
    (copy / "journal.bin").write_bytes(b"XSJL")
    account = here("explain", copy, "--account", liquidated(run)[0])
    whole = here("explain", copy)

    assert account.code == whole.code == 4
    assert "LIQUIDATION STARTED" in account.out
    assert "journal.bin: the file ends inside the journal's header" in account.err
    assert "causes of liquidations cannot be told" in account.err
    assert "it was never liquidated" not in account.out
    assert "index sources are unknown" in whole.err
    assert "branching ratio" in whole.out
