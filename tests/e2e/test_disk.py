"""A full, read-only or missing disk: exit code 7, one located message, nothing half-written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from exchange_sim.journal.reader import valid_prefix
from tests.e2e.harness import (
    ROOT,
    SMALL,
    TIMEOUT_S,
    Done,
    command,
    environment_with,
    here,
    left_over,
    process,
)


def with_files_up_to(size: int, *arguments: object) -> Done:
    """Run in a process whose files cannot grow beyond ``size`` bytes: for it the disk is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment_with(PYTHONDONTWRITEBYTECODE="1"),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        preexec_fn=limit,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("size", [4_096, 20_000, 70_000, 300_000])
def test_full_disk(size: int, tmp_path: Path) -> None:
    """Whatever file is the first that does not fit, it is named, and the rest stays readable."""
    done = with_files_up_to(size, "run", SMALL, "--out", tmp_path, "--until", "75s")

    assert done.code == 7, done
    assert done.err.startswith("error: cannot write ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert "digest" not in done.out
    assert left_over(tmp_path) == []
    for run in tmp_path.iterdir():
        prefix = valid_prefix(run / "journal.bin")
        found = here("verify", run)
        assert found.code == 4
        assert f"valid up to command {prefix.seq}" in found.out or prefix.complete


def test_not_even_the_first_byte(tmp_path: Path) -> None:
    """A run that could not begin leaves no directory."""
    done = with_files_up_to(0, "run", SMALL, "--out", tmp_path)

    assert done.code == 7
    assert done.err.startswith("error: cannot write journal.bin: ")
    assert list(tmp_path.iterdir()) == []


def test_out_is_a_file(tmp_path: Path) -> None:
    """The directory of runs cannot be made."""
    (tmp_path / "file").touch()

    done = here("run", SMALL, "--out", tmp_path / "file" / "runs")

    assert done.code == 7
    assert done.err.startswith("error: cannot create small-11-")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_out_may_not_be_written(tmp_path: Path) -> None:
    """No permission, and what to do about it."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)

    done = here("run", SMALL, "--out", locked)

    assert done.code == 7
    assert "write the run elsewhere" in done.err


def test_out_is_read_only() -> None:
    """A file system of the kernel that takes no files."""
    done = here("run", SMALL, "--out", "/proc/self/fd/runs")

    assert done.code == 7
    assert done.err.startswith("error: cannot create ")


def test_output_that_nobody_takes() -> None:
    """Standard output on a full device is an error of storage, not a defect."""
    words = " ".join(command("scenarios"))
    done = subprocess.run(
        ["bash", "-c", f"{words} > /dev/full"],
        cwd=ROOT,
        env=environment_with(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert done.returncode == 7, done.stderr


def test_scenario_that_cannot_be_built_leaves_nothing(tmp_path: Path) -> None:
    """Found after the directory was made: the directory is gone again."""
    done = process(
        "run", SMALL, "--out", tmp_path, "--set", "participants.whale.loans.USDT=9000000"
    )

    assert done.code == 2
    assert "the venue refuses this loan" in done.err
    assert list(tmp_path.iterdir()) == []


def test_program_runs_where_nothing_may_be_written(tmp_path: Path) -> None:
    """``--no-log`` needs no disk at all."""
    done = with_files_up_to(0, "run", SMALL, "--no-log", "--until", "3s")

    assert (done.code, done.err) == (0, "")
    assert sys.version_info >= (3, 11)
