"""Damaged runs: what can be read is used, the loss is stated, and the exit code says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exchange_sim.cli import main

Damage = Callable[[Path], object]


def cut(path: Path) -> None:
    """Leave the first two thirds."""
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def more_columns(path: Path) -> None:
    """A column that this version does not know."""
    table = pq.read_table(path)
    wider = table.append_column("mystery", pa.array([1] * table.num_rows))
    pq.write_table(wider.replace_schema_metadata(table.schema.metadata), path)


def of_another_version(path: Path) -> None:
    """A table that says so itself."""
    table = pq.read_table(path)
    said = {**table.schema.metadata, b"exchange_sim.format_version": b"999"}
    pq.write_table(table.replace_schema_metadata(said), path)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "missing": (Path.unlink, "traded.parquet: missing; "),
    "cut": (cut, "traded.parquet: cannot be read as Parquet"),
    "wider": (more_columns, "traded.parquet: unknown columns left out: mystery"),
    "version": (of_another_version, "traded.parquet: format 999, this program reads"),
}
COMMANDS = {
    "report": ("report", "RUN"),
    "score": ("score", "RUN"),
    "compare": ("compare", "RUN", "RUN"),
    "compare-html": ("compare", "RUN", "RUN", "--html", "RUN/c.html"),
    "explain": ("explain", "RUN"),
    "export": ("export", "RUN", "csv", "--table", "traded"),
    "watch": ("watch", "RUN", "--frames", "1"),
}


@pytest.fixture
def copy(small_run: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    found = tmp_path / "run"
    shutil.copytree(small_run, found, ignore=shutil.ignore_patterns("cache", "report.html"))
    return found


def ask(copy: Path, command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, output and errors."""
    code = main([word.replace("RUN", str(copy)) for word in COMMANDS[command]])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_reader_says_what_is_lost(
    copy: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harm, words = DAMAGES[damage]
    harm(copy / "events" / "traded.parquet")

    for command in COMMANDS:
        code, out, err = ask(copy, command, capsys)
        assert code == 4, command
        assert f"lost: {copy / 'events'}/{words}" in err, command
        assert out, command


def test_books_that_were_lost_are_no_reason_to_give_up(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut(copy / "book_1s.parquet")

    for command in ("report", "score", "compare", "compare-html"):
        code, out, err = ask(copy, command, capsys)
        assert (code, "book_1s.parquet: cannot be read" in err, bool(out)) == (4, True, True)


def test_nothing_is_measured_from_a_damaged_table(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No trades were seen is not: there were no trades."""
    (copy / "events" / "traded.parquet").unlink()
    assert main(["score", str(copy), "--json"]) == 4
    told = json.loads(capsys.readouterr().out)

    reasons = [line["reason"] for line in told["runs"][0]["lines"]]
    assert "the table traded is damaged" in reasons
    assert any("traded.parquet: missing" in loss for loss in told["lost"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("events/_accounts.parquet", "_accounts.parquet: missing"),
        ("manifest.json", "the run was not finished"),
        ("journal.bin", "journal.bin: missing"),
    ],
)
def test_without_the_ground_there_is_only_a_message(
    copy: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (copy / name).unlink()

    for command in ("report", "score", "compare"):
        code, out, err = ask(copy, command, capsys)
        assert code in {4, 7}
        assert words in err
        assert not out
