"""Check the rule functions against a file of published examples.

A file is a JSON list of vectors; each has an ``id``, an ``area`` that names the rule, ``inputs``,
``expected`` values and an absolute ``tolerance`` (0 if absent).  ``tolerance_<key>`` overrides it
for one expected value.  Numbers are read exactly; text that is a number compares as one.  Where the
tolerance is not 0, the last two units of a double are forgiven, because such a value went through a
float on its way into the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import attrs

from exchange_sim.analysis.rules import InputError, Inputs, find_rule
from exchange_sim.analysis.rules.common import EXPONENT_MAX, number
from exchange_sim.errors import Problem, ScenarioError, UsageError

FILE_BYTES_MAX: Final = 64 * 1024 * 1024


@attrs.frozen
class Vector:
    """One example: where it stands in the file and what it says."""

    vector_id: str
    area: str
    inputs: Mapping[str, Any]
    expected: Mapping[str, Any]
    tolerances: Mapping[str, Fraction]
    line: int
    source: str = ""

    def tolerance(self, key: str) -> Fraction:
        """Absolute tolerance of one expected value."""
        return self.tolerances.get(key, self.tolerances[""])


@attrs.frozen
class Difference:
    """One value that is not as expected."""

    key: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"{self.key}: expected {self.expected}, got {self.actual}"


@attrs.frozen
class Outcome:
    """Result of one vector: verdict ``passed``, ``failed`` or ``no_rule``, and why."""

    vector_id: str
    area: str
    verdict: str
    differences: tuple[Difference, ...] = ()
    reason: str = ""
    line: int = 0

    def __str__(self) -> str:
        details = self.reason or "; ".join(str(difference) for difference in self.differences)
        head = f"{self.vector_id} ({self.area}): {self.verdict}"
        return f"{head}: {details}" if details else head


@attrs.frozen
class Report:
    """All outcomes of a file, in its order."""

    path: str
    outcomes: tuple[Outcome, ...]

    def _of(self, verdict: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict == verdict]

    @property
    def passed(self) -> int:
        """Number of vectors whose every expected value was met."""
        return len(self._of("passed"))

    @property
    def failed(self) -> list[Outcome]:
        """Vectors with a difference, or whose inputs their rule could not use."""
        return self._of("failed")

    @property
    def without_rule(self) -> list[Outcome]:
        """Vectors whose area no rule covers."""
        return self._of("no_rule")

    @property
    def ok(self) -> bool:
        """Whether every vector passed."""
        return self.passed == len(self.outcomes)

    def __str__(self) -> str:
        lines = [str(outcome) for outcome in (*self.failed, *self.without_rule)]
        lines.append(
            f"{self.passed} passed, {len(self.failed)} failed, "
            f"{len(self.without_rule)} without a rule"
        )
        return "\n".join(lines)


def run_vector_file(path: str | Path) -> Report:
    """Run every vector of a file.

    Raises ``UsageError`` if the file cannot be read, and ``ScenarioError`` with every located
    problem if it is not a list of vectors.  A vector that fails is a result, not an error.
    """
    return Report(str(path), tuple(run_vector(vector) for vector in load_vectors(path)))


def run_vector(vector: Vector) -> Outcome:
    """Run one vector: look up its rule, compute, compare every expected value."""
    rule = find_rule(vector.area)
    if rule is None:
        return Outcome(vector.vector_id, vector.area, "no_rule", line=vector.line)
    try:
        actual = rule(Inputs(vector.inputs))
    except InputError as error:
        reason = str(error)
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        reason = f"the rule cannot use these inputs: {_text(error)}"
    else:
        found = tuple(_differences(vector, actual))
        verdict = "failed" if found else "passed"
        return Outcome(vector.vector_id, vector.area, verdict, found, line=vector.line)
    return Outcome(vector.vector_id, vector.area, "failed", (), reason, vector.line)


def _text(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()


def _differences(vector: Vector, actual: Mapping[str, Any]) -> list[Difference]:
    found = []
    for key, expected in vector.expected.items():
        if key not in actual:
            found.append(Difference(key, show(expected), "no such result of this rule"))
        elif not same(expected, actual[key], vector.tolerance(key)):
            found.append(Difference(key, show(expected), show(actual[key])))
    return found


def same(expected: Any, actual: Any, tolerance: Fraction) -> bool:
    """Whether ``actual`` is ``expected`` within an absolute tolerance, element by element."""
    if isinstance(expected, bool) or expected is None or isinstance(actual, bool):
        return type(expected) is type(actual) and expected == actual
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and same(value, actual[key], tolerance) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, Sequence)
            and not isinstance(actual, str)
            and len(expected) == len(actual)
            and all(same(e, a, tolerance) for e, a in zip(expected, actual, strict=True))
        )
    wanted, got = _as_number(expected), _as_number(actual)
    if wanted is None or got is None:
        return bool(expected == actual)
    gap = abs(wanted - got)
    return gap <= tolerance or (tolerance > 0 and gap <= 2 * _last_place(wanted))


def _last_place(value: Fraction) -> Fraction:
    """The spacing of doubles at ``value``; 0 beyond their range."""
    try:
        return Fraction(math.ulp(float(value)))
    except OverflowError:
        return Fraction(0)


def _as_number(value: Any) -> Fraction | None:
    if isinstance(value, float):
        return Fraction(value) if math.isfinite(value) else None
    if isinstance(value, Fraction):
        return value
    try:
        return number(value, "value")
    except InputError:
        return None


def show(value: Any) -> str:
    """A value for people: exact where it is short, else twelve significant digits."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {show(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(show(entry) for entry in value) + "]"
    if isinstance(value, Fraction):
        return str(value.numerator) if value.denominator == 1 else _short(value)
    return "true" if value is True else "false" if value is False else str(value)


