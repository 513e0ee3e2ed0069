"""Killed runs are finished: the same digest, the same files, in the same place."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

import pytest

from exchange_sim.journal.reader import valid_prefix
from tests.e2e.harness import SMALL, Done, files, here, left_over, manifest, run_into
from tests.e2e.test_interruption import PATIENCE_S, long_run, wait_for_bytes


def killed(run: Path, folder: Path, cut: int) -> Path:
    """A copy of a run as ``kill -9`` leaves it: a cut journal, tables in the making."""
    target = folder / run.name
    (target / "events").mkdir(parents=True)
    data = (run / "journal.bin").read_bytes()
    (target / "journal.bin").write_bytes(data[:cut])
    (target / "events" / "traded.parquet.part").write_bytes(b"PAR1")
    (target / "narrative.jsonl").write_text("{}\n")
    return target


def size_of(run: Path) -> int:
    """Bytes of a journal."""
    return (run / "journal.bin").stat().st_size


def header_size(run: Path) -> int:
    """Bytes before the first command."""
    data = (run / "journal.bin").read_bytes()
    return data.index(b"XSJL", 4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest run."""
    return run_into(tmp_path_factory.mktemp("tiny"), scenario="first_trade")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_resumed_is_undisturbed(share: float, tiny: Path, tmp_path: Path) -> None:
    """Cut anywhere after the header: byte for byte the run that nobody killed."""
    start, end = header_size(tiny), size_of(tiny)
    run = killed(tiny, tmp_path, start + round(share * (end - start - 1)))
    done = here("run", "--resume", run)

    assert done.code == 0, done.err
    assert manifest(tiny)["digest"] in done.out
    assert files(run) == files(tiny)
    assert [path.name for path in tmp_path.iterdir()] == [run.name]
    assert here("verify", run).code == 0


def test_the_end_that_was_asked_for_and_the_options(tmp_path: Path) -> None:
    """--until and --set are known to the journal."""
    whole = run_into(
        tmp_path / "a", "--until", "4s", "--set", "venues.demo.mark_interval=2s",
        scenario="first_trade",
    )  # fmt: skip
    run = killed(whole, tmp_path / "b", size_of(whole) - 1)

    assert here("run", "--resume", run).code == 0
    assert files(run) == files(whole)
    assert manifest(run)["overrides"] == ["--set venues.demo.mark_interval=2s"]


def test_another_command_was_recorded(tiny: Path, tmp_path: Path) -> None:
    """The journal of another seed under this header: the difference is shown, nothing lost."""
    other = run_into(tmp_path / "other", "--seed", 2, scenario="first_trade")
    run = killed(other, tmp_path / "b", size_of(other) - 1)
    with_header_of(run, tiny)
    before = files(run)
    done = here("run", "--resume", run)

    assert done.code == 5
    assert "differs from the recorded one: recorded NewOrder(" in done.err
    assert files(run) == before
    assert left_over(tmp_path) == [run / "events" / "traded.parquet.part"]


def with_header_of(run: Path, source: Path) -> None:
    """Put the header of another run before this one's commands, with a chain that holds."""
    from exchange_sim.journal import JournalReader, JournalWriter

    path = run / "journal.bin"
    with JournalReader(path) as reader:
        commands = list(reader.commands())
    with JournalReader(source / "journal.bin") as reader:
        header = reader.header
    path.unlink()
    writer = JournalWriter(path, header)
    for command in commands:
        writer.append(command)
    writer.abort()


def test_a_strategy_that_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its source is not the one that began the run: told before anything is executed."""
    monkeypatch.chdir(tmp_path)
    bot = tmp_path / "bot.py"
    bot.write_text(
        "from exchange_sim import Strategy\n\n\nclass Idle(Strategy):\n    '''Waits.'''\n"
    )
    whole = run_into(
        tmp_path / "a", "--strategy", "bot.py:Idle", "--venue", "demo", "--capital", "USDT=1000",
        scenario="first_trade",
    )  # fmt: skip
    run = killed(whole, tmp_path / "b", size_of(whole) - 1)
    bot.write_text(bot.read_text() + "\n    x = 1\n")
    changed = here("run", "--resume", run)
    bot.unlink()
    missing = here("run", "--resume", run)

    assert changed.code == 5
    assert "the source of" in changed.err
    assert missing.code == 2
    assert "bot.py" in missing.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "name a scenario"),
        (("run", "--resume", "{folder}"), "there is no journal here"),
        (("run", "--resume", "{tiny}"), "the run is complete; there is nothing to resume"),
        (("run", "calm", "--resume", "{tiny}"), "give nothing else but RUN"),
        (("run", "--resume", "{tiny}", "--seed", "3"), "give nothing else but RUN"),
    ],
)
def test_wrong_question(words: tuple[str, ...], told: str, tiny: Path, tmp_path: Path) -> None:
    done = here(*(word.format(tiny=tiny, folder=tmp_path) for word in words))

    assert done.code == 2
    assert told in done.err


def kill_at(out: Path, size: int, pause: float, duration: str) -> tuple[Path, Done]:
    """kill -9 some time after the journal has so many bytes; the directory and ``verify``."""
    with long_run(out, duration) as running:
        run = wait_for_bytes(running, out, size)
        time.sleep(pause)
        running.kill()
        running.communicate(timeout=PATIENCE_S)
    return run, here("verify", run)


def check_killed(run: Path, verified: Done) -> int:
    """``verify`` names the last whole record; how far that is."""
    prefix = valid_prefix(run / "journal.bin")
    assert verified.code == 4
    assert f"valid up to command {prefix.seq} (byte {prefix.size})" in verified.out
    return prefix.seq


def test_a_killed_process_is_resumed(tmp_path: Path) -> None:
    """A real kill -9 in the middle, and the digest of the run that nobody killed."""
    whole = run_into(tmp_path / "whole", "--set", "scenario.duration=6m")
    run, verified = kill_at(tmp_path / "killed", 100_000, 0.0, "6m")
    assert check_killed(run, verified) > 0
    done = here("run", "--resume", run, "--quiet")

    assert done.code == 0, done.err
    assert manifest(run)["digest"] == manifest(whole)["digest"]
    assert (run / "journal.bin").read_bytes() == (whole / "journal.bin").read_bytes()


@pytest.mark.soak
def test_twenty_kills(tmp_path: Path) -> None:
    """At twenty random moments: ``verify`` tells how far, ``--resume`` ends as if nothing was."""
    options = ("--set", "scenario.duration=30m")
    whole = run_into(tmp_path / "whole", *options, scenario=SMALL)
    rng = random.Random(20)
    for number in range(20):
        out = tmp_path / f"k{number}"
        run, verified = kill_at(out, 1 + int(rng.random() * 3_000_000), rng.random() / 5, "30m")
        if verified.code:  # Else the run had ended before it was killed.
            check_killed(run, verified)
            assert here("run", "--resume", run, "--quiet").code == 0
        assert manifest(run)["digest"] == manifest(whole)["digest"]
        shutil.rmtree(out)
