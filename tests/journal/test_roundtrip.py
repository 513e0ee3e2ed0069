"""What goes into a journal comes out of it, and what does not fit is refused by name."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.errors import DeterminismMismatch, InvariantViolation, StorageError
from exchange_sim.journal import JournalFooter, JournalReader, JournalWriter, valid_prefix
from exchange_sim.journal.frames import schema_digest
from exchange_sim.journal.writer import ComparedJournal
from exchange_sim.limits import JOURNAL_BLOCK_COMMANDS
from exchange_sim.messages.registry import COMMANDS
from tests.doubles.storage import Row, any_command, cancel, header, new_order


def write(path: Path, rows: list[Row]) -> JournalWriter:
    """A complete journal of these commands."""
    writer = JournalWriter(path, header())
    for row in rows:
        writer.append(row)
    writer.close(JournalFooter(len(rows), "aa", "bb"))
    return writer


@given(rows=st.lists(any_command, max_size=30))
@settings(max_examples=60, deadline=None)
def test_random_commands_of_every_type_survive(rows: list[Row]) -> None:
    """LOG-2: decode(encode(x)) = x, whatever the integers are."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.bin"
        writer = write(path, rows)
        reader = JournalReader(path)

        assert reader.header == header()
        assert list(reader.commands()) == rows
        assert reader.footer == JournalFooter(len(rows), "aa", "bb")
        assert (reader.seq, reader.digest, reader.size) == (
            len(rows),
            writer.digest,
            path.stat().st_size,
        )


def test_every_registered_type_survives_at_the_ends_of_its_range(tmp_path: Path) -> None:
    rows = [
        (type_id, *(edge for _ in kind.field_names))
        for type_id, kind in COMMANDS.items()
        for edge in (-(2**63), 0, 2**63 - 1)
    ]

    write(tmp_path / "j", rows)

    assert list(JournalReader(tmp_path / "j").commands()) == rows


def test_blocks_are_cut_at_the_limit(tmp_path: Path) -> None:
    rows = [cancel(i) for i in range(2 * JOURNAL_BLOCK_COMMANDS + 1)]

    write(tmp_path / "j", rows)

    assert list(JournalReader(tmp_path / "j").commands()) == rows


def test_equal_runs_write_equal_bytes(tmp_path: Path) -> None:
    rows = [new_order(i) for i in range(700)]

    write(tmp_path / "a", rows)
    write(tmp_path / "b", rows)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_killed_run_loses_at_most_a_block(tmp_path: Path) -> None:
    """Nothing is closed or flushed, as after kill -9: the whole blocks are there."""
    writer = JournalWriter(tmp_path / "j", header())
    for i in range(3 * JOURNAL_BLOCK_COMMANDS - 1):
        writer.append(cancel(i))

    prefix = valid_prefix(tmp_path / "j")

    assert prefix.seq == 2 * JOURNAL_BLOCK_COMMANDS
    assert not prefix.complete
    assert "no footer" in prefix.problem
    writer.abort()


KILLED = """
import os, signal, sys, threading
from pathlib import Path
from exchange_sim.journal import JournalWriter
from tests.doubles.storage import cancel, header
writer = JournalWriter(Path(sys.argv[1]), header())
threading.Timer(float(sys.argv[2]), os.kill, (os.getpid(), signal.SIGKILL)).start()
i = 0
while True:
    writer.append(cancel(i))
    i += 1
"""


@pytest.mark.parametrize("seconds", ["0.01", "0.05", "0.1"])
def test_killed_while_writing(tmp_path: Path, seconds: str) -> None:
    """F9: kill -9 at any moment leaves a true prefix; only a frame in the making may be cut."""
    path = tmp_path / "j"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", KILLED, str(path), seconds]
    ended = subprocess.run(command, cwd=root, check=False)
    with JournalReader(path) as reader:
        rows = list(reader.commands())

        assert ended.returncode == -signal.SIGKILL
        assert rows == [cancel(i) for i in range(len(rows))]
        assert len(rows) % JOURNAL_BLOCK_COMMANDS == 0
        assert not reader.complete


