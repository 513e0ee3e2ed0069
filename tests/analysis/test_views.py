"""Tables as people read them: the view, the SQL and the stored integers say the same."""

from __future__ import annotations

import math
import shutil
from importlib import import_module
from pathlib import Path

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exchange_sim.analysis import foreign
from exchange_sim.analysis.facts import ratio_of, settlement_asset
from exchange_sim.analysis.human import human_batches, human_view
from exchange_sim.analysis.run_dir import RunCorrupt, RunData, open_run
from exchange_sim.analysis.tape import candles, trades_of
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.schema import table_name
from exchange_sim.messages.events import Traded
from exchange_sim.messages.registry import EVENTS
from exchange_sim.model.enums import InstrumentKind
from tests.doubles.soup_run import write_soup
from tests.doubles.storage import START_NS
from tests.doubles.tiny_run import write_run


@pytest.fixture(scope="module")
def soup(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """A run with most kinds of events."""
    folder: Path = tmp_path_factory.mktemp("soup")
    write_soup(folder, 3, 2_500, every=2_500, crash=True)
    return open_run(folder)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A run whose figures can be computed in the head."""
    write_run(tmp_path)
    return tmp_path


def test_a_trade_in_human_units(tiny: Path) -> None:
    """Ticks of 0.1, lots of 0.00001, six decimals: 100,000 ticks are 10,000.0."""
    (trade, *_) = open_run(tiny).view("traded").to_pylist()

    assert (trade["price"], trade["qty"]) == (10_000.0, 0.0001)
    assert (trade["instrument"], trade["instrument_id"]) == ("BTCUSDT", 0)
    assert (trade["maker_account"], trade["taker_account"]) == ("bob", "alice")
    assert trade["aggressor"] == "BUY"
    assert (trade["quote_amount"], trade["base_amount"]) == (1.0, 0.0001)
    assert trade["taker_fee"] == 0.0005
    assert (trade["time_ns"], trade["time"].isoformat()) == (
        START_NS,
        "2025-10-10T20:50:00+00:00",
    )


def test_amounts_find_their_asset(tiny: Path) -> None:
    """The row's asset, the instrument's quote, the numeraire of an account or venue; else null."""
    run = open_run(tiny)
    posted = run.view("ledger_posted").to_pylist()
    assert [row["amount"] for row in posted[:3]] == [10**6, 100.0, 10**6]
    (started,) = run.view("liquidation_started").to_pylist()
    assert (started["equity"], started["maintenance"], started["uni_mmr"]) == (5.0, 6.0, 0.9)
    assert (started["cause_instrument"], started["cause_asset"]) == ("BTCUSDT-PERP", None)
    cancelled, reduced, _ = run.view("liquidation_step").to_pylist()
    assert (cancelled["instrument"], cancelled["qty"], cancelled["value"]) == (None, None, None)
    assert (reduced["action"], reduced["qty"], reduced["value"]) == (
        "REDUCE_POSITION",
        0.00005,
        250.0,
    )
    assert run.view("adl_executed").to_pylist()[0]["price"] == 9_000.0
    assert run.view("insurance_changed").to_pylist()[0]["change"] == -30.0


def same(one: object, other: object) -> bool:
    """Equal values; SQL may round the last bit of a quotient differently."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-14, abs_tol=0.0)
    return one == other


def integers(row: dict[str, object]) -> list[tuple[str, str]]:
    """What orders rows: SQL has no order of its own."""
    return [(name, str(value)) for name, value in row.items() if not isinstance(value, float)]


@pytest.mark.parametrize("kind", EVENTS.values(), ids=table_name)
def test_sql_and_arrow_agree(kind: type, soup: RunData) -> None:
    """Every column of every kind, computed twice."""
    name = table_name(kind)
    view = soup.view(kind)
    rows = soup.sql(f"SELECT * FROM {name}").to_arrow_table()

    assert rows.column_names == view.column_names
    assert rows.num_rows == view.num_rows == soup.manifest.counts.get(name, 0)
    assert view.column_names[:3] == ["seq", "time_ns", "time"]
    mine, theirs = (
        sorted(table.drop(["time"]).to_pylist(), key=lambda row: (row["seq"], integers(row)))
        for table in (view, rows)
    )
    for a, b in zip(mine, theirs, strict=True):
        assert all(same(a[column], b[column]) for column in a), (a, b)


def test_polars_has_both_forms(soup: RunData) -> None:
    human, raw = soup.polars("traded"), soup.polars("traded", human=False)

    assert human.height == raw.height == soup.manifest.counts["traded"]
    assert human["price"].dtype.is_float()
    assert raw["price"].dtype.is_integer()
    assert soup.polars("book_1s").height == soup.polars("book_1s", human=False).height == 0


def test_sql_takes_further_tables_and_tells_mistakes(soup: RunData) -> None:
    book = soup.book_of(2).after(2_000).table()
    (row,) = soup.sql("SELECT count(*) FROM levels", levels=book).fetchall()
    assert row == (book.num_rows,)
    (stored,) = soup.sql("SELECT sum(qty) FROM raw.traded").fetchall()
    assert stored[0] == sum(soup.table("traded").column("qty").to_pylist())
    with pytest.raises(UsageError, match=r"DuckDB: .*cows"):
        soup.sql("SELECT * FROM cows")


@pytest.mark.parametrize("package", ["polars", "duckdb"])
def test_missing_extra_is_told(
    package: str, soup: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What to install, and no traceback."""

    def without(name: str) -> object:
        if name == package:
            raise ImportError(name)
        return import_module(name)

    monkeypatch.setattr(foreign, "import_module", without)
    fresh = open_run(soup.path)
    with pytest.raises(UsageError, match=rf"pip install 'exchange-sim\[{package}\]'"):
        fresh.polars("traded") if package == "polars" else fresh.sql("SELECT 1")


def test_batches_stream_the_same_rows(soup: RunData) -> None:
    streamed = pa.Table.from_batches(open_run(soup.path).batches("traded", ["seq", "price"]))

    assert streamed.equals(soup.table("traded").select(["seq", "price"]))
    human = pa.concat_tables(human_batches(open_run(soup.path), "traded"))
    assert human.equals(soup.view("traded"))


def test_profit_and_fees_are_in_what_a_contract_is_settled_in(soup: RunData) -> None:
    """Coins of an inverse contract have decimals of their own; its worth stays in quote."""
    row = {"base_asset": 1, "quote_asset": 0}
    kinds = (InstrumentKind.PERPETUAL, InstrumentKind.INVERSE_PERPETUAL)
    assert [settlement_asset({**row, "kind": int(kind)}) for kind in kinds] == [0, 1]

    table, scale = soup.table("traded").slice(0, 50), np.array([100.0, 10_000.0, 0.0])
    facts = attrs.evolve(soup.facts, scale=scale, quote=np.full(50, 0), settle=np.full(50, 1))
    shown = human_view(Traded, table, facts)
    for name, size in (("quote_amount", 100.0), ("taker_fee", 10_000.0), ("maker_pnl", 10_000.0)):
        stored = table.column(name).to_numpy()
        assert shown.column(name).to_pylist() == (stored / size).tolist()


def test_candles_by_hand(tiny: Path) -> None:
    """Six trades, two seconds apart: candles of five seconds."""
    run = open_run(tiny)
    trades = trades_of(run.view("traded"), "BTCUSDT")
    rows = candles(trades, "5s").to_pylist()

    assert [row["time_ns"] - START_NS for row in rows] == [0, 5 * 10**9, 10 * 10**9]
    first = rows[0]
    assert (first["open"], first["high"], first["low"], first["close"]) == (
        10_000,
        10_000,
        9_500,
        9_500,
    )
    assert (first["trades"], first["volume"]) == (3, pytest.approx(0.0003))
    assert first["quote_volume"] == pytest.approx(0.0001 * (10_000 + 9_900 + 9_500))
    assert sum(row["buy_volume"] for row in rows) == pytest.approx(0.0003)
    assert candles(trades.slice(0, 0)).num_rows == 0
    for wrong in ("0s", "cow"):
        with pytest.raises(UsageError):
            candles(trades, wrong)


def test_instants_and_instruments(tiny: Path) -> None:
    run = open_run(tiny)

    assert run.instant("5s") == run.instant("20:50:05") == START_NS + 5 * 10**9
    assert run.instant(7) == 7
    assert (run.instrument_id("BTCUSDT"), run.instrument_id(1)) == (0, 1)
    for wrong in (lambda: run.instant("cow"), lambda: run.instrument_id(2),
                  lambda: run.instrument_id("ETH"), lambda: run.table("trade")):  # fmt: skip
        with pytest.raises(UsageError):
            wrong()


def test_steps_are_fractions() -> None:
    """Three ticks of 0.1 are 0.3, which three times 0.1 as floats is not."""
    assert [ratio_of(t) for t in ("0.1", "0.25", "10", "5E+2")] == [
        (1, 10), (25, 100), (10, 1), (500, 1),
    ]  # fmt: skip


def damage(run: Path, how: str) -> None:
    """Break the table of trades."""
    path = run / "events" / "traded.parquet"
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        table = pq.read_table(path)
        if how == "unknown column":
            table = table.append_column("cows", table.column("seq"))
        else:
            table = table.drop(["price"])
        pq.write_table(table.replace_schema_metadata(pq.read_schema(path).metadata), path)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("missing", "traded.parquet: missing"),
        ("cut", "traded.parquet: cannot be read as Parquet"),
        ("unknown column", r"other columns than this version's Traded \(unknown column cows\)"),
        ("lost column", r"other columns than .* \(no column price of type int64\)"),
    ],
)
def test_damaged_tables_are_told_and_the_rest_is_read(how: str, told: str, tiny: Path) -> None:
    """Strictly an error that names the file; partially a stated loss."""
    damage(tiny, how)
    with pytest.raises(RunCorrupt, match=told):
        open_run(tiny).table("traded")
    run = open_run(tiny, partial=True)
    rows = run.view("traded").num_rows

    assert rows == (12 if how == "unknown column" else 0)
    assert len(run.losses) == 1
    assert str(tiny / "events" / "traded.parquet") in run.losses[0]
    assert rows or run.losses[0].endswith("12 rows are lost")
    assert run.view("ledger_posted").num_rows == open_run(tiny).manifest.counts["ledger_posted"]
    assert run.sql("SELECT count(*) FROM traded").fetchall() == [(rows,)]


def test_streaming_a_foreign_table_is_refused(tiny: Path) -> None:
    events = tiny / "events"
    shutil.copy(events / "loan_changed.parquet", events / "traded.parquet")

    with pytest.raises(RunCorrupt, match="is not a table of Traded"):
        list(open_run(tiny).batches("traded"))
