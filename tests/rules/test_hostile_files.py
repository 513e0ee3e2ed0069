"""``check matching`` and ``check rules`` on broken files: located messages, never a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.matching_cases import run_case_file
from exchange_sim.analysis.rule_vectors import run_vector_file
from exchange_sim.errors import ScenarioError, UsageError

DATA = Path(__file__).parents[1] / "data"
FILES: dict[str, Callable[[Path], Any]] = {
    "matching_cases.json": run_case_file,
    "matching_cases_more.json": run_case_file,
    "rule_vectors.json": run_vector_file,
}
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2**63, 2**70, -(2**70), 1.5, -0.0, 1e308, "", "x", "nan", "1/0",
    "-5", "1e400", [], {}, [1], [[1]], {"a": 1}, "B", ["B"], "0x10", "1_000", " 1 ", "Infinity",
    float("nan"), float("inf"),
]  # fmt: skip


def places(part: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    found = [path]
    keys = part if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
    for key in keys:
        found += places(part[key], (*path, key))
    return found


def broken(document: Any, rng: random.Random) -> Any:
    """The document with one to four things changed, taken out or added."""
    made = copy.deepcopy(document)
    for _ in range(rng.choice((1, 1, 2, 4))):
        path = rng.choice(places(made))
        if not path:
            continue
        part = made
        for key in path[:-1]:
            part = part[key]
        draw, junk = rng.random(), copy.deepcopy(rng.choice(JUNK))
        if draw < 0.6:
            part[path[-1]] = junk
        elif draw < 0.75:
            part.pop(path[-1])
        elif isinstance(part, dict):
            part[str(rng.choice(JUNK))] = junk
        else:
            part.insert(path[-1], junk)
    return made


def few(document: Any, rng: random.Random) -> Any:
    """Two cases or vectors of a file."""
    if isinstance(document, list):
        return [rng.choice(document) for _ in range(2)]
    return {**document, "cases": [rng.choice(document["cases"]) for _ in range(2)]}


@pytest.mark.parametrize("name", FILES)
def test_junk_is_explained(name: str, tmp_path: Path) -> None:
    """A broken file is judged or explained; what is explained has a file and a line."""
    document, refused = json.loads((DATA / name).read_text()), 0
    file = tmp_path / name
    for seed in range(120):
        rng = random.Random(f"{name}/{seed}")
        file.write_text(json.dumps(broken(few(document, rng), rng)))
        problems = refusals(FILES[name], file)
        refused += bool(problems)
        assert all(where == str(file) and line >= 1 and text for where, line, text in problems)
    assert refused > 20


def refusals(check: Callable[[Path], Any], file: Path) -> list[tuple[str, int, str]]:
    """File, line and message of everything that is said against a file."""
    try:
        check(file)
    except ScenarioError as error:
        return [(problem.path, problem.line, problem.message) for problem in error.problems]
    except UsageError as error:
        return [(str(file) if str(file) in str(error) else "", 1, str(error))]
    return []


@pytest.mark.parametrize(
    ("key", "hint"),
    [("expects_trades", "expected_trades"), ("opps", "ops"), ("confg", "config")],
)
def test_nearly_right_words_get_the_right_one(key: str, hint: str, tmp_path: Path) -> None:
    """A slip of the finger would otherwise check nothing."""
    op = {"op": "limit", "id": 1, "side": "B", "price": 10, "qty": 2}
    case = {"name": "x", "ops": [op], "expected_trades": [], key: []}
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [case]}))
    with pytest.raises(ScenarioError) as caught:
        run_case_file(file)
    (problem,) = caught.value.problems
    assert f"did you mean {hint!r}" in problem.hint
