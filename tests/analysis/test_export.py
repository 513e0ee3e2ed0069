"""Exports tell the engine's books: rebuilt from the files alone, at instants that were kept."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exchange_sim.analysis.export import hftbacktest, lobster, tables, tardis
from exchange_sim.analysis.export.common import decimal_texts
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.cli import main
from exchange_sim.errors import UsageError
from exchange_sim.model.enums import BUY, SELL
from tests.doubles.soup_run import Truth, write_soup

Written = tuple[RunData, list[Truth], Path]


@pytest.fixture(scope="module", params=[4, 5])
def soup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Random flow with icebergs, stops, replaces, halts, auctions and liquidations."""
    folder: Path = tmp_path_factory.mktemp("soup")
    truths = write_soup(folder, request.param, 2_500, every=7, crash=request.param == 5)
    return open_run(folder), truths, tmp_path_factory.mktemp("out")


def shown(truth: Truth, instrument: int, side: int) -> dict[int, int]:
    """Displayed lots by ticks, from the engine."""
    found: dict[int, int] = {}
    for _, _, price, lots, _ in truth.orders[instrument][side]:
        found[price] = found.get(price, 0) + lots
    return found


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a gzip CSV file as its readers see them."""
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def last_of_microsecond(truths: list[Truth]) -> list[Truth]:
    """Files in microseconds tell the last state in each; several commands may share one."""
    by_stamp = {truth.time_ns // 1_000: truth for truth in truths}
    return list(by_stamp.values())


def test_tardis_books_are_the_engines_books(soup: Written):
    """incremental_book_L2 applied row by row gives every level of every kept instant."""
    run, truths, out = soup
    feed = tardis.Feed(delay_ns=10_000_000)
    compared = 0
    for instrument in range(len(run.instruments)):
        kinds = ["incremental_book_L2"]
        files = [path for path, _ in tardis.write(run, out / "t", [instrument], kinds, feed)]
        book: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}
        changes = [row for path in files for row in rows(path)]
        stamps = [int(row["timestamp"]) for row in changes]
        at = 0
        for truth in exact(run, truths):
            while at < len(changes) and stamps[at] <= truth.time_ns // 1_000:
                row = changes[at]
                levels = book[row["side"]]
                if float(row["amount"]):
                    levels[row["price"]] = row["amount"]
                else:
                    del levels[row["price"]]
                at += 1
            for side, name in ((BUY, "bid"), (SELL, "ask")):
                wanted = shown(truth, instrument, side)
                prices = run.facts.prices(list(wanted), instrument)
                lots = run.facts.quantities(list(wanted.values()), instrument)
                told = {float(p): float(q) for p, q in book[name].items()}
                assert told == dict(zip(prices, lots, strict=True)), truth.seq
                compared += len(wanted)
    assert compared > 1_000


def exact(run: RunData, truths: list[Truth]) -> list[Truth]:
    """Truths after which nothing else happened within the same microsecond."""
    stamps: dict[int, int] = {}
    for name in ("order_accepted", "order_canceled", "order_replaced", "traded", "order_triggered"):
        table = run.table(name)
        for seq, time_ns in zip(
            table.column("seq").to_pylist(), table.column("time_ns").to_pylist(), strict=True
        ):
            stamps[time_ns // 1_000] = max(seq, stamps.get(time_ns // 1_000, 0))
    return [t for t in truths if stamps.get(t.time_ns // 1_000, 0) <= t.seq]


def test_tardis_files_are_what_their_readers_take(soup: Written):
    """Header, first message a snapshot, local time after the venue's and ascending."""
    run, _, out = soup
    feed = tardis.Feed(delay_ns=2_000_000)
    for path, count in tardis.write(run, out / "all", [0, 1], list(tardis.KINDS), feed):
        found = list(rows(path))
        assert len(found) == count
        assert path.name.split("_")[0] in {"binance", "binance-futures"}
        assert list(found[0])[:4] == ["exchange", "symbol", "timestamp", "local_timestamp"]
        local = [int(row["local_timestamp"]) for row in found]
        assert local == sorted(local)
        assert all(
            int(row["timestamp"]) + 2_000 == at for row, at in zip(found, local, strict=True)
        )
        if "incremental" in path.name:
            flags = [row["is_snapshot"] for row in found]
            assert flags[0] == "true"
            assert flags == sorted(flags, reverse=True)


