"""Worked examples run against the engine, and what happens to files that are not such examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.matching_cases import run_case, run_case_file
from exchange_sim.errors import ScenarioError, UsageError

DATA = Path(__file__).parents[1] / "data"
FILES = ("matching_cases.json", "matching_cases_more.json")
CASES = [case for name in FILES for case in json.loads((DATA / name).read_text())["cases"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_case(case: dict[str, Any]) -> None:
    """Trades, book, cancels and rejects are as written."""
    assert run_case(case).differences == ()


@pytest.mark.parametrize("name", FILES)
def test_file_report(name: str) -> None:
    """The report counts the cases and has nothing else to say."""
    report = run_case_file(DATA / name)
    assert report.passed == len(report.results) > 50
    assert list(report.lines()) == [
        f"{report.passed} of {report.passed} cases passed ({DATA / name})"
    ]


@pytest.mark.parametrize("what", ["trades", "book", "cancels", "rejects"])
def test_wrong_expectation_fails(what: str) -> None:
    """Each kind of expectation is really compared, and a failure shows both sides."""
    case: dict[str, Any] = {
        "name": "x",
        "ops": [{"op": "limit", "id": 1, "side": "B", "price": 10, "qty": 2}],
        "expected_trades": [],
        "expected_book": {"bids": [[10, 2, [1]]], "asks": []},
        "expected_cancels": [],
        "expected_rejects": [],
    }
    assert run_case(case).passed
    wrong: dict[str, Any] = {"trades": [[1, 2, 3, 4]], "book": {"bids": [], "asks": []}}
    case[f"expected_{what}"] = wrong.get(what, [[1, 1, "user"]])
    (difference,) = run_case(case).differences
    assert difference.what == what
    assert "expected" in str(difference)
    assert "got" in str(difference)


def test_expectation_left_out_is_not_compared() -> None:
    """A case may check the trades only."""
    ops = [{"op": "limit", "id": 1, "side": "B", "price": 10, "qty": 2}]
    assert run_case({"name": "x", "ops": ops, "expected_trades": []}).passed


GOOD_OP = {"op": "limit", "id": 1, "side": "B", "price": 10, "qty": 2}
BROKEN: list[tuple[Any, str]] = [
    ([], 'must be a table with a list "cases"'),
    ({"cases": []}, 'must be a table with a list "cases"'),
    ({"cases": [3]}, "cases[0]: must be a table"),
    ({"cases": [{"ops": []}]}, "name is missing"),
    ({"cases": [{"name": "a"}]}, "ops is missing"),
    ({"cases": [{"name": "a", "ops": []}]}, "expects nothing"),
    ({"cases": [{"name": "a", "ops": [1], "expected_trades": []}]}, "ops[0]: must be a table"),
    ({"cases": [{"name": "a", "ops": [{"op": "sell"}]}]}, "unknown op 'sell'"),
    ({"cases": [{"name": "a", "ops": [{"op": []}]}]}, "unknown op []"),
    ({"cases": [{"name": "a", "ops": [{"op": "cancel"}]}]}, "cancel needs id"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "side": "X"}]}]}, "ops[0].side: must be one"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "qty": "5"}]}]}, "must be a whole number"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "qty": 2.5}]}]}, "must be a whole number"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "qty": True}]}]}, "must be a whole number"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "qty": 10**40}]}]}, "does not fit 64 bits"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "prize": 1}]}]}, "unknown field 'prize'"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "post_only": 1}]}]}, "post_only"),
    ({"cases": [{"name": "a", "ops": [{**GOOD_OP, "owner": [1]}]}]}, "owner"),
    (
        {"cases": [{"name": "a", "ops": [{**GOOD_OP, "post_only": True, "tif": "IOC"}]}]},
        "post_only cannot be combined with tif IOC",
    ),
    ({"cases": [{"name": "a", "ops": [], "config": {"stp": "maybe"}}]}, "config.stp"),
    ({"cases": [{"name": "a", "ops": [], "config": 1}]}, "config: must be a table"),
    ({"cases": [{"name": "a", "ops": [], "expected_trades": [[1, 2]]}]}, "expected_trades[0]"),
    ({"cases": [{"name": "a", "ops": [], "expected_trades": 5}]}, "must be a list"),
    ({"cases": [{"name": "a", "ops": [], "expected_book": {"bids": [[1, 2]]}}]}, "bids[0]"),
    ({"cases": [{"name": "a", "ops": [], "expected_book": {"bids": 1}}]}, "bids[0]"),
    ({"cases": [{"name": "a", "ops": [], "expected_book": []}]}, "with bids and asks"),
    ({"cases": [{"name": "a", "ops": [], "expected_loss": []}]}, "unknown field 'expected_loss'"),
]


@pytest.mark.parametrize(("data", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_broken_file_is_explained(data: Any, message: str, tmp_path: Path) -> None:
    """Wrong content is a ``ScenarioError`` that says where and what."""
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ScenarioError) as caught:
        run_case_file(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_all_mistakes_at_once_with_their_lines(tmp_path: Path) -> None:
    """Two bad cases: two problems, each at the line of its case."""
    path = tmp_path / "cases.json"
    case = '{"name": "%s", "ops": [{"op": "%s"}], "expected_trades": []}'
    cases = ",\n".join([case % ("good", "mass_cancel"), case % ("b", "x"), case % ("c", "y")])
    path.write_text('{"cases": [\n' + cases + "\n]}")
    with pytest.raises(ScenarioError) as caught:
        run_case_file(path)
    assert [problem.line for problem in caught.value.problems] == [3, 4]
    assert "2 problems" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cases.json:1:1: error: not JSON"),
        (b'{"cases": [\n1,,]}', "cases.json:2:3: error: not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "not usable JSON"),
        (b'{"cases": ' + b"9" * 5_000 + b"}", "not usable JSON"),
    ],
)
def test_not_json(content: bytes, message: str, tmp_path: Path) -> None:
    """Something that is no JSON is located too; nothing escapes as a traceback."""
    path = tmp_path / "cases.json"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match="problem") as caught:
        run_case_file(path)
    assert message in str(caught.value)


def test_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    """What Windows editors write is accepted."""
    path = tmp_path / "cases.json"
    text = (DATA / FILES[0]).read_text().replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert not run_case_file(path).failed


def test_missing_file_and_directory(tmp_path: Path) -> None:
    """A file that cannot be read is a ``UsageError``."""
    with pytest.raises(UsageError, match="no such file"):
        run_case_file(tmp_path / "none.json")
    with pytest.raises(UsageError, match="cannot read"):
        run_case_file(tmp_path)