def test_abort_keeps_what_was_captured(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", header())
    writer.append(new_order(0))
    writer.abort()
    writer.abort()

    assert valid_prefix(tmp_path / "j").seq == 1
    with pytest.raises(StorageError):
        writer.flush()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((2, 1, 2**63, 4), "account of CancelOrder is no 64-bit integer: 9223372036854775808"),
        ((2, 1, -(2**63) - 1, 4), "account of CancelOrder is no 64-bit integer"),
        ((2, 1, 3, 10**40), "client_order_id of CancelOrder is no 64-bit integer"),
        ((2, 1, 3, 4.0), "client_order_id of CancelOrder is no 64-bit integer: 4.0"),
        ((2, 1, 3, "4"), "client_order_id of CancelOrder is no 64-bit integer: '4'"),
        ((2, 1, 3), "CancelOrder has 3 fields, got 2"),
        ((2, 1, 3, 4, 5), "CancelOrder has 3 fields, got 4"),
        ((999, 1), "not a registered command: (999, 1)"),
        ((), "not a registered command: ()"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, row: Any, message: str) -> None:
    """LOG-2 planted: a bad command is refused before it can take effect, and is not recorded."""
    writer = JournalWriter(tmp_path / "j", header())
    writer.append(cancel(1))

    with pytest.raises(InvariantViolation) as caught:
        writer.append(cast("Row", row))

    assert message in caught.value.message
    assert (caught.value.invariant, caught.value.seq) == ("LOG-2", 2)
    writer.append(cancel(3))
    writer.close(JournalFooter(2, "", ""))
    assert list(JournalReader(tmp_path / "j").commands()) == [cancel(1), cancel(3)]


def test_a_footer_with_another_count_is_refused(tmp_path: Path) -> None:
    """LOG-1 planted: the run says it applied more commands than the journal holds."""
    writer = JournalWriter(tmp_path / "j", header())
    writer.append(cancel(1))

    with pytest.raises(InvariantViolation, match="footer says command 2, the journal holds 1"):
        writer.close(JournalFooter(2, "", ""))


def test_header_keeps_the_scenario_byte_for_byte(tmp_path: Path) -> None:
    text = '{"price": 0.10, "name": "ü\u2028\\n", "x": "\\ud83d"}'
    JournalWriter(tmp_path / "j", header(scenario_text=text)).abort()

    with JournalReader(tmp_path / "j") as reader:
        assert reader.header.scenario_text == text


def test_schema_digest_does_not_depend_on_the_process() -> None:
    assert schema_digest() == schema_digest()
    assert len(schema_digest()) == 32


def compared(path: Path, recorded: list[Row], rows: list[Row], complete: bool = True) -> None:
    """Write commands against recorded ones."""
    writer = ComparedJournal(path, header(), iter(recorded))
    try:
        for row in rows:
            writer.append(row)
        writer.close(JournalFooter(len(rows), "aa", "bb", complete))
    finally:
        writer.abort()


def test_a_compared_journal_is_the_same_journal(tmp_path: Path) -> None:
    """Commands after the recorded ones are only written."""
    rows = [new_order(i) for i in range(9)]
    compared(tmp_path / "a", rows[:5], rows)
    write(tmp_path / "b", rows)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_compared_journal_finds_the_first_difference(tmp_path: Path) -> None:
    rows = [new_order(i) for i in range(9)]
    other = [*rows[:3], new_order(3, qty=6), *rows[4:]]

    with pytest.raises(DeterminismMismatch, match=r"command 4 differs .* qty=6,.* qty=5,"):
        compared(tmp_path / "a", other, rows)
    with pytest.raises(DeterminismMismatch, match="ended at command 8, but more were recorded"):
        compared(tmp_path / "b", rows, rows[:8])
    compared(tmp_path / "c", rows, rows[:8], complete=False)
