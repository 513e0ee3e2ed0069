"""Reading and checking a file of matching cases: every mistake at once, each with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.errors import Problem, ScenarioError, UsageError
from exchange_sim.limits import INT64_MAX

_FIELDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "limit": (("id", "side", "price", "qty"), ("tif", "post_only", "display", "owner")),
    "market": (("id", "side", "qty"), ("tif", "owner")),
    "stop": (("id", "side", "trigger", "qty"), ("price", "tif", "display", "owner")),
    "cancel": (("id",), ()),
    "replace": (("id",), ("price", "qty")),
    "mass_cancel": ((), ("owner", "side")),
}
"""Required and optional fields of each operation."""

_COLUMNS = {"trades": (int, int, int, int), "cancels": (int, int, str), "rejects": (int, str)}
_BYTES_MAX = 50_000_000


def _whole(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool):
        return "must be a whole number"
    return "" if abs(value) <= INT64_MAX else "does not fit 64 bits"


def _one_of(*words: Any) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        known = any(value == word and type(value) is type(word) for word in words)
        return "" if known else "must be one of " + ", ".join(json.dumps(word) for word in words)

    return check


def _post_only(value: Any) -> str:
    good = isinstance(value, bool) or value == "slide"
    return "" if good else 'must be true, false or "slide"'


def _owner(value: Any) -> str:
    is_name = isinstance(value, (str, int)) and not isinstance(value, bool)
    return "" if is_name else "must be text or a whole number"


_CHECKS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("id", "price", "qty", "trigger", "display"), _whole),
    "side": _one_of("B", "S"),
    "tif": _one_of("GTC", "IOC", "FOK", "GTX", "GTD"),
    "post_only": _post_only,
    "owner": _owner,
}


@attrs.frozen
class CaseFile:
    """The well-formed cases of a file."""

    path: Path
    cases: list[dict[str, Any]]


@attrs.define
class _Checker:
    """Collects the mistakes of one file."""

    path: str
    text: str
    stp_modes: tuple[str, ...]
    problems: list[Problem] = attrs.Factory(list)
    line: int = 1
    _cursor: int = 0

    def find_case(self, name: Any) -> None:
        """Move to the line on which the next case of that name is named."""
        if isinstance(name, str):
            spelled = re.escape(json.dumps(name))
            found = re.compile(rf'"name"\s*:\s*{spelled}').search(self.text, self._cursor)
            if found:
                self._cursor = found.end()
                self.line = self.text.count("\n", 0, found.start()) + 1

    def add(self, where: str, message: str, hint: str = "") -> None:
        """Record a mistake."""
        self.problems.append(Problem(self.path, self.line, 1, f"{where}: {message}", hint))

    def case(self, index: int, case: Any) -> None:
        """Check one case."""
        where = f"cases[{index}]"
        if not isinstance(case, dict):
            self.add(where, "must be a table")
            return
        self.find_case(case.get("name"))
        if not isinstance(case.get("name"), str):
            self.add(where, "name is missing or not text")
        else:
            where = f"{where} ({case['name']})"
        expectations = {f"expected_{what}" for what in (*_COLUMNS, "book")}
        expected = {key: case[key] for key in case if key.startswith("expect")}
        self._keys(where, expected, expectations)
        for key in case:
            near = get_close_matches(key, ("ops", "config", "name"), 1, 0.75)
            if near and key not in near:
                self.add(where, f"unknown field {key!r}", f"did you mean {near[0]!r}?")
        self._config(f"{where}.config", case.get("config", {}))
        ops = case.get("ops")
        if not isinstance(ops, list):
            self.add(where, "ops is missing or not a list")
            ops = []
        for number, op in enumerate(ops):
            self._op(f"{where}.ops[{number}]", op)
        for what in _COLUMNS:
            self._rows(f"{where}.expected_{what}", case.get(f"expected_{what}", []), what)
        self._book(f"{where}.expected_book", case.get("expected_book", {}))
        if not expected:
            self.add(where, "expects nothing", "add expected_trades, expected_book or another")

    def _keys(self, where: str, table: dict[str, Any], known: set[str]) -> None:
        for key in table:
            if key not in known:
                near = get_close_matches(key, sorted(known), 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                hint += f"known: {', '.join(sorted(known))}"
                self.add(where, f"unknown field {key!r}", hint)

    def _config(self, where: str, config: Any) -> None:
        if not isinstance(config, dict):
            self.add(where, "must be a table")
            return
        self._keys(where, config, {"stp"})
        if problem := _one_of(*self.stp_modes)(config.get("stp", "none")):
            self.add(f"{where}.stp", problem)

    def _op(self, where: str, op: Any) -> None:
        if not isinstance(op, dict):
            self.add(where, "must be a table")
            return
        kind = op.get("op")
        if not isinstance(kind, str) or kind not in _FIELDS:
            self.add(where, f"unknown op {kind!r}", f"known: {', '.join(_FIELDS)}")
            return
        required, optional = _FIELDS[kind]
        self._keys(where, op, {"op", *required, *optional})
        for field in required:
            if field not in op:
                self.add(where, f"{kind} needs {field}")
        for field, check in _CHECKS.items():
            if field in op and (problem := check(op[field])):
                self.add(f"{where}.{field}", f"{problem}, is {json.dumps(op[field])}")
        if op.get("post_only") and op.get("tif", "GTC") not in ("GTC", "GTX", "GTD"):
            self.add(where, f"post_only cannot be combined with tif {op['tif']}")
        if kind == "market" and op.get("tif") in ("GTX", "GTD"):
            self.add(where, f"a market order cannot be {op['tif']}")

    def _rows(self, where: str, rows: Any, what: str) -> None:
        if not isinstance(rows, list):
            self.add(where, "must be a list")
            return
        types = _COLUMNS[what]
        for number, row in enumerate(rows):
            good = isinstance(row, list) and [type(cell) for cell in row] == list(types)
            if not good:
                wanted = ", ".join("text" if kind is str else "whole number" for kind in types)
                self.add(f"{where}[{number}]", f"must be [{wanted}], is {json.dumps(row)}")

    def _book(self, where: str, book: Any) -> None:
        if not isinstance(book, dict):
            self.add(where, "must be a table with bids and asks")
            return
        self._keys(where, book, {"bids", "asks"})
        for side, rows in book.items():
            for number, row in enumerate(rows if isinstance(rows, list) else [None]):
                good = isinstance(row, list) and [type(cell) for cell in row] == [int, int, list]
                if not good or any(type(order_id) is not int for order_id in row[2]):
                    message = f"must be [price, shown qty, [ids]], is {json.dumps(row)}"
                    self.add(f"{where}.{side}[{number}]", message)


def _parse(path: Path) -> tuple[str, Any]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise UsageError(f"{path}: larger than {_BYTES_MAX} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"no such file: {path}") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        problem = Problem(str(path), 1, 1, f"not UTF-8 text (byte {error.start})")
        raise ScenarioError("1 problem", (problem,)) from None
    try:
        return text, json.loads(text)
    except json.JSONDecodeError as error:
        problem = Problem(str(path), error.lineno, error.colno, f"not JSON: {error.msg}")
        raise ScenarioError("1 problem", (problem,)) from None
    except (RecursionError, ValueError) as error:
        problem = Problem(str(path), 1, 1, f"not usable JSON: {type(error).__name__}")
        raise ScenarioError("1 problem", (problem,)) from None


def read_case_file(path: Path, stp_modes: tuple[str, ...]) -> CaseFile:
    """Read and check a file of matching cases.

    Raises ``UsageError`` if it cannot be read, ``ScenarioError`` with all mistakes if it is wrong.
    """
    text, data = _parse(path)
    checker = _Checker(str(path), text, stp_modes)
    cases = data.get("cases") if isinstance(data, dict) else None
    if not isinstance(cases, list) or not cases:
        checker.add("file", 'must be a table with a list "cases" that is not empty')
        cases = []
    for index, case in enumerate(cases):
        checker.case(index, case)
    if checker.problems:
        count = len(checker.problems)
        message = f"{count} problem{'s' if count > 1 else ''} in {path}"
        raise ScenarioError(message, tuple(checker.problems))
    return CaseFile(path, cases)
