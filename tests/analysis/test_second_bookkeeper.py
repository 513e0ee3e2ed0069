"""LED-6: a second bookkeeper agrees with honest books and disagrees with every planted lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from exchange_sim.analysis.run_dir import RunCorrupt, open_run
from exchange_sim.analysis.second_bookkeeper import check_balances, rebuild
from tests.doubles.tiny_run import ALICE, BOB, BTC, CLEARING, EXTERNAL, FEES, POOL, USDT, write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_run(tmp_path)
    return tmp_path


def test_honest_books_agree(run: Path) -> None:
    assert check_balances(open_run(run)) == []


def test_rebuilt_balances_are_those_of_the_world(tmp_path: Path) -> None:
    """Account by account, asset by asset; every asset sums to zero."""
    world = write_run(tmp_path)
    books = rebuild(open_run(tmp_path))

    assert {
        (account, asset): int(books.amounts[account, asset])
        for account, asset in np.argwhere(books.amounts)
    } == {key: amount for key, amount in world.balances.items() if amount}
    assert books.amounts.sum(axis=0).tolist() == [0, 0]
    assert books.loans[ALICE, BTC] == 3_000_000


Change = Callable[[pa.Table], pa.Table]


def altered(run: Path, name: str, change: Change) -> None:
    """Change a table behind the back of the run; its number of rows must stay."""
    path = run / "events" / f"{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def with_value(column: str, row: int, value: int) -> Change:
    """A table with one other figure."""

    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(column)
        values = table.column(at).to_pylist()
        values[row] = value
        field = table.schema.field(at)
        return table.set_column(at, field, pa.array(values, field.type))

    return change


def reversed_rows(table: pa.Table) -> pa.Table:
    """The same rows in the opposite order."""
    return table.take(pa.array(range(table.num_rows - 1, -1, -1)))


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("_balances", with_value("amount", 0, 0), {("amount", EXTERNAL, USDT)}),
        ("_balances", with_value("loan", -3, 7), {("loan", ALICE, BTC)}),
        (
            "ledger_posted",
            with_value("amount", 0, 10**12 + 1),
            {("amount", EXTERNAL, USDT), ("amount", ALICE, USDT)},
        ),
        (
            "ledger_posted",
            with_value("to_account", 1, ALICE),
            {("amount", ALICE, BTC), ("amount", BOB, BTC)},
        ),
        ("traded", with_value("maker_fee", 0, 0), {("amount", BOB, USDT), ("amount", FEES, USDT)}),
        (
            "traded",
            with_value("base_amount", 0, 1),
            {("amount", ALICE, BTC), ("amount", BOB, BTC)},
        ),
        (
            "traded",
            with_value("aggressor", 0, 1),
            {(what, who, asset) for what in ("amount",) for who in (4, 5) for asset in (0, 1)},
        ),
        (
            "traded",
            with_value("taker_pnl", 1, 5),
            {("amount", BOB, USDT), ("amount", CLEARING, USDT)},
        ),
        ("loan_changed", with_value("change", 0, 1), {("loan history", ALICE, BTC)}),
        (
            "loan_changed",
            reversed_rows,
            {("loan", ALICE, BTC), ("loan history", ALICE, BTC)},
        ),
    ],
    ids=[
        "balance",
        "loan",
        "amount",
        "account",
        "fee to nobody",
        "base",
        "side",
        "pnl",
        "history",
        "order",
    ],
)
def test_planted_lies_are_found(
    run: Path, name: str, change: Change, expected: set[tuple[str, int, int]]
) -> None:
    altered(run, name, change)
    found = check_balances(open_run(run))

    assert {(each.what, each.account, each.asset) for each in found} == expected
    assert str(found[0]).startswith(f"LED-6: {found[0].what} of account {found[0].account}")


def test_a_world_that_keeps_a_fee_for_itself(tmp_path: Path) -> None:
    """The events and the balances of one run disagree, whoever wrote them."""
    write_run(tmp_path)
    altered(
        tmp_path,
        "_balances",
        lambda t: t.set_column(2, "amount", pc.add(t.column("amount"), pa.scalar(1, pa.int64()))),
    )

    assert len(check_balances(open_run(tmp_path))) == 9


@pytest.mark.parametrize(
    ("name", "column", "value", "message"),
    [
        ("traded", "maker_account", 99, "an account that does not exist"),
        ("ledger_posted", "to_account", -1, "an account that does not exist"),
        ("ledger_posted", "asset", 7, "an asset that does not exist"),
        ("traded", "instrument", 7, "an instrument that does not exist"),
        ("_balances", "ledger_account", 99, "an account that does not exist"),
    ],
)
def test_unknown_ids_are_damage(
    run: Path, name: str, column: str, value: int, message: str
) -> None:
    altered(run, name, with_value(column, 0, value))

    with pytest.raises(RunCorrupt, match=message):
        check_balances(open_run(run))


def test_the_pool_lends_what_accounts_borrow(run: Path) -> None:
    assert rebuild(open_run(run)).amounts[POOL, BTC] == -3_000_000
