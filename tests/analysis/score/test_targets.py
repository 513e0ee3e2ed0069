"""Lists of targets: what is read, what is refused and where, and what has no rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.score import builtin_targets, load_targets, series_of
from exchange_sim.analysis.score.report import Score
from exchange_sim.analysis.score.rules import find
from exchange_sim.errors import ScenarioError
from tests.doubles.made_up_run import MadeUpRun, book_of, target

GOOD: dict[str, Any] = {
    "id": "X-1", "area": "price", "quantity": "BTC maximum drawdown", "venue_kind": "primary_spot",
    "asset_kind": "btc", "value_low": 5, "value_high": 25, "point": None, "unit": "percent",
    "window_utc": None, "window_rel_s": [0, 600], "definition": "", "role": "score",
    "source_url": "https://example.org", "confidence": "medium",
}  # fmt: skip


def write(folder: Path, *items: object) -> Path:
    """A targets file, one item a line."""
    path = folder / "targets.json"
    path.write_text("[\n" + ",\n".join(json.dumps(item) for item in items) + "\n]\n")
    return path


def problems(path: Path) -> list[str]:
    """What is wrong with a file, one text per problem."""
    with pytest.raises(ScenarioError) as caught:
        load_targets(path)
    return [str(problem) for problem in caught.value.problems]


def test_every_published_target_has_a_rule_and_a_source() -> None:
    found = builtin_targets()

    assert len(found) == 93
    assert [item.id for item in found if find(item) is None] == []
    assert all(item.source_url for item in found)


def test_a_file_is_read(tmp_path: Path) -> None:
    found = load_targets(write(tmp_path, GOOD, {**GOOD, "id": "X-2", "confidence": "low"}))

    assert [(item.id, item.weight) for item in found] == [("X-1", 2), ("X-2", 1)]
    assert found[0].window == (0.0, 600.0)
    assert found[1].where.endswith("targets.json:3")


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        ({"role": "scored"}, 2, "role 'scored' is unknown"),
        ({"confidence": "certain"}, 2, "confidence 'certain' is unknown"),
        ({"value_low": "five"}, 2, "value_low must be a finite number"),
        ({"value_low": 30}, 2, "the band is empty"),
        ({"window_rel_s": [600, 0]}, 2, "the window is empty"),
        ({"window_rel_s": [1]}, 2, "two numbers of seconds"),
        ({"windw_rel_s": [0, 1]}, 2, "did you mean 'window_rel_s'?"),
        ({"quantity": None}, 2, "lacks 'quantity'"),
        ({"quantity": 7}, 2, "quantity must be text"),
    ],
)
def test_mistakes_are_located(
    tmp_path: Path, change: dict[str, Any], line: int, words: str
) -> None:
    found = problems(write(tmp_path, {**GOOD, **change}))

    assert any(f"targets.json:{line}:" in text and words in text for text in found), found


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    bad = {**GOOD, "role": "x", "value_high": None}
    found = problems(write(tmp_path, GOOD, bad, GOOD, 17))

    assert len(found) == 4
    assert "was already used" in found[2]
    assert "targets.json:5:1" in found[3]


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "not JSON"), ("{}", "array of targets"), ("[{]", "not JSON"), ("[]", "holds no target")],
)
def test_files_that_are_no_list(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "targets.json"
    path.write_text(text)

    assert words in problems(path)[0]


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    assert "no such file" in problems(tmp_path / "none.json")[0]
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in problems(tmp_path / "x.json")[0]


def test_quantities_and_kinds_that_a_run_cannot_show_are_missed_with_the_reason() -> None:
    run = MadeUpRun([book_of(0, "BTC")])
    run.path([(-1, 100), (10, 90)])

    assert run.line("colour of the candles").reason == (
        "t.json:1: no rule measures 'colour of the candles'"
    )
    reasons = [
        run.line("BTC maximum drawdown", venue="tertiary_spot").reason,
        run.line("defensive asset drawdown", asset="defensive").reason,
        run.line("BTC maximum drawdown", window=(9000, 9600)).reason,
    ]
    assert reasons == [
        "the run has no btc instrument on a tertiary_spot venue",
        "the run has no defensive instrument on a primary_spot venue",
        "the run ends 4800 s after the news, before the window",
    ]
    line = run.line("BTC maximum drawdown", window=(0, 5400), low=5.0, high=15.0)
    assert line.inside
    assert line.reason == "the run ends at 4800 s, the window at 5400 s"


def score(value: int, seed: int) -> Score:
    """A run whose BTC falls from 100 to ``value``, held against two targets and an input."""
    run = MadeUpRun([book_of(0, "BTC")])
    run.path([(-1, 100), (10, value)])
    view = run.view()
    lines = (
        run.line("BTC maximum drawdown", view, low=5.0, high=15.0),
        run.line("BTC low", view, id="T-2", unit="usd", low=80.0, high=85.0, confidence="low"),
        run.line("BTC low", view, id="T-3", unit="usd", low=0.0, high=1.0, role="input"),
        run.line("nothing", view, id="T-4", confidence="medium"),
    )
    return Score("s", seed, "d", lines)


def test_weights_and_distances() -> None:
    """Weights 3, 1 and 2; the input does not count."""
    one = score(90, 1)

    assert (one.weight, one.weight_inside) == (6, 3)
    assert one.percent == pytest.approx(50.0)
    assert [line.off for line in one.lines] == [0.0, 5.0, 89.0, None]
    assert one.lines[1].off_bands == pytest.approx(1.0)


def test_log_scale_counts_factors() -> None:
    run = MadeUpRun([book_of(0, "BTC")])
    run.path([(-1, 100), (10, 25)])
    line = run.line("BTC low", unit="usd", low=50.0, high=200.0, notes="score on the log scale")

    assert line.off_bands == pytest.approx(-0.5)


def test_seeds_are_summarised_by_median_and_worst() -> None:
    found = series_of([score(value, seed) for seed, value in enumerate((90, 82, 60))])

    assert found.lines[0].value == pytest.approx(18.0)
    assert found.worst[0] == pytest.approx(40.0)
    assert found.hits == (1, 1, 0, 0)
    assert [round(value, 1) for value in found.percents] == [50.0, 16.7, 0.0]
    assert (round(found.median, 1), found.lowest) == (16.7, 0.0)
    assert found.lines[3].value is None


def test_target_helper_has_the_fields_of_a_target() -> None:
    assert target("x").text == "x; "
