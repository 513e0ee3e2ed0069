"""Whatever is done to a file or to ``--set``: the answer is a scenario or located problems."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange_sim.errors import ScenarioError
from exchange_sim.scenario import Scenario, load
from exchange_sim.scenario.positions import places

DATA = Path(__file__).parent / "data"
GOOD = (DATA / "good.toml").read_text()
LINES = GOOD.splitlines()

JUNK = st.sampled_from(
    [
        "", "0", "-1", "nan", "inf", "1e400", "1e-400", "99999999999999999999999", "true", '""',
        '"\\u0000"', "[]", "{}", "[[]]", "[{}]", "{ a = 1 }", "1979-05-27", "07:32:00", "'''x'''",
        '"""\n"""', "=", "]", '"', "#", "\r", "\ufeff", "é", "extends = 'good'", "[scenario]",
        "[[instruments]]", "[venues.leading]", "a.b.c = 1", '"a b" = 1',
    ]
)  # fmt: skip
LINE = st.integers(0, len(LINES) - 1)
EDIT = st.one_of(
    st.tuples(st.just("drop"), LINE),
    st.tuples(st.just("double"), LINE),
    st.tuples(st.just("swap"), LINE, LINE),
    st.tuples(st.just("value"), LINE, JUNK),
    st.tuples(st.just("insert"), LINE, JUNK),
    st.tuples(st.just("char"), LINE, st.integers(0, 40), st.characters(codec="utf-8")),
    st.tuples(st.just("cut"), LINE, st.integers(0, 40)),
)


def edited(edits: list[tuple[object, ...]]) -> str:
    """The good file after these edits."""
    lines = list(LINES)
    for kind, place, *more in edits:
        if not lines:
            break
        at = int(str(place)) % len(lines)
        if kind == "drop":
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = int(str(more[0])) % len(lines)
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "value":
            lines[at] = f"{lines[at].partition('=')[0]}= {more[0]}"
        elif kind == "insert":
            lines.insert(at, str(more[0]))
        elif kind == "char":
            column = int(str(more[0])) % (len(lines[at]) + 1)
            lines[at] = lines[at][:column] + str(more[1]) + lines[at][column + 1 :]
        else:
            lines = [*lines[:at], lines[at][: int(str(more[0]))]]
    return "\n".join(lines)


def outcome(file: Path, overrides: tuple[str, ...] = ()) -> Scenario | ScenarioError:
    """A scenario or its problems, each of which points into a file or at an option."""
    try:
        scenario = load(file, overrides)
    except ScenarioError as error:
        check_located(error, file)
        return error
    assert Scenario.from_json(scenario.to_json()) == scenario
    return scenario


def check_located(error: ScenarioError, file: Path) -> None:
    """Every problem says something about a place that exists."""
    assert error.problems
    last = file.read_bytes().count(b"\n") + 1
    for problem in error.problems:
        assert problem.message
        assert problem.line > 0 or problem.path.startswith("--") or problem.path == str(file)
        assert problem.path != str(file) or problem.line <= last, problem


@settings(max_examples=300, deadline=None)
@given(st.lists(EDIT, min_size=1, max_size=4))
@example([("cut", 0, 0)])
def test_edited_file_never_ends_in_a_traceback(edits: list[tuple[object, ...]]) -> None:
    """Lines dropped, doubled, swapped, values replaced by junk, files cut short."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.toml"
        file.write_bytes(edited(edits).encode("utf-8", "surrogatepass"))
        (Path(folder) / "maker.py").touch()
        outcome(file)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_never_end_in_a_traceback(data: bytes) -> None:
    """A file of noise is refused with its place."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.toml"
        file.write_bytes(data)
        assert isinstance(outcome(file), ScenarioError)


KEYS = st.sampled_from(
    ["scenario", "venues", "leading", "participants", "arb", "params", "instruments", "1", "x", "",
     "leading:BTCPERP", "index", "latency", "near", "order", "base", "templates", "spot", "fees"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=5), JUNK | st.text(max_size=8))
def test_any_override_never_ends_in_a_traceback(keys: list[str], value: str) -> None:
    """Paths into everything, values of every kind."""
    outcome(DATA / "good.toml", (f"{'.'.join(keys)}={value}",))


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path into a parsed document."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [p for key, item in value.items() for p in paths(item, (*path, key))]
    elif isinstance(value, list):
        found += [p for k, item in enumerate(value) for p in paths(item, (*path, k))]
    return found


SCALAR = st.sampled_from(
    ["1", "-1.5e3", "true", '"a # b"', "'c]d'", '"""x\n"y" }"""', "'''a\n]'''", '""', "0x1F",
     "1979-05-27 07:32:00Z", '"\\""', '""""a"""""']
)  # fmt: skip
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ " + " , # c\n ".join(items) + " ]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{k} = {v}" for k, v in enumerate(items)) + " }"
        ),
    ),
    max_leaves=6,
)
HEADER = st.sampled_from(["", "[t]", "[t.u]", "[[a]]", "[[a.b]]", "[ v . w ]", "[[a.b.c]]"])
KEY = st.sampled_from(['"q.r".s', "x", "y . z", '"p q"', "'l'.m", "n1-2_"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HEADER, st.lists(st.tuples(KEY, VALUE), max_size=3)), max_size=4))
def test_every_value_of_any_document_has_its_place(
    sections: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    """The position scanner finds exactly the paths that the parser finds, at the right text."""
    text = "".join(
        f"{header}\n" + "".join(f"  {key} = {value} # end\n" for key, value in pairs)
        for header, pairs in sections
    )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    found = places(text)

    lines = text.split("\n")
    assert set(found) >= set(paths(document))
    for path, place in found.items():
        line, column = place.value
        assert lines[line - 1][column - 1 :].strip(), (path, place)
        owner: Any = document
        for part in path:
            owner = owner[part]
        if isinstance(owner, str):
            assert lines[line - 1][column - 1] in "\"'"
        elif isinstance(owner, bool):
            assert lines[line - 1][column - 1 :].startswith(str(owner).lower())
