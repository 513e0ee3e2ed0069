"""Opening a run: what is missing, damaged, foreign or of another version is named."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exchange_sim.analysis.run_dir import RunCorrupt, journal_of, open_run
from exchange_sim.errors import UsageError
from exchange_sim.messages.events import AuctionUncrossed, LedgerPosted, Traded
from exchange_sim.messages.registry import EVENTS
from tests.doubles.tiny_run import OWNERS, write_run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("run")
    write_run(folder)
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(original, tmp_path / "run"))


def test_a_sound_run(original: Path) -> None:
    """Every table can be read, kinds that never happened are empty, names are rows."""
    data = open_run(original)

    assert data.manifest.scenario == "tiny"
    assert data.table(Traded).num_rows == data.manifest.counts["traded"] == 12
    assert data.table("traded") is data.table(Traded)
    assert data.table(AuctionUncrossed).num_rows == 0
    assert [data.table(kind).column_names[:2] for kind in EVENTS.values()] == [
        ["seq", "time_ns"]
    ] * len(EVENTS)
    assert [row["owner"] for row in data.accounts] == list(OWNERS)
    assert [row["symbol"] for row in data.assets] == ["USDT", "BTC"]
    assert data.book.num_rows == 40
    assert data.damaged_files() == []
    assert journal_of(original) == data.journal_path == journal_of(data.journal_path)


def test_no_such_run_table_or_journal(original: Path, tmp_path: Path) -> None:
    for action in (
        lambda: open_run(tmp_path / "none"),
        lambda: journal_of(tmp_path / "none"),
        lambda: journal_of(tmp_path),
        lambda: open_run(original).table("cows"),
    ):
        with pytest.raises(UsageError):
            action()


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunCorrupt, match="this is not a run directory") as caught:
        open_run(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert caught.value.exit_code == 4


def test_unfinished_run(run: Path) -> None:
    (run / "manifest.json").unlink()

    with pytest.raises(RunCorrupt, match="the run was not finished; its journal can still be"):
        open_run(run)


def manifest_with(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite the manifest after a change to its contents."""
    path = run / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format_version=2), "format 2, this program reads 1"),
        (lambda m: m.pop("format_version"), "format None, this program reads 1"),
        (lambda m: m.update(event_digest="00"), "was altered"),
        (lambda m: m.update(digest="00"), "was altered"),
        (lambda m: m.pop("seed"), "does not have the fields"),
        (lambda m: m.update(seed="7"), "does not have the fields"),
        (lambda m: m.update(seed=7.5), "does not have the fields"),
        (lambda m: m.update(cows=1), "does not have the fields"),
        (lambda m: m.update(counts=[1]), "does not have the fields"),
        (lambda m: m.update(counts={"traded": "x"}), "does not have the fields"),
        (lambda m: m.pop("files"), "does not have the fields"),
        (lambda m: m.update(files=7), "does not have the fields"),
    ],
)
def test_altered_manifest(
    run: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    manifest_with(run, change)

    with pytest.raises(RunCorrupt, match=message):
        open_run(run)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 10**5])
def test_manifest_that_is_none(run: Path, data: bytes) -> None:
    (run / "manifest.json").write_bytes(data)

    with pytest.raises(RunCorrupt, match=r"manifest\.json: is not"):
        open_run(run)


def test_missing_and_added_files(run: Path) -> None:
    (run / "events" / "traded.parquet").unlink()
    shutil.copy(run / "book_1s.parquet", run / "events" / "cows.parquet")
    data = open_run(run)

    with pytest.raises(RunCorrupt, match=r"events/traded\.parquet: missing"):
        data.table(Traded)
    assert [text.removeprefix(str(run)) for text in data.damaged_files()] == [
        "/events/cows.parquet: not part of the run",
        "/events/traded.parquet: missing",
    ]


def test_every_damaged_byte_is_found(run: Path) -> None:
    """A flipped bit is seen by the digests; reading the table never ends in another error."""
    path = run / "events" / "traded.parquet"
    data = path.read_bytes()
    draw = random.Random(1)
    for at in draw.sample(range(len(data)), 150):
        changed = bytearray(data)
        changed[at] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        opened = open_run(run)
        assert opened.damaged_files() == [f"{path}: damaged (its digest is not the recorded one)"]
        with suppress(RunCorrupt):  # Damage in a page may go unnoticed by the reader of Parquet.
            opened.table(Traded)


@pytest.mark.parametrize("size", [0, 4, 100, 1_000, -1])
def test_cut_table(run: Path, size: int) -> None:
    path = run / "events" / "traded.parquet"
    path.write_bytes(path.read_bytes()[:size])

    with pytest.raises(RunCorrupt, match=r"traded\.parquet: cannot be read as Parquet"):
        open_run(run).table(Traded)


def test_table_of_another_kind(run: Path) -> None:
    shutil.copy(run / "events" / "ledger_posted.parquet", run / "events" / "traded.parquet")

    with pytest.raises(RunCorrupt, match="is not a table of Traded"):
        open_run(run).table(Traded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(1), "holds 4 rows, the manifest says 5"),
        (lambda t: t.drop_columns(["amount"]), "has other columns than this version's"),
        (
            lambda t: t.replace_schema_metadata(
                {**t.schema.metadata, b"exchange_sim.format_version": b"9"}
            ),
            "format 9, this program reads 1",
        ),
        (lambda t: t.replace_schema_metadata(None), "is not a table of LedgerPosted"),
    ],
)
def test_foreign_table(run: Path, change: Callable[[pa.Table], pa.Table], message: str) -> None:
    path = run / "events" / "ledger_posted.parquet"
    pq.write_table(change(pq.read_table(path)), path)

    with pytest.raises(RunCorrupt, match=message):
        open_run(run).table(LedgerPosted)


def test_foreign_side_tables(run: Path) -> None:
    path = run / "events" / "_accounts.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(1), path)
    with pytest.raises(RunCorrupt, match="account does not count from 0"):
        _ = open_run(run).accounts
    pq.write_table(table.drop_columns(["owner"]), path)
    with pytest.raises(RunCorrupt, match="no column owner of type string"):
        _ = open_run(run).accounts


def test_run_without_tables(run: Path) -> None:
    shutil.rmtree(run / "events")
    manifest_with(run, lambda m: m.update(files={"journal.bin": m["files"]["journal.bin"]}))
    data = open_run(run)

    assert not data.has_tables
    with pytest.raises(RunCorrupt, match="written without event tables"):
        data.table(Traded)
