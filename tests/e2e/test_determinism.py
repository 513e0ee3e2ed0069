"""Equal inputs give equal runs: on every process, hash seed, directory, time zone and option."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.e2e.harness import (
    BOTS,
    ROOT,
    SMALL,
    files,
    here,
    manifest,
    prints,
    process,
    run_into,
)


def test_two_runs_in_one_process_have_equal_files(small_run: Path, tmp_path: Path) -> None:
    """Byte by byte, from the journal to the narrative."""
    again = run_into(tmp_path)

    first, second = files(small_run), files(again)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    assert again.name == small_run.name


ELSEWHERE = {
    "hash seed 0": ({"PYTHONHASHSEED": "0"}, ()),
    "hash seed 1, only errors told": ({"PYTHONHASHSEED": "1"}, ("--log-level", "error")),
    "random hash seed, everything told": (
        {"PYTHONHASHSEED": "random"},
        ("--log-level", "debug"),
    ),
    "another time zone and language": (
        {"TZ": "Pacific/Chatham", "LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"},
        ("--quiet", "--log-level", "info"),
    ),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_other_process_and_directory(name: str, small_run: Path, tmp_path: Path) -> None:
    """Journal, tables and digest do not depend on where and how the run was made."""
    environment, options = ELSEWHERE[name]
    out = tmp_path / "elsewhere"
    done = process("run", SMALL, "--out", out, *options, cwd=tmp_path, **environment)
    assert (done.code, done.err) == (0, "")

    (run,) = out.iterdir()
    same, other = files(small_run), files(run)
    different = {key for key in same | other if same.get(key) != other.get(key)}
    told_differently = "--log-level" in options and "info" not in options
    assert different == ({"narrative.jsonl"} if told_differently else set())


def test_levels_of_the_narrative(tmp_path: Path) -> None:
    """Each level tells less than the one before it; an error is told at every level."""
    told = []
    for level in ("debug", "info", "warning", "error"):
        run = run_into(tmp_path / level, "--log-level", level, "--until", "125s")
        lines = (run / "narrative.jsonl").read_text().splitlines()
        assert any("insurance fund exhausted" in line for line in lines)
        told.append(lines)

    counts = [len(lines) for lines in told]
    assert counts == sorted(set(counts), reverse=True)
    assert all(set(less) <= set(more) for more, less in pairwise(told))


def test_writing_nothing_changes_nothing(small_run: Path) -> None:
    """``--no-log``: no journal, no tables, the same digest."""
    done = here("run", SMALL, "--no-log")

    assert done.code == 0
    assert done.digest == manifest(small_run)["digest"]


def test_checking_changes_nothing(small_run: Path) -> None:
    """Sampled checks on the whole crash; full checks, which are slow, on its beginning."""
    sampled = here("run", SMALL, "--no-log", "--check", "sampled")
    beginning = ("run", SMALL, "--no-log", "--until", "41s")

    assert sampled.digest == manifest(small_run)["digest"]
    assert here(*beginning, "--check", "full").digest == here(*beginning).digest


def test_seed_matters() -> None:
    """Another seed is another crash."""
    runs = [here("run", SMALL, "--no-log", "--until", "10s", "--seed", seed) for seed in (11, 12)]

    assert runs[0].digest != runs[1].digest


@pytest.mark.parametrize("bot", ["Silent", "Listener"])
def test_silent_strategy_moves_nobody(bot: str, small_run: Path, tmp_path: Path) -> None:
    """One more participant that sends nothing: all trades happen at the same time and price."""
    options = ("--strategy", f"{BOTS}:{bot}", "--venue", "leading", "--capital", "USDT=1000")
    run = run_into(tmp_path, *options)

    assert prints(run) == prints(small_run)
    assert manifest(run)["digest"] != manifest(small_run)["digest"]


def test_strategy_file_is_found_from_where_one_is(tmp_path: Path) -> None:
    """``--strategy bot.py:Bot`` names a file of the working directory, not of the scenario's."""
    (tmp_path / "mine.py").write_text(BOTS.read_text())
    options = ("--strategy", "mine.py:Silent", "--venue", "leading", "--until", "3s", "--no-log")

    done = process("run", SMALL, *options, cwd=tmp_path)

    assert (done.code, done.err) == (0, "")


def test_scenario_may_be_named_relative_to_where_one_is(tmp_path: Path, small_run: Path) -> None:
    """A scenario with a class file beside it, reached by a relative path from another folder."""
    folder = tmp_path / "deep" / "scenarios"
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text(BOTS.read_text())
    item = '[[participants]]\nname = "extra"\nclass = "mine.py:Silent"\nvenue = "leading"\n'
    (folder / "more.toml").write_text(f'extends = "{SMALL}"\n{item}')

    done = process("run", "deep/scenarios/more.toml", "--out", "runs", cwd=tmp_path)

    assert (done.code, done.err) == (0, "")
    (run,) = (tmp_path / "runs").iterdir()
    assert prints(run) == prints(small_run)


def test_runs_hold_no_path_of_this_machine(small_run: Path) -> None:
    """Neither journal nor manifest nor narrative say where the product is installed."""
    found = [name for name, data in files(small_run).items() if str(ROOT).encode() in data]

    assert found == []
