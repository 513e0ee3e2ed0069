"""The command line: exit codes, located errors, no traceback ever, plain progress."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import exchange_sim
from exchange_sim import errors
from exchange_sim.analysis.report.words import dollars
from exchange_sim.cli import main, render, seam
from exchange_sim.errors import UsageError
from exchange_sim.scenario import load
from exchange_sim.scenario.until import end_of, instant_of
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_S

ROOT = Path(__file__).parents[1]
GOOD = ROOT / "tests" / "scenario" / "data" / "good.toml"


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[seam.Request]:
    """A runner that only records what it was asked for."""
    seen: list[seam.Request] = []

    def execute(request: seam.Request, progress: render.RunProgress) -> seam.Finished:
        seen.append(request)
        progress(request.until_ns, 12)
        tables = (("", ("asset", "low"), [("BTC", "-14.6%")]),)
        return seam.Finished(Path("runs/x"), "abc", False, {"commands": 12345}, tables)

    monkeypatch.setattr(seam, "execute", execute)
    return seen


def test_version_is_the_one_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """One number in three places."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"exchange-sim {exchange_sim.__version__}\n"
    assert project["version"] == exchange_sim.__version__


def test_run_passes_everything_on(requests, capsys: pytest.CaptureFixture[str]) -> None:
    """Options reach the scenario and the runner; the summary goes to standard output."""
    code = main(
        f"run {GOOD} --out there --until 2m --seed 5 --set participants.mm-ladder.count=1 "
        "--without dip_buyers --check full --log-level debug".split()
    )

    (request,) = requests
    scenario = request.scenario
    out, err = capsys.readouterr()
    assert code == 0
    assert (scenario.seed, scenario.about.checks, request.out) == (5, "full", Path("there"))
    assert request.until_ns == scenario.start_ns + 2 * NANOS_PER_MINUTE
    assert [item.count for item in scenario.participants] == [1, 1]
    assert request.options == ("--set participants.mm-ladder.count=1", "--without dip_buyers")
    for text in ("BTC", "-14.6%", "12,345", "abc", "runs/x", "good, seed 5"):
        assert text in out
    assert err == ""


def test_no_log_and_quiet(requests, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written, nothing is said."""
    assert main(["run", str(GOOD), "--no-log", "--quiet"]) == 0
    assert requests[0].out is None
    assert capsys.readouterr() == ("", "")


def test_added_strategy_is_one_more_participant(requests) -> None:
    """``--strategy`` with its venue, capital and parameters."""
    options = "--strategy bots.mine:Bot --venue leading --venue second --capital USDT=10.5"
    more = ["--param", "size=0.1", "--param", "symbol=BTCUSDT"]

    assert main(["run", str(GOOD), *options.split(), *more]) == 0

    added = next(p for p in requests[0].scenario.participants if p.name == "added-bot")
    assert added.class_ref == "bots.mine:Bot"
    assert added.venues == ("leading", "second")
    assert str(added.capital["USDT"]) == "10.5"
    assert {k: str(v) for k, v in added.params.items()} == {"size": "0.1", "symbol": "BTCUSDT"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--until tomorrow", "neither a UTC time nor a duration"),
        ("--until 20m", "outside the scenario, 2025-10-10T20:50:00Z to 2025-10-10T21:00:00Z"),
        ("--until 0s", "nothing would happen"),
        ("--check all", "--check must be one of cheap, sampled, full"),
        ("--log-level loud", "--log-level must be one of"),
        ("--venue leading", "give --strategy too"),
        ("--strategy a:B", "needs --venue"),
        ("--strategy a:B --venue leading --capital USDT", "must be NAME=VALUE"),
        ("--strategy a:B --venue leadng", "--venue leadng: error: there is no venue 'leadng'"),
        ("--strategy a:B --venue leading --capital USDC=1", "--capital USDC=1: error: there is no"),
        ("--strategy B --venue leading", '"package.module:Class"'),
        ("--strategy no.py:B --venue leading", "there is no file no.py"),
        ("--set x", "--set x: error: must be path=value"),
        ("--set venues.leadng.fees=1", "did you mean 'leading'?"),
        ("--without magic", "unknown mechanism 'magic'"),
        ("--seed -1", "whole number of at least 0"),
    ],
)
def test_wrong_request_ends_with_2(options: str, message: str, requests, capsys) -> None:
    """A mistake of the user is explained on standard error, and nothing runs."""
    assert main(["run", str(GOOD), *options.split()]) == 2

    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert requests == []


@pytest.mark.parametrize("arguments", ["run", "run x --bogus", "fly", "run x --seed seven"])
def test_unusable_command_line_ends_with_2(arguments: str, capsys) -> None:
    """Click's own errors keep its form and its code."""
    assert main(arguments.split()) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_broken_scenario_is_reported_with_its_lines(tmp_path: Path, capsys) -> None:
    """Every mistake, as ``file:line:column: error: ...`` with a hint."""
    file = tmp_path / "broken.toml"
    file.write_text(GOOD.read_text().replace("adl =", "adll =").replace("seed = 7", "seed = -7"))
    (tmp_path / "maker.py").write_text((GOOD.parent / "maker.py").read_text())

    assert main(["run", str(file)]) == 2

    err = capsys.readouterr().err
    assert f"{file}:7:8: error: scenario.seed must be a whole number of at least 0, not -7" in err
    assert (
        f"{file}:12:1: error: unknown key 'mechanisms.adll'\n    hint: did you mean 'adl'?" in err
    )
    assert err.endswith("the scenario cannot be used: 2 problems\n")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvariantViolation("sum is 1", "LED-1", 5), 3),
        (errors.JournalCorrupt("bad frame", 10, 4), 4),
        (errors.DeterminismMismatch("differs"), 5),
        (errors.StrategyFault("bot.py:5: boom"), 6),
        (errors.StorageError("disk full"), 7),
        (errors.Livelock("stuck"), 8),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_code_is_the_kind_of_failure(error, code: int, monkeypatch, capsys) -> None:
    """Each branch of the tree of errors has its code; the message is one line."""

    def execute(*_: Any) -> None:
        raise error

    monkeypatch.setattr(seam, "execute", execute)

    assert main(["run", str(GOOD), "--quiet"]) == code
    assert capsys.readouterr().err.count("\n") <= 1


