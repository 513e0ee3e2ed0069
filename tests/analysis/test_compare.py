"""Runs side by side, and the two commands that show them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange_sim.analysis.compare import compare, facts_of
from exchange_sim.analysis.run_dir import open_run
from exchange_sim.cli import main
from exchange_sim.errors import UsageError

SMALL = Path(__file__).parents[1] / "e2e" / "small.toml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small crash, with and without its shock."""
    folder = tmp_path_factory.mktemp("runs")
    arguments = ["run", str(SMALL), "--until", "60s", "--quiet"]
    for name, more in (("with", []), ("without", ["--without", "macro_shock"])):
        assert main([*arguments, "--out", str(folder / name), *more]) == 0
    return [next((folder / name).iterdir()) for name in ("with", "without")]


def test_facts_are_those_of_the_run(runs: list[Path]) -> None:
    shocked, calm = compare([open_run(path) for path in runs])

    assert (shocked.options, calm.options) == ((), ("--without macro_shock",))
    assert shocked.falls.keys() == calm.falls.keys()
    assert any(shocked.falls[name] > calm.falls[name] for name in calm.falls)


def test_gains_are_sorted_and_small_against_what_was_brought(runs: list[Path]) -> None:
    """A minute of trading moves money between populations, by far less than they hold."""
    run = open_run(runs[0])
    gains = list(facts_of(run).gains.values())
    held = run.balances.column("amount").to_numpy()
    quote = next(row["asset"] for row in run.assets if row["symbol"] == "USDT")
    dollars = held[run.balances.column("asset").to_numpy() == quote].clip(0).sum() / 10**6

    assert gains == sorted(gains, reverse=True)
    assert 0 < sum(abs(gain) for gain in gains) < 0.2 * dollars


def test_one_run_cannot_be_compared(runs: list[Path]) -> None:
    with pytest.raises(UsageError, match="2 to 16 runs"):
        compare([open_run(runs[0])])


def test_commands_print_tables_and_json(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *map(str, runs)]) == 0
    text = capsys.readouterr().out
    assert "fall from the start" in text
    assert "run 2" in text
    assert main(["compare", *map(str, runs), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
    assert main(["score", str(runs[0])]) == 0
    text = capsys.readouterr().out
    assert "PX-01" in text
    assert "by weight" in text
    assert main(["score", *map(str, runs), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert len(content["runs"][0]["lines"]) == 93
    assert content["worst"] <= content["median"]


def test_bad_input_is_located(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "mine.json"
    targets.write_text('[\n{"id": 3}]')

    assert main(["score", str(runs[0]), "--targets", str(targets)]) == 2
    assert "mine.json:2:" in capsys.readouterr().err
    assert main(["score", str(tmp_path / "none")]) == 2
    assert "no such run directory" in capsys.readouterr().err
    assert main(["compare", str(runs[0]), str(tmp_path)]) == 4
    assert "not a run directory" in capsys.readouterr().err


def test_a_damaged_table_is_named(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in runs[0].rglob("*"):
        target = copy / path.relative_to(runs[0])
        target.parent.mkdir(exist_ok=True)
        if path.is_file():
            target.write_bytes(path.read_bytes())
    (copy / "events" / "traded.parquet").write_bytes(b"PAR1")

    assert main(["score", str(copy)]) == 4
    assert "traded.parquet" in capsys.readouterr().err
