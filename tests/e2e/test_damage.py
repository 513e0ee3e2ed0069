"""What is not as it was written is named, with the exit code of its kind; what is whole is used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exchange_sim.eventlog.manifest import file_digests
from exchange_sim.journal.reader import JournalReader
from exchange_sim.journal.writer import JournalWriter
from exchange_sim.messages.commands import Deposit
from tests.e2e.harness import Done, here, manifest, run_into


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(small_run, tmp_path / small_run.name))


def bad(done: Done) -> dict[str, str]:
    """Questions that were answered with BAD, and why."""
    lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
    return {words[1]: words[2] for words in lines if words[0] == "BAD"}


def test_honest_run_is_verified(small_run: Path) -> None:
    """All five questions are answered well."""
    done = here("verify", small_run)

    assert (done.code, bad(done), done.err) == (0, {}, "")
    assert done.out.count("ok ") == 5
    assert manifest(small_run)["digest"] in done.out


def flip(name: str) -> Callable[[Path], None]:
    """Change one bit in the middle of a file."""

    def damage(run: Path) -> None:
        data = bytearray((run / name).read_bytes())
        data[len(data) // 2] ^= 4
        (run / name).write_bytes(data)

    return damage


def cut_journal(run: Path) -> None:
    """A journal that ends in the middle of a frame."""
    data = (run / "journal.bin").read_bytes()
    (run / "journal.bin").write_bytes(data[: len(data) * 2 // 3])


def remove_manifest(run: Path) -> None:
    """As if the run had never been finished."""
    (run / "manifest.json").unlink()


def remove_table(run: Path) -> None:
    """A table less."""
    (run / "events" / "traded.parquet").unlink()


def add_table(run: Path) -> None:
    """A table more."""
    shutil.copy(run / "events" / "traded.parquet", run / "events" / "adl_executed2.parquet")


def edit_manifest(run: Path) -> None:
    """Another state digest, but nothing else."""
    content = manifest(run)
    content["state_digest"] = "0" * 32
    (run / "manifest.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "question", "told"),
    [
        (flip("journal.bin"), "journal", "valid up to command"),
        (flip("events/traded.parquet"), "files", "traded.parquet: damaged"),
        (flip("book_1s.parquet"), "files", "book_1s.parquet: damaged"),
        (flip("events/_balances.parquet"), "files", "_balances.parquet: damaged"),
        (cut_journal, "journal", "valid up to command"),
        (remove_manifest, "manifest", "the run was not finished"),
        (remove_table, "files", "traded.parquet: missing"),
        (add_table, "files", "adl_executed2.parquet: not part of the run"),
        (edit_manifest, "manifest", "was altered"),
    ],
)
def test_damage_is_named(damage: Callable[[Path], None], question: str, told: str, run) -> None:
    """Exit code 4: the run is not what was written."""
    damage(run)

    done = here("verify", run)

    assert done.code == 4
    assert told in bad(done)[question], done.out
    assert "Traceback" not in done.out + done.err


def forge(run: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Edit the table of trades and make the manifest agree with it."""
    path = run / "events" / "traded.parquet"
    table = pq.read_table(path)
    pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), path)
    content = manifest(run)
    content["files"] = file_digests(run)
    (run / "manifest.json").write_text(json.dumps(content))


def with_column(table: pa.Table, name: str, row: int, change: int) -> pa.Table:
    """The table with one number changed."""
    values = table.column(name).to_pylist()
    values[row] += change
    at = table.schema.get_field_index(name)
    field = table.schema.field(at)
    return table.set_column(at, field, pa.array(values, field.type))


def test_forged_amount_is_found_by_the_second_bookkeeper(run: Path) -> None:
    """One unit in one trade of thousands, with digests to match: exit code 3."""
    forge(run, lambda table: with_column(table, "maker_fee", 1_000, 1))

    done = here("verify", run)

    assert done.code == 3
    assert "LED-6" in bad(done)["books"]
    assert "files" not in bad(done)


def test_forged_row_is_found_by_the_count(run: Path) -> None:
    """A trade less than the journal leads to: exit code 4."""
    forge(run, lambda table: table.slice(0, table.num_rows - 1))

    done = here("verify", run)

    assert done.code == 4
    assert "rows, the manifest says" in bad(done)["tables"]


def test_forged_journal_is_found_by_replay(small_run: Path, tmp_path: Path) -> None:
    """One amount in one command, in a journal whose own chain is whole: exit code 5."""
    reader = JournalReader(small_run / "journal.bin")
    forged = tmp_path / "journal.bin"
    writer = JournalWriter(forged, reader.header)
    changed = 0
    for found in reader.commands():
        command = found
        if command[0] == Deposit.type_id and not changed:
            command = (*command[:-1], command[-1] + 1)
            changed += 1
        writer.append(command)
    assert changed == 1
    assert reader.footer is not None
    writer.close(reader.footer)
    reader.close()

    for what in ("verify", "replay"):
        done = here(what, forged)
        assert done.code == 5
        assert "state digest" in done.out


def test_cut_journal_is_replayed_up_to_its_last_whole_record(run: Path) -> None:
    """What was written before the damage can still be looked at."""
    cut_journal(run)

    done = here("replay", run, "--at", "20:50:30", "--instrument", "PEGUSDT")

    assert done.code == 0, done.out
    assert "2025-10-10T20:50:30.000000000Z" in done.out
    late = here("replay", run, "--at", "20:53:00")
    assert late.code == 4
    assert "BAD  the journal is cut" in late.out


def test_diff_shows_where_two_seeds_part(small_run: Path, tmp_path: Path) -> None:
    """The first different command with its time, its fields and what came before."""
    other = run_into(tmp_path, "--seed", "12", "--until", "5s")

    assert here("diff", small_run, small_run).out == "the runs are equal\n"
    done = here("diff", small_run, other)

    assert done.code == 5
    assert "header: seed: 11 | 12" in done.out
    left, right = (
        next(line for line in done.out.splitlines() if line.startswith(mark)) for mark in "<>"
    )
    assert left != right
    assert left.split()[1] == right.split()[1]
    assert "differs in:" in done.out


@pytest.mark.parametrize("command", [("verify",), ("replay",), ("diff", "other")])
def test_foreign_files_are_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    """A directory without a run, and a file that is no journal."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.bin").write_text("hello, this is no journal at all")
    more = [tmp_path / "empty" for _ in command[1:]]

    assert here(command[0], tmp_path / "empty", *more).code == 2
    assert here(command[0], tmp_path / "missing", *more).code == 2
    done = here(command[0], tmp_path / "text.bin", *[tmp_path / "text.bin" for _ in more])
    assert done.code == 4
    assert "Traceback" not in done.err