def test_interrupted_run_says_that_its_log_is_closed(monkeypatch, capsys) -> None:
    """Ctrl-C shows what there is and ends with 130."""

    def execute(request: seam.Request, progress: render.RunProgress) -> seam.Finished:
        progress(request.scenario.start_ns + 90 * NANOS_PER_S)
        return seam.Finished(Path("runs/x"), "abc", True, {}, ())

    monkeypatch.setattr(seam, "execute", execute)

    assert main(["run", str(GOOD)]) == 130
    out, err = capsys.readouterr()
    assert "runs/x" in out
    assert err == "interrupted at 2025-10-10T20:51:30Z; the log is closed and can be read\n"


def test_defect_is_one_message_and_a_file(monkeypatch, capsys, tmp_path: Path) -> None:
    """Not even our own bugs show a traceback; it is in the file that the message names."""

    def execute(*_: Any) -> None:
        raise ZeroDivisionError("by nobody")

    monkeypatch.setattr(seam, "execute", execute)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    assert main(["run", str(GOOD)]) == 1

    first, second = capsys.readouterr().err.splitlines()
    assert first == "error: unexpected ZeroDivisionError: by nobody"
    assert "Traceback" in Path(second.rpartition(" ")[2]).read_text()


def test_optimised_python_is_refused() -> None:
    """``python -O`` would switch the emulator's own assertions off."""
    command = [sys.executable, "-O", "-m", "exchange_sim", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == 2
    assert "python -O" in done.stderr


def test_closed_output_is_no_error() -> None:
    """``exchange-sim scenarios | head -0`` ends quietly."""
    command = f"{sys.executable} -m exchange_sim scenarios {GOOD} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.strip() in {"0", "1", "141"}
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_help_is_fast_because_it_loads_no_engine() -> None:
    """``--help`` imports neither the engines nor pyarrow or simpy."""
    code = (
        "import sys; from exchange_sim.cli import main; main(['--help']);"
        "heavy = 'simpy pyarrow plotly exchange_sim.world'.split();"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"
    assert "exchange-sim run oct10_article" in done.stdout


def test_scenarios_lists_and_shows(capsys) -> None:
    """Every shipped scenario is listed; one can be looked at."""
    assert main(["scenarios"]) == 0
    listed = capsys.readouterr().out
    for path in (ROOT / "scenarios").glob("*.toml"):
        assert path.stem in listed
    assert "cannot be used" not in listed

    assert main(["scenarios", str(GOOD)]) == 0
    shown = capsys.readouterr().out
    assert "one burst of selling" in shown
    assert "leading:BTCPERP" in shown


def test_until_is_a_time_or_a_duration() -> None:
    """Both forms name the same instant; without one the scenario's end is meant."""
    scenario = load(GOOD)

    assert end_of(scenario, "5m") == end_of(scenario, "2025-10-10T20:55:00Z")
    assert end_of(scenario, "") == end_of(scenario, "10m") == scenario.end_ns
    assert end_of(scenario, "20:55") == end_of(scenario, "20:55:00.0") == end_of(scenario, "5m")


def test_time_of_day_is_the_first_after_the_start() -> None:
    """A scenario that runs over midnight: 00:10 is tomorrow."""
    scenario = load(GOOD, ["scenario.duration=4h"])

    wanted = scenario.start_ns + 200 * NANOS_PER_MINUTE
    assert instant_of(scenario, "00:10", "--at") == wanted
    with pytest.raises(UsageError, match="--at 20:49 lies outside the scenario"):
        instant_of(scenario, "20:49", "--at")


def test_progress_in_plain_lines(monkeypatch, capsys) -> None:
    """Where standard error is no terminal: a line every few seconds, none for a short run."""
    clock = iter([0.0, 1.0, 6.0, 6.0, 6.0, 7.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    progress = render.RunProgress(0, 100 * NANOS_PER_S)

    progress(10 * NANOS_PER_S)
    progress(60 * NANOS_PER_S)
    progress(61 * NANOS_PER_S)

    assert capsys.readouterr().err == "1970-01-01 00:01:00 UTC   60%  10 x real time  ETA 4s\n"


CASES = """{"cases": [{"name": "rest", "what": "a bid rests", "config": {"stp": "none"},
  "ops": [{"op": "limit", "id": 1, "side": "B", "price": 10, "qty": 5}],
  "expected_book": {"bids": [[10, QTY, [1]]], "asks": []}}]}"""


@pytest.mark.parametrize(("qty", "code"), [("5", 0), ("6", 3)])
def test_check_matching(qty: str, code: int, tmp_path: Path, capsys) -> None:
    """A case that fails is shown and ends with 3: a rule of the market is broken."""
    file = tmp_path / "cases.json"
    file.write_text(CASES.replace("QTY", qty))

    assert main(["check", "matching", str(file)]) == code
    assert f"{int(not code)} of 1 cases passed" in capsys.readouterr().out


def test_check_rules(tmp_path: Path, capsys) -> None:
    """Vectors are counted; a file that is none is located."""
    file = tmp_path / "vectors.json"
    file.write_text("[]")
    assert main(["check", "rules", str(file)]) == 0
    assert "0 passed" in capsys.readouterr().out

    assert main(["check", "rules", str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two equal runs and one with another seed, really run."""
    out = tmp_path_factory.mktemp("runs")
    for options in ([], [], ["--seed", "9"]):
        assert main(["run", "first_trade", "--out", str(out), "--quiet", *options]) == 0
    first, second = sorted(out.glob("first_trade-1-*"))
    (third,) = out.glob("first_trade-9-*")
    return first, second, third


def test_run_writes_what_verify_and_replay_accept(runs, capsys) -> None:
    """The whole circle: run, verify, replay, with one digest."""
    digest = json.loads((runs[0] / "manifest.json").read_text())["digest"]

    assert main(["verify", str(runs[0])]) == 0
    verified = capsys.readouterr().out
    assert main(["replay", str(runs[0])]) == 0
    replayed = capsys.readouterr().out

    assert "BAD" not in verified
    assert digest in verified
    assert digest in replayed
    assert "equal to the recording" in replayed


def test_equal_runs_are_equal_and_others_are_not(runs, capsys) -> None:
    """``diff`` names the first command that differs and ends with 5."""
    first, second, third = (str(run) for run in runs)

    assert main(["diff", first, second]) == 0
    assert capsys.readouterr().out == "the runs are equal\n"
    assert main(["diff", first, third]) == 5
    assert "differs in:" in capsys.readouterr().out


def test_damaged_run_is_found(runs, tmp_path: Path, capsys) -> None:
    """One changed byte of the journal: verify and replay end with 4."""
    copy = Path(shutil.copytree(runs[0], tmp_path / "copy"))
    data = bytearray((copy / "journal.bin").read_bytes())
    data[-100] ^= 1
    (copy / "journal.bin").write_bytes(data)

    assert main(["verify", str(copy)]) == 4
    assert main(["replay", str(copy)]) == 4
    assert "Traceback" not in capsys.readouterr().err


def test_replay_may_stop_early(runs, capsys) -> None:
    """Up to a time there is nothing to compare with."""
    assert main(["replay", str(runs[0]), "--until", "2s"]) == 0
    assert "stopped before the end" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["verify", "replay"])
def test_no_run_there(command: str, tmp_path: Path, capsys) -> None:
    """A path without a run is a usage error."""
    assert main([command, str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (12.4, "$12"), (4_200, "$4.2k"), (7.5e6, "$7.5m"), (19.1e9, "$19.1bn")],
)
def test_dollars(value: float, text: str) -> None:
    """Three digits are what a person reads."""
    assert dollars(value) == text
