"""Runs that end early: Ctrl-C, kill -9, --until.  What they wrote is closed or can be read."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exchange_sim.journal.reader import JournalReader, valid_prefix
from exchange_sim.units import NANOS_PER_S
from tests.e2e.harness import (
    ROOT,
    SMALL,
    command,
    environment_with,
    here,
    left_over,
    manifest,
    prints,
    run_into,
)

PATIENCE_S = 120.0
"""How long we wait for a process to get somewhere, on a busy machine."""


@contextmanager
def long_run(out: Path, duration: str = "30m") -> Iterator[subprocess.Popen[str]]:
    """A process that runs the small crash for half an hour of simulated time."""
    words = command("run", SMALL, "--out", out, "--set", f"scenario.duration={duration}")
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment_with(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            if running.poll() is None:
                running.kill()


def wait_for_bytes(running: subprocess.Popen[str], out: Path, size: int) -> Path:
    """Wait until the journal has so many bytes; returns the run's directory."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert running.poll() is None, running.communicate()
        for journal in out.glob("*/journal.bin"):
            if journal.stat().st_size >= size:
                return journal.parent
        time.sleep(0.02)
    raise AssertionError("the journal did not grow")


def test_first_ctrl_c_closes_everything(tmp_path: Path) -> None:
    """Exit code 130, a complete set of files, and a run that is verified like any other."""
    with long_run(tmp_path) as running:
        run = wait_for_bytes(running, tmp_path, 300_000)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE_S)

    assert running.returncode == 130
    assert re.search(r"interrupted at 2025-10-10T2\d:\d\d:\d\dZ; the log is closed", err)
    assert "Traceback" not in err
    assert str(run) in out
    assert manifest(run)["complete"] is False
    assert left_over(tmp_path) == []
    done = here("verify", run)
    assert done.code == 0, done.out
    assert manifest(run)["digest"] in done.out


def test_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    """Still 130 and no traceback; what was written is a journal up to its last whole record."""
    with long_run(tmp_path) as running:
        run = wait_for_bytes(running, tmp_path, 300_000)
        running.send_signal(signal.SIGINT)
        time.sleep(0.003)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=PATIENCE_S)

    assert running.returncode in {130, -signal.SIGINT}
    assert "Traceback (most recent call last)" not in err
    assert valid_prefix(run / "journal.bin").seq > 0
    assert here("verify", run).code in {0, 4}


@pytest.mark.parametrize("size", [1, 150_000, 400_000])
def test_kill_leaves_a_prefix(size: int, tmp_path: Path) -> None:
    """kill -9: verify says how far the journal is good, and replay gets there."""
    with long_run(tmp_path) as running:
        run = wait_for_bytes(running, tmp_path, size)
        running.kill()
        running.communicate(timeout=PATIENCE_S)

    prefix = valid_prefix(run / "journal.bin")
    done = here("verify", run)
    assert done.code == 4
    assert f"valid up to command {prefix.seq} (byte {prefix.size})" in done.out
    assert "the run was not finished" in done.out
    if prefix.seq:
        assert f"replayed {prefix.seq:,} commands; there is no end to compare with" in done.out
        reader = JournalReader(run / "journal.bin")
        times = [command[1] for command in reader.commands()]
        reader.close()
        # One that was killed while its accounts were made has no state at the start to show.
        began = times[-1] > times[0]
        assert here("replay", run, "--at", "0s").code == (0 if began else 4)
    replayed = here("replay", run)
    assert replayed.code == 4
    assert f"{prefix.seq:,}" in replayed.out


def test_until_is_a_beginning_of_the_whole_run(small_run: Path, tmp_path: Path) -> None:
    """Stopped early, by duration or by time: the same trades up to there."""
    by_duration = run_into(tmp_path / "a", "--until", "55s")
    by_time = run_into(tmp_path / "b", "--until", "2025-10-10T20:50:55Z")
    by_clock = run_into(tmp_path / "c", "--until", "20:50:55")

    end_ns = manifest(small_run)["start_ns"] + 55 * NANOS_PER_S
    wanted = [row for row in prints(small_run) if row["time_ns"] < end_ns]
    assert wanted
    assert prints(by_duration) == wanted
    digests = {manifest(run)["digest"] for run in (by_duration, by_time, by_clock)}
    assert len(digests) == 1
    assert manifest(by_duration)["complete"] is True
    assert here("verify", by_duration).code == 0