def _short(value: Fraction) -> str:
    try:
        return f"{float(value):.12g}"
    except OverflowError:
        return "a number out of range"


def load_vectors(path: str | Path) -> list[Vector]:
    """Read and check a file of vectors; errors as in ``run_vector_file``."""
    file = Path(path)
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise UsageError(f"{file} is larger than {FILE_BYTES_MAX} bytes")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        problem = Problem(str(file), 0, 0, f"not UTF-8 text (byte {error.start})")
        raise ScenarioError("the file holds no usable rule vectors", (problem,)) from None
    reader = _Reader(str(file), text)
    vectors = reader.read()
    if reader.problems:
        count = len(reader.problems)
        message = f"{count} problem{'s' if count > 1 else ''} in the file of rule vectors"
        raise ScenarioError(message, tuple(reader.problems))
    return vectors


class _Reader:
    """Splits the outer list itself, so that every entry and every mistake has its line."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.problems: list[Problem] = []
        self.seen: dict[str, int] = {}
        self.decoder = json.JSONDecoder(
            parse_float=_decimal, parse_constant=_constant, object_pairs_hook=_table
        )

    def problem(self, offset: int, message: str, hint: str = "") -> None:
        line = self.text.count("\n", 0, offset) + 1
        column = offset - self.text.rfind("\n", 0, offset)
        self.problems.append(Problem(self.path, line, column, message, hint))

    def skip(self, offset: int) -> int:
        while offset < len(self.text) and self.text[offset] in " \t\r\n":
            offset += 1
        return offset

    def read(self) -> list[Vector]:
        """Every vector; what is wrong goes to ``problems``."""
        vectors: list[Vector] = []
        at = self.skip(1 if self.text.startswith("\ufeff") else 0)
        if self.text[at : at + 1] != "[":
            self.problem(at, "expected a JSON list of vectors", "the file must begin with [")
            return vectors
        at = self.skip(at + 1)
        while self.text[at : at + 1] not in ("]", ""):
            try:
                entry, end = self.decoder.raw_decode(self.text, at)
            except json.JSONDecodeError as error:
                self.problem(error.pos, f"not JSON: {error.msg}")
                return vectors
            except (ValueError, RecursionError) as error:
                message = str(error) if isinstance(error, ValueError) else "nested too deeply"
                self.problem(at, f"unusable value in the entry that begins here: {message}")
                return vectors
            vector = self.vector(entry, at)
            if vector is not None:
                vectors.append(vector)
            at = self.skip(end)
            if self.text[at : at + 1] == ",":
                comma, at = at, self.skip(at + 1)
                if self.text[at : at + 1] == "]":
                    self.problem(comma, "a comma before the end of the list")
            elif self.text[at : at + 1] not in ("]", ""):
                self.problem(at, "expected , or ] after an entry")
                return vectors
        if at >= len(self.text):
            self.problem(at, "the list is not closed", "the file may be truncated")
        elif self.skip(at + 1) < len(self.text):
            self.problem(self.skip(at + 1), "text after the end of the list")
        return vectors

    def vector(self, entry: Any, at: int) -> Vector | None:
        """One entry, or None with its problems noted."""
        if not isinstance(entry, dict):
            self.problem(at, f"expected a table, got {show(entry)[:40]}")
            return None
        before = len(self.problems)
        line = self.text.count("\n", 0, at) + 1
        for key, kind, name in (
            ("id", str, "text"),
            ("area", str, "text"),
            ("inputs", dict, "table"),
            ("expected", dict, "table"),
        ):
            if not isinstance(entry.get(key), kind):
                self.problem(at, f"entry {entry.get('id', '?')}: {key!r} must be a {name}")
        vector_id = str(entry.get("id", "?"))
        if vector_id in self.seen:
            first = self.seen[vector_id]
            self.problem(at, f"the id {vector_id!r} was already used", f"first in line {first}")
        self.seen.setdefault(vector_id, line)
        tolerances = self.tolerances(entry, vector_id, at)
        if len(self.problems) > before:
            return None
        return Vector(
            vector_id,
            entry["area"],
            entry["inputs"],
            entry["expected"],
            tolerances,
            line,
            str(entry.get("source", "")),
        )

    def tolerances(self, entry: dict[str, Any], vector_id: str, at: int) -> dict[str, Fraction]:
        """Absolute tolerances by expected key; the one of the vector under the empty name."""
        found = {"": Fraction(0)}
        for key, value in entry.items():
            if key != "tolerance" and not key.startswith("tolerance_"):
                continue
            size = None if isinstance(value, str) else _as_number(value)
            if size is None or size < 0 or isinstance(value, bool):
                self.problem(at, f"entry {vector_id}: {key!r} must be a number of at least 0")
            else:
                found[key.removeprefix("tolerance").removeprefix("_")] = size
        return found


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise ValueError(f"{text[:20]} is too large or too small")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"the name {repeated[0]!r} appears twice")
    return table
