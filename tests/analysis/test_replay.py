"""Replay, verify and diff: equal runs are equal, and what differs is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange_sim.analysis.diff import diff_journals
from exchange_sim.analysis.replay import replay
from exchange_sim.analysis.verify import verify
from exchange_sim.errors import InvariantViolation, JournalCorrupt, UsageError
from exchange_sim.eventlog import EventLog
from exchange_sim.journal import JournalFooter, JournalWriter
from tests.doubles.storage import START_NS, header
from tests.doubles.tiny_run import (
    ALICE,
    SECOND,
    USDT,
    TinyWorld,
    commands,
    order,
    tiny_world,
    write_run,
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    write_run(folder)
    return folder


def test_replay_leads_to_the_recorded_digests(run: Path) -> None:
    """LOG-3: the same state and the same events, without anything but the journal."""
    found = replay(run / "journal.bin", tiny_world)
    manifest = json.loads((run / "manifest.json").read_text())

    assert (found.problem, found.mismatches, found.stopped_early) == ("", (), False)
    assert found.seq == found.world.seq == len(commands())
    assert found.digest == manifest["digest"]
    assert found.counts == manifest["counts"]
    assert found.journal_digest == manifest["journal_digest"]


def test_replay_writes_the_tables_again(run: Path, tmp_path: Path) -> None:
    log = EventLog(tmp_path / "again")
    replay(run / "journal.bin", tiny_world, log=log)
    log.close()

    for path in (tmp_path / "again" / "events").iterdir():
        assert path.read_bytes() == (run / "events" / path.name).read_bytes()


def test_replay_until_a_time(run: Path) -> None:
    """Commands at that nanosecond are applied, later ones are not; nothing is compared."""
    found = replay(run / "journal.bin", tiny_world, until_time=START_NS + 3 * SECOND)

    assert found.seq == 8
    assert (found.stopped_early, found.footer, found.mismatches) == (True, None, ())
    assert found.time_ns == START_NS + 3 * SECOND


def test_replay_reports_progress(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange_sim.analysis.replay._PROGRESS_EVERY", 5)
    seen: list[tuple[int, int]] = []
    replay(run / "journal.bin", tiny_world, progress=lambda *now: seen.append(now))

    assert [seq for seq, _ in seen] == [5, 10, 15]


def test_a_world_that_differs_is_found(run: Path) -> None:
    """LOG-3 planted: one unit of one fee."""
    found = replay(run / "journal.bin", lambda _: TinyWorld("fee"))

    assert [text.partition(":")[0] for text in found.mismatches] == ["state digest", "event digest"]


def test_cut_journal_is_replayed_to_its_last_whole_record(run: Path) -> None:
    path = run / "journal.bin"
    path.write_bytes(path.read_bytes()[:-300])
    found = replay(path, tiny_world)

    assert found.seq == 16
    assert "is cut in the frame that starts at byte" in found.problem
    assert (found.footer, found.mismatches) == (None, ())


def test_damaged_journal_is_replayed_up_to_the_damage(run: Path) -> None:
    path = run / "journal.bin"
    data = bytearray(path.read_bytes())
    data[-250] ^= 1
    path.write_bytes(data)

    assert replay(path, tiny_world).problem.endswith("last whole record ends at command 16)")


def test_log_1_planted_in_a_journal(tmp_path: Path) -> None:
    """A clock that ran backwards is no recording of a run."""
    writer = JournalWriter(tmp_path / "j", header())
    for row in (order(2, 0, 0, 9), order(1, 0, 0, 9)):
        writer.append(row)
    writer.close(JournalFooter(2, "", ""))

    with pytest.raises(InvariantViolation, match="the time goes back"):
        replay(tmp_path / "j", tiny_world)


def test_verify_a_sound_run(run: Path) -> None:
    found = verify(run, tiny_world)

    assert [(check.name, check.passed) for check in found.checks] == [
        ("files", True),
        ("journal", True),
        ("replay", True),
        ("tables", True),
        ("books", True),
    ]
    assert (found.passed, found.exit_code) == (True, 0)
    assert verify(run / "journal.bin", tiny_world).passed
    assert [check.name for check in verify(run).checks] == ["files", "journal", "tables", "books"]


def bad_checks(run: Path, flaw: str = "") -> dict[str, tuple[int, str]]:
    """Exit code and detail of the checks that fail."""
    found = verify(run, lambda _: TinyWorld(flaw))
    return {c.name: (c.exit_code, c.detail) for c in found.checks if not c.passed}


def test_verify_an_unfinished_run(run: Path) -> None:
    """A killed run: no manifest, a cut journal; the prefix still replays."""
    (run / "manifest.json").unlink()
    path = run / "journal.bin"
    path.write_bytes(path.read_bytes()[:-300])
    bad = bad_checks(run)

    assert list(bad) == ["manifest", "journal"]
    assert "valid up to command 16 (byte" in bad["journal"][1]
    assert verify(run, tiny_world).exit_code == 4


def test_verify_another_world(run: Path) -> None:
    assert bad_checks(run, "fee")["replay"][0] == 5


def test_verify_a_damaged_table(run: Path) -> None:
    path = run / "events" / "traded.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    bad = bad_checks(run)

    assert list(bad) == ["files", "tables", "books"]
    assert {code for code, _ in bad.values()} == {4}


def test_verify_tables_of_another_run(run: Path, tmp_path: Path) -> None:
    """Whole, consistent tables that do not belong to this journal."""
    other = tmp_path / "other"
    other.mkdir()
    write_run(other, [*commands(), order(13, 0, 0, 9)])
    (run / "journal.bin").replace(other / "journal.bin")

    assert list(bad_checks(other)) == ["files", "replay", "tables"]


def test_verify_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        verify(tmp_path, tiny_world)
    (tmp_path / "journal.bin").write_bytes(b"x")
    with pytest.raises(JournalCorrupt):
        verify(tmp_path, tiny_world)


def test_equal_journals_have_no_difference(run: Path, tmp_path: Path) -> None:
    write_run(tmp_path)

    assert diff_journals(run / "journal.bin", tmp_path / "journal.bin") is None


def test_first_differing_command(run: Path, tmp_path: Path) -> None:
    """Number, context, both commands and the names of the fields."""
    rows = commands()
    rows[6] = (*rows[6][:8], rows[6][8] + 1, rows[6][9] + 2, *rows[6][10:])
    write_run(tmp_path, rows)
    found = diff_journals(run / "journal.bin", tmp_path / "journal.bin", context=2)

    assert found is not None
    assert (found.seq, found.fields) == (7, ("price", "qty"))
    assert found.before == tuple(commands()[4:6])
    lines = found.lines()
    assert lines[0].startswith("  5 2025-10-10T20:50:00.000000000Z NewOrder(")
    assert lines[2].startswith("< 7 ")
    assert "price=99000, qty=10" in lines[2]
    assert "price=99001, qty=12" in lines[3]
    assert "side=<Side.SELL: 1>" in lines[2]
    assert lines[4] == "differs in: price, qty"


def test_one_journal_is_longer(run: Path, tmp_path: Path) -> None:
    write_run(tmp_path, commands()[:5])
    found = diff_journals(tmp_path / "journal.bin", run / "journal.bin")

    assert found is not None
    assert (found.seq, found.left, found.right) == (6, None, commands()[5])
    assert "< 6 (the journal has ended)" in found.lines()


def test_other_type_and_unknown_member(run: Path, tmp_path: Path) -> None:
    """A command that no enumeration knows is shown as numbers."""
    rows = commands()
    rows[0] = (21, START_NS, ALICE, USDT, 5)
    rows[1] = order(0, 0, 77, 9)
    write_run(tmp_path, rows)
    first = diff_journals(run / "journal.bin", tmp_path / "journal.bin")
    write_run(tmp_path, [commands()[0], *rows[1:]])
    second = diff_journals(run / "journal.bin", tmp_path / "journal.bin")

    assert first is not None
    assert second is not None
    assert (first.fields, second.fields) == (("amount",), ("type",))
    assert "side=77" in second.lines()[2]


def test_headers_that_differ(run: Path, tmp_path: Path) -> None:
    write_run(tmp_path, seed=8, scenario_text="x" * 100)
    found = diff_journals(run / "journal.bin", tmp_path / "journal.bin")

    assert found is not None
    assert found.lines() == [
        "header: seed: 7 | 8",
        "header: scenario_text differs",
        f"all {len(commands())} commands are equal",
    ]
