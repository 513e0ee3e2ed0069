"""Every kind of mistake in a scenario file is reported once, at its line, with a remedy.

A case takes the good file and replaces one text; the problem is expected at the line that holds the
text ``at``, which occurs once.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.scenario import load
from exchange_sim.scenario.load import problems_of

DATA = Path(__file__).parent / "data"
GOOD = (DATA / "good.toml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(DATA / "maker.py", tmp_path)
    return tmp_path


CASES = {case["name"]: case for case in tomllib.loads((DATA / "mistakes.toml").read_text())["case"]}
assert len(CASES) >= 40


def line_of(text: str, at: str) -> int:
    """Number of the line on which ``at`` begins; it occurs once."""
    assert text.count(at) == 1, (at, text.count(at))
    return text.count("\n", 0, text.index(at)) + 1


def mistaken(text: str, name: str) -> str:
    """The text with one mistake put in; ``7@5000`` stands for 5000 digits."""
    case = CASES[name]
    assert case["old"] in text, name
    return text.replace(case["old"], case["new"].replace("7@5000", "7" * 5000), 1)


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_located(name: str, folder: Path) -> None:
    """One mistake, one problem: right file, right line, a message that says what, a hint."""
    case = CASES[name]
    text = mistaken(GOOD, name)
    file = folder / "broken.toml"
    file.write_text(text)

    problems = problems_of(file)

    assert [(p.path, p.line) for p in problems] == [(str(file), line_of(text, case["at"]))], (
        problems
    )
    assert case["message"] in problems[0].message
    assert case.get("hint", "") in problems[0].hint
    assert problems[0].column >= 1


def test_good_file_has_no_problem() -> None:
    """The file that all cases start from is right."""
    assert problems_of(DATA / "good.toml") == ()


def test_columns_point_at_the_value(folder: Path) -> None:
    """Key problems point at the key, value problems at the value, even inside inline tables."""
    file = folder / "broken.toml"
    text = GOOD.replace("mmr = 0.005", "mmr = 5").replace("jitter =", "jiter =")
    file.write_text(text)

    found = {(p.line, p.column) for p in problems_of(file)}

    lines = text.splitlines()
    bracket, latency = line_of(text, "mmr = 5 "), line_of(text, "jiter")
    assert found == {
        (bracket, lines[bracket - 1].index("5 }") + 1),
        (latency, lines[latency - 1].index("jiter") + 1),
    }


def test_all_mistakes_at_once(folder: Path) -> None:
    """Independent mistakes in different tables are all reported, in the order of the file."""
    text = GOOD
    for name in (
        "misspelt key",
        "text for flag",
        "unknown asset",
        "unknown latency",
        "count of zero",
    ):
        text = mistaken(text, name)
    file = folder / "broken.toml"
    file.write_text(text)

    with pytest.raises(ScenarioError) as caught:
        load(file)

    lines = [problem.line for problem in caught.value.problems]
    assert len(lines) == 5
    assert lines == sorted(lines)
    assert caught.value.exit_code == 2
    assert "5 problems" in str(caught.value)


def only(problems: tuple[Problem, ...]) -> Problem:
    """The only problem."""
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "is empty"),
        (b"\n \n", 1, "is empty"),
        (b'[scenario]\nname = "\xff"\n', 2, "not UTF-8"),
        ("x = 1".encode("utf-16"), 1, "not UTF-8"),
        (b"x = " + b"[" * 5000, 1, "nested too deeply"),
        (b"a.b = 1\na.b.c = 2\n", 2, "not valid TOML"),
        (b"\x00", 1, "not valid TOML"),
        (b"[scenario\n", 1, "not valid TOML"),
    ],
    ids=["empty", "blank", "latin", "utf16", "nested", "dotted", "zero byte", "header"],
)
def test_file_that_is_not_toml(content: bytes, line: int, message: str, tmp_path: Path) -> None:
    """Whatever the bytes are, the answer is a located problem."""
    file = tmp_path / "x.toml"
    file.write_bytes(content)

    problem = only(problems_of(file))

    assert (problem.path, problem.line) == (str(file), line)
    assert message in problem.message


def test_byte_order_mark_and_windows_lines_are_accepted(folder: Path) -> None:
    """An editor on Windows writes scenarios too; lines and columns stay right."""
    file = folder / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert problems_of(file) == ()

    broken = GOOD.replace("adl = false", "adl = 1")
    file.write_bytes(b"\xef\xbb\xbf" + broken.replace("\n", "\r\n").encode())

    problem = only(problems_of(file))
    assert (problem.line, problem.column) == (line_of(broken, "adl = 1"), 7)


def test_huge_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    """100 MB do not become 100 MB of memory."""
    file = tmp_path / "huge.toml"
    with file.open("wb") as out:
        out.truncate(100 * 1024 * 1024)

    assert "larger than 4 MiB" in only(problems_of(file)).message


def test_things_that_are_no_files(tmp_path: Path) -> None:
    """Directories, missing files and unknown names are located at what was asked for."""
    (tmp_path / "calm.toml").write_text(GOOD)

    assert "is a directory" in only(problems_of(f"{tmp_path}/")).message
    missing = only(problems_of(tmp_path / "calmer.toml"))
    assert (missing.message, missing.hint) == ("no such file", "did you mean 'calm.toml'?")
    assert "no scenario is called 'atlantis'" in only(problems_of("atlantis")).message
    assert only(problems_of("")).message
    assert "cannot be read" in only(problems_of("a\0b.toml")).message


def test_only_comment_lacks_everything(tmp_path: Path) -> None:
    """A file without tables is told which ones are needed."""
    file = tmp_path / "x.toml"
    file.write_text("# nothing\n")

    messages = [problem.message for problem in problems_of(file)]

    assert messages == [
        f"the scenario lacks {header}"
        for header in ("[[instruments]]", "[assets]", "[scenario]", "[venues]")
    ]


def test_classes_and_parameters_are_told_with_the_rest(tmp_path: Path) -> None:
    """A file is corrected in one go: a wrong asset does not hide a wrong class or parameter."""
    shipped = Path(__file__).parents[2] / "scenarios" / "first_trade.toml"
    text = shipped.read_text().replace('base = "BTC"', 'base = "BTX"')
    text = text.replace(":LadderMaker", ":LadderMakr").replace("books = [{", "boks = [{")
    file = tmp_path / "broken.toml"
    file.write_text(text)

    problems = problems_of(file)

    told = [(p.line, p.message, p.hint) for p in problems]
    assert told == [
        (line_of(text, 'base = "BTX"'), "there is no asset 'BTX'", "did you mean 'BTC'?"),
        (
            line_of(text, 'class = "strategies.ladder:LadderMakr"'),
            "strategies.ladder has no attribute 'LadderMakr'",
            "did you mean 'LadderMaker'?",
        ),
        (line_of(text, "boks = [{"), "unknown parameter 'boks'", "did you mean 'books'?"),
    ]
