"""``exchange-sim new``: what it writes works as it is, and nothing is overwritten."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from exchange_sim import open_run
from exchange_sim.cli import main

ROOT = Path(__file__).parents[1]


def test_new_strategy_runs_and_its_test_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands that it prints do what they say."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "strategy", "spread_maker"]) == 0
    told = capsys.readouterr().out
    assert "spread_maker.py:SpreadMaker" in told

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_spread_maker.py"],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 passed" in done.stdout, done.stdout

    (command,) = [line for line in told.splitlines() if line.startswith("run it:")]
    words = command.partition("exchange-sim ")[2].replace("--until 5m", "--until 20s").split()
    assert main([*words, "--quiet"]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    sheet = open_run(run).tear_sheet("added-spreadmaker")
    assert sheet.orders.accepted > 10
    assert set(sheet.series) == {"mid", "position"}


@pytest.mark.parametrize(
    "check",
    [
        "ruff check --isolated --select E,F,I,B,UP --line-length 100",
        "ruff format --isolated --check --line-length 100",
        "mypy --strict --follow-imports=silent",
    ],
)
def test_new_strategy_passes_the_usual_checks(
    check: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder of its own, where this package is one of many."""
    pytest.importorskip(check.partition(" ")[0])
    monkeypatch.chdir(tmp_path)
    assert main(["new", "strategy", "spread_maker"]) == 0

    done = subprocess.run(
        [sys.executable, "-m", *check.split(), "spread_maker.py", "test_spread_maker.py"],
        cwd=tmp_path, env={"MYPYPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_new_scenario_is_a_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It loads, with its outage, and says how to run it."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "scenario", "storm"]) == 0
    assert "exchange-sim run storm.toml" in capsys.readouterr().out
    assert main(["scenarios", "storm.toml"]) == 0
    assert main(["run", "storm.toml", "--until", "3s", "--no-log", "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["strategy", "My-Bot"], "try 'my_bot'"),
        (["strategy", "MyBot"], "try 'my_bot'"),
        (["strategy", "class"], "try 'class'"),
        (["scenario", "a/b"], "letters, digits"),
    ],
)
def test_names_that_are_none(
    words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With a better one."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", *words]) == 2
    assert told.replace("'class'", "'class_bot'") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that exists stays as it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("precious")
    assert main(["new", "strategy", "mine"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mine.py").read_text() == "precious"
    assert main(["new", "strategy", "mine", "--dir", str(tmp_path / "nowhere")]) == 7