def test_tardis_snapshots_are_the_best_levels(soup: Written):
    """book_snapshot_5 agrees with the engine after each of its rows."""
    run, truths, out = soup
    path, _ = next(tardis.write(run, out / "s", [0], ["book_snapshot_5"], tardis.Feed()))
    found = list(rows(path))
    stamps = np.array([int(row["timestamp"]) for row in found])
    compared = 0
    for truth in exact(run, truths):
        at = int(np.searchsorted(stamps, truth.time_ns // 1_000, side="right")) - 1
        if at < 0:
            continue
        for side, name in ((BUY, "bids"), (SELL, "asks")):
            levels = sorted(shown(truth, 0, side).items(), reverse=side == BUY)[:5]
            prices = run.facts.prices([ticks for ticks, _ in levels], 0).tolist()
            told = [float(p) for k in range(5) if (p := found[at][f"{name}[{k}].price"])]
            assert told == prices
            compared += len(prices)
    assert compared > 50


def test_trades_and_liquidations_are_all_there(soup: Written):
    """One row per fill; forced ones again in their own file."""
    run, _, out = soup
    table = run.view("traded").to_pylist()
    for instrument in range(len(run.instruments)):
        mine = [trade for trade in table if trade["instrument_id"] == instrument]
        files = tardis.write(run, out / "tr", [instrument], ["trades"], tardis.Feed())
        told = [r for path, _ in files for r in rows(path)]
        assert [(float(r["price"]), float(r["amount"])) for r in told] == [
            (trade["price"], trade["qty"]) for trade in mine
        ]
        assert [r["side"] for r in told] == [trade["aggressor"].lower() for trade in mine]


def replay_lobster(message: Path, depth: int) -> Iterator[list[int]]:
    """An order book built from the message file alone, in LOBSTER's row form."""
    levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
    orders: dict[int, tuple[int, int]] = {}
    for line in message.read_text().splitlines():
        _, kind, order, size, price, direction = line.split(",")
        book, at = levels[direction == "-1"], int(price)
        change = int(size) if kind == "1" else -int(size)
        book[at] = book.get(at, 0) + change
        left = orders.get(int(order), (at, 0))[1] + change
        assert left >= 0
        if kind == "3":
            assert left == 0, "a deletion takes all that is left"
        if kind == "2":
            assert left > 0, "a partial cancellation leaves something"
        orders[int(order)] = (at, left)
        if not book[at]:
            del book[at]
        bids = sorted(levels[0].items(), reverse=True)[:depth]
        asks = sorted(levels[1].items())[:depth]
        row: list[int] = []
        for level in range(depth):
            row += asks[level] if level < len(asks) else (9_999_999_999, 0)
            row += bids[level] if level < len(bids) else (-9_999_999_999, 0)
        yield row


def test_lobster_messages_lead_to_the_order_book_file(soup: Written):
    """Row k of the order-book file is the book after message k."""
    run, _, out = soup
    for instrument in range(len(run.instruments)):
        folder = out / f"l{instrument}"
        files = [path for path, _ in lobster.write(run, folder, [instrument], 4)]
        message, book, facts = files
        told = [[int(cell) for cell in line.split(",")] for line in book.read_text().splitlines()]
        assert list(replay_lobster(message, 4)) == told
        assert json.loads(facts.read_text())["levels"] == 4


def test_lobster_ends_at_the_engines_book(soup: Written):
    """The orders that the messages leave are the orders that rest, with what they show."""
    run, truths, _ = soup
    kinds: set[int] = set()
    for instrument in range(len(run.instruments)):
        book = lobster.Resting()
        entries = list(lobster.messages(run, instrument, book))
        last = truths[-1]
        history = run.book_of(instrument).after(last.seq)
        later = [entry for entry in entries if entry.time_ns > last.time_ns]
        if later:
            continue
        wanted = {
            row[0]: (1 if side == BUY else -1, row[2], row[3])
            for side in (BUY, SELL)
            for row in history.orders(side)
        }
        assert book.orders == wanted
        kinds |= {entry.kind for entry in entries}
    assert kinds == {1, 2, 3, 4}


def test_hftbacktest_array_has_its_layout_and_order(soup: Written):
    """64 bytes a row, both clocks ascending, a trade before the depth that it causes."""
    run, truths, out = soup
    ((path, count),) = hftbacktest.write(run, out / "h", [0], 1_000)
    data = np.load(path)["data"]
    assert (data.dtype, data.dtype.itemsize, len(data)) == (hftbacktest.EVENT, 64, count)
    assert (np.diff(data["exch_ts"]) >= 0).all()
    assert (data["local_ts"] - data["exch_ts"] == 1_000).all()
    code = data["ev"] & 0xFF
    assert set(code.tolist()) <= {1, 2, 4}
    traded = run.table("traded")
    assert int((code == 2).sum()) == traded.column("instrument").to_pylist().count(0)
    bids: dict[float, float] = {}
    buys = (data["ev"] & (1 << 29)) != 0
    for at in np.flatnonzero((code != 2) & buys).tolist():
        bids[data["px"][at]] = data["qty"][at]
    left = {price: qty for price, qty in bids.items() if qty}
    history = run.book_of(0).after(2**60)
    assert left == {
        float(run.facts.prices(ticks, 0)): float(run.facts.quantities(lots, 0))
        for ticks, lots in history.levels(BUY)
    }
    assert truths


def test_tables_come_back_as_they_were(soup: Written, tmp_path: Path):
    """Parquet, CSV and JSON lines of any table, human or raw."""
    run, _, _ = soup
    import pyarrow.parquet as pq

    for ending in ("parquet", "csv", "jsonl"):
        (path, count), *_ = tables.write(run, tmp_path, ["traded"], ending, human=True)
        assert count == run.table("traded").num_rows
        if ending == "parquet":
            assert pq.read_table(path).equals(run.view("traded"))
        elif ending == "csv":
            with path.open(newline="") as file:
                told = [float(row["price"]) for row in csv.DictReader(file)]
            assert told == run.view("traded").column("price").to_pylist()
        else:
            told = [json.loads(line)["price"] for line in path.read_text().splitlines()]
            assert told == run.view("traded").column("price").to_pylist()
    (path, _), *_ = tables.write(run, tmp_path / "raw", ["traded"], "parquet", human=False)
    assert (
        pq.read_table(path).column("price").to_pylist()
        == run.table("traded").column("price").to_pylist()
    )


def test_decimals_are_exact():
    """No float in between: 3 ticks of 0.1 are 0.3."""
    assert decimal_texts([3, -15, 0, 100], 1, 10).to_pylist() == ["0.3", "-1.5", "0", "10"]
    assert decimal_texts([7], 25, 1).to_pylist() == ["175"]
    big = 2**53 + 1
    assert decimal_texts([big], 1, 10**8).to_pylist() == ["90071992.54740993"]


def test_command_line(soup: Written, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Files appear where they were asked for; a typo names what there is."""
    run, _, _ = soup
    symbol = run.instruments[0]["symbol"]
    asked = ["export", str(run.path), "hftbacktest", "--instrument", symbol, "--out", str(tmp_path)]
    assert main(asked) == 0
    assert list(tmp_path.glob("*/*.npz"))

    for wrong, said in (
        (["csv", "--table", "trade"], "traded"),
        (["tardis", "--type", "trade"], "trades"),
        (["tardis", "--instrument", "nothing"], "nothing"),
        (["tardis", "--table", "traded"], "--table"),
        (["tardis", "--every", "soon"], "--every"),
    ):
        assert main(["export", str(run.path), *wrong]) == 2
        assert said in capsys.readouterr().err


def test_unknown_data_types_are_named(soup: Written, tmp_path: Path):
    """The valid ones are listed."""
    run, _, _ = soup
    with pytest.raises(UsageError, match="incremental_book_L2"):
        list(tardis.write(run, tmp_path, [0], ["l2"], tardis.Feed()))
