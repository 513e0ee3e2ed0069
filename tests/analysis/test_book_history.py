"""The book that the tables tell is the book that the engine had, order by order."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_sim.analysis import book_history
from exchange_sim.analysis.book_history import CACHE
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.cli import main
from exchange_sim.model.enums import BUY, SELL
from tests.doubles.soup_run import Truth, write_soup

Soup = tuple[RunData, list[Truth]]


@pytest.fixture(scope="module", params=[1, 2, 3])
def soup(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Soup:
    """Random flow with icebergs, stops, replaces, halts, auctions and liquidations."""
    folder: Path = tmp_path_factory.mktemp("soup")
    truths = write_soup(folder, request.param, 3_000, every=7, crash=request.param == 3)
    return open_run(folder), truths


def test_every_order_stands_where_it_stood(soup: Soup) -> None:
    """L3 with time priority, displayed and open lots, after every seventh command."""
    run, truths = soup
    seen = 0
    for instrument in range(len(run.instruments)):
        history = run.book_of(instrument)
        for truth in truths:
            book = history.after(truth.seq)
            assert (book.orders(BUY), book.orders(SELL)) == truth.orders[instrument], truth.seq
            seen += len(book.order_id)
    assert seen > 1_000


def test_hidden_quantity_and_stops_were_there(soup: Soup) -> None:
    """The fixture is worth its name."""
    run, truths = soup
    rows = [row for t in truths for pair in t.orders for side in pair for row in side]

    assert any(shown < leaves for *_, shown, leaves in rows)
    assert run.table("order_triggered").num_rows > 0
    assert run.table("order_replaced").num_rows > 0


def levels(orders: list[tuple[int, int, int, int, int]]) -> dict[int, int]:
    """Displayed lots by price."""
    found: dict[int, int] = {}
    for _, _, price, shown, _ in orders:
        found[price] = found.get(price, 0) + shown
    return found


def test_ticks_lead_through_the_same_books(soup: Soup) -> None:
    """L2 and L1 by increments agree with the engine wherever both are known."""
    run, truths = soup
    by_seq = {truth.seq: truth.orders for truth in truths}
    for instrument in range(len(run.instruments)):
        history, last = run.book_of(instrument), 0
        state: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for tick in history.ticks():
            for seq in range(last, tick.seq):
                if seq in by_seq:
                    assert state == tuple(levels(side) for side in by_seq[seq][instrument])
            last, state = tick.seq, (dict(tick.bids), dict(tick.asks))
            assert tick.changes
        assert history.deltas.num_rows == sum(len(tick.changes) for tick in history.ticks())


def test_ticks_from_the_middle_continue_the_book(soup: Soup) -> None:
    run, truths = soup
    middle = truths[len(truths) // 2].time_ns
    history = run.book_of(2)
    late = [(t.seq, t.changes, t.touch()) for t in history.ticks(middle)]
    every = [(t.seq, t.changes, t.touch()) for t in history.ticks() if t.time_ns > middle]

    assert late == every != []


def test_at_an_instant_all_its_commands_have_happened(soup: Soup) -> None:
    run, truths = soup
    at = truths[-1].time_ns
    (last,) = [truth for truth in truths if truth.time_ns == at][-1:]
    book = run.book_of(0).at(at - 1)
    earlier = [truth for truth in truths if truth.time_ns < at]

    assert last.seq >= earlier[-1].seq
    assert book.touch() == run.book_of(0).after(_last_before(run, at)).touch()


def _last_before(run: RunData, at: int) -> int:
    table = run.table("order_accepted")
    rows = zip(table.column("seq").to_pylist(), table.column("time_ns").to_pylist(), strict=True)
    seqs: list[int] = [seq for seq, time_ns in rows if time_ns < at]
    return max(seqs)


def test_touches_are_those_of_the_snapshots(soup: Soup) -> None:
    run, _ = soup
    history = run.book_of(2)
    for row in history.touches.to_pylist()[::17]:
        book = history.after(row["seq"])
        assert (row["bid"], row["ask"]) == book.touch()
        assert row["bid_qty"] == dict(book.levels(BUY)).get(row["bid"], 0)


def test_tables_in_decimals(soup: Soup) -> None:
    """Levels and orders add up to the same, in the instrument's units."""
    run, truths = soup
    book = run.book_of(2).after(truths[-1].seq)
    table, orders = book.table(), book.orders_table()

    assert sum(table.column("qty").to_pylist()) == pytest.approx(
        sum(orders.column("qty").to_pylist())
    )
    facts = run.instruments[2]
    first = (book.levels(BUY) or book.levels(SELL))[0]
    row = table.slice(0, 1).to_pylist()[0]
    assert row["price"] == pytest.approx(first[0] * float(facts["tick_size"]))
    assert row["qty"] == pytest.approx(first[1] * float(facts["lot_size"]))
    assert book.table(1).num_rows == sum(side > 0 for side in book.touch())


def test_without_a_cache_the_answer_is_the_same(
    soup: Soup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory that cannot be written costs time, nothing else."""
    run, _ = soup
    expected = run.book_of(2).intervals
    monkeypatch.setattr(book_history, "_cached", lambda path, key: None)
    monkeypatch.setattr(book_history, "_keep", lambda run, tables: None)
    again = book_history.history_of(run, 2)

    assert again.intervals.equals(expected)


def test_all_books_at_once_are_the_same_books(soup: Soup, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pass over the tables, or one pass for each."""
    run, _ = soup
    folder = run.path / book_history.CACHE
    single = [run.book_of(k).intervals for k in range(len(run.instruments))]
    shutil.rmtree(folder)
    book_history.prepare_books(run)

    assert len(list(folder.iterdir())) == len(single)
    fresh = open_run(run.path)
    monkeypatch.setattr(book_history, "intervals_of", lambda run, k: pytest.fail("built again"))
    assert all(fresh.book_of(k).intervals.equals(table) for k, table in enumerate(single))


def test_a_cache_of_another_run_is_not_believed(soup: Soup) -> None:
    run, _ = soup
    path = run.path / book_history.CACHE / "book-2.arrow"
    run.book_of(2)
    other = (run.path / book_history.CACHE / "book-1.arrow").read_bytes()
    path.write_bytes(other[:-40])
    fresh = open_run(run.path).book_of(2)

    assert fresh.intervals.equals(run.book_of(2).intervals)
    assert run.damaged_files() == []


def test_an_empty_book(tmp_path: Path) -> None:
    write_soup(tmp_path, 4, 30, every=30)
    history = open_run(tmp_path).book_of(6)

    assert history.deltas.num_rows == history.touches.num_rows == 0
    assert history.at(0).touch() == (0, 0)
    assert history.at(0).table().num_rows == history.at(0).orders_table().num_rows == 0
    assert list(history.ticks()) == []


def test_books_of_a_damaged_run_are_not_kept(tmp_path: Path) -> None:
    """Without acceptances nothing can be placed, without cancels too much stays: it is said."""
    write_soup(tmp_path, 5, 600, every=600)
    whole = open_run(tmp_path).book_of(2).intervals
    shutil.rmtree(tmp_path / book_history.CACHE)
    data = (tmp_path / "events" / "order_accepted.parquet").read_bytes()
    (tmp_path / "events" / "order_accepted.parquet").unlink()
    damaged = open_run(tmp_path, partial=True)

    assert damaged.book_of(2).intervals.num_rows == 0
    assert "order_accepted.parquet: missing" in damaged.losses[0]
    assert not (tmp_path / book_history.CACHE).exists()
    (tmp_path / "events" / "order_accepted.parquet").write_bytes(data)
    assert open_run(tmp_path).book_of(2).intervals.equals(whole)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 30))
def test_long_histories(seed: int, tmp_path: Path) -> None:
    """Twenty worlds of 20,000 commands, every order after every twentieth."""
    truths = write_soup(tmp_path, seed, 20_000, every=20, crash=seed % 3 == 0)
    run = open_run(tmp_path)
    for instrument in range(len(run.instruments)):
        history = run.book_of(instrument)
        for truth in truths:
            book = history.after(truth.seq)
            assert (book.orders(BUY), book.orders(SELL)) == truth.orders[instrument], truth.seq


def test_a_run_ends_with_the_histories_of_its_books(tmp_path: Path) -> None:
    """The first look in a new process neither reads the tables nor imports the emulator."""
    assert main(["run", "first_trade", "--quiet", "--out", str(tmp_path)]) == 0
    (folder,) = tmp_path.iterdir()
    books = len(open_run(folder).instruments)
    assert len(list((folder / CACHE).glob("book-*.arrow"))) == books
    for name in ("order_accepted", "traded"):
        (folder / "events" / f"{name}.parquet").unlink()
    look = (
        "import sys; from exchange_sim import open_run; run = open_run(sys.argv[1]);"
        "book = run.book_of(0).at(run.manifest.end_ns);"
        "print(len(book.table()), len(book.orders_table()), book.touch() > (0, 0),"
        " 'exchange_sim.world' in sys.modules, 'pyarrow.dataset' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", look, str(folder)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert int(said[0]) > 1
    assert int(said[1]) >= int(said[0])
    assert said[2:] == ["True", "False", "False"]


def test_no_report_means_no_histories(tmp_path: Path) -> None:
    """They are built when somebody asks."""
    assert main(["run", "first_trade", "--quiet", "--no-report", "--out", str(tmp_path)]) == 0
    (folder,) = tmp_path.iterdir()
    assert not (folder / CACHE).exists()
    open_run(folder).book_of(0)
    assert (folder / CACHE / "book-0.arrow").exists()
