"""Targets: published figures with a band, a source and a confidence, read from JSON.

The file is an array of objects.  ``window_rel_s`` is a pair of seconds relative to the news
(``null`` for the whole run); ``definition`` says how the figure was computed from public data and
carries the thresholds that the measuring functions read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import attrs

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.journal.storage import storage_error

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""A list of published figures is some kilobytes; more is not one."""

WEIGHTS: Final = {"high": 3, "medium": 2, "low": 1}
"""What a target counts, by the confidence in its figure."""

ROLES: Final = ("score", "input")
"""Inputs are what a scenario is given; they are listed and not scored."""

_REQUIRED: Final = ("id", "quantity", "value_low", "value_high", "unit", "role", "confidence")
_TEXTS: Final = ("id", "quantity", "unit", "area", "venue_kind", "asset_kind", "definition")
_SPACE: Final = re.compile(r"[\s,]*")


@attrs.frozen
class Target:
    """One published figure.  ``window`` is in seconds from the news; ``where`` is ``file:line``."""

    id: str
    area: str
    quantity: str
    venue_kind: str
    asset_kind: str
    low: float
    high: float
    point: float | None
    unit: str
    window: tuple[float, float] | None
    news_clock_s: float | None
    """Seconds after midnight UTC of the news, from ``window_utc``; clock times refer to it."""
    definition: str
    role: str
    confidence: str
    source_url: str
    notes: str
    where: str

    @property
    def weight(self) -> int:
        """Its share of the total, by confidence."""
        return WEIGHTS[self.confidence]

    @property
    def text(self) -> str:
        """Quantity and definition, in which the thresholds stand."""
        return f"{self.quantity}; {self.definition}"


def builtin_targets() -> tuple[Target, ...]:
    """The figures of 10-11 October 2025 that travel with the package."""
    name = "targets.json"
    return parse_targets(files(__package__).joinpath(name).read_text(encoding="utf-8"), name)


def load_targets(path: Path) -> tuple[Target, ...]:
    """Read a targets file.

    Raises ``ScenarioError`` with every mistake of it, and ``StorageError`` when it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise _failed([Problem(str(path), 0, 0, "there is no such file")]) from None
    except OSError as cause:
        raise storage_error(path, "read", cause) from cause
    if len(data) > FILE_BYTES_MAX:
        raise _failed([Problem(str(path), 0, 0, "is too large for a list of targets")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _failed([Problem(str(path), 0, 0, "is not UTF-8 text")]) from None
    return parse_targets(text, str(path))


def parse_targets(text: str, path: str) -> tuple[Target, ...]:
    """The targets in ``text``.  Raises ``ScenarioError`` with every mistake."""
    problems: list[Problem] = []
    found: dict[str, Target] = {}
    count = 0
    try:
        for offset, value in _items(text):
            count += 1
            reader = _Reader(path, text, offset, value, problems)
            target = reader.target()
            if target is None:
                continue
            if target.id in found:
                reader.wrong("id", f"{target.id!r} was already used at {found[target.id].where}")
            found[target.id] = target
    except (json.JSONDecodeError, RecursionError) as error:
        line, column = getattr(error, "lineno", 0), getattr(error, "colno", 0)
        what = getattr(error, "msg", "nested too deeply")
        problems.append(Problem(path, line, column, f"is not JSON: {what}"))
    if not count and not problems:
        problems.append(Problem(path, 1, 1, "holds no target", "an array of objects is expected"))
    if problems:
        raise _failed(problems)
    return tuple(found.values())


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """The items of the array with the offset of each, so that mistakes have a line."""
    decoder, at = json.JSONDecoder(), len(text) - len(text.lstrip())
    if text[at : at + 1] != "[":
        json.loads(text)
        raise json.JSONDecodeError("an array of targets is expected", text, at)
    json.loads(text)
    at += 1
    while text[(at := _after_space(text, at))] != "]":
        value, end = decoder.raw_decode(text, at)
        yield at, value
        at = end


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _failed(problems: list[Problem]) -> ScenarioError:
    count = len(problems)
    return ScenarioError(
        f"the targets cannot be used: {count} problem{'s'[: count != 1]}", tuple(problems)
    )


class _Reader:
    """Reads one object; mistakes are collected with the line of their key."""

    def __init__(
        self, path: str, text: str, offset: int, value: Any, problems: list[Problem]
    ) -> None:
        self._path = path
        self._text = text
        self._offset = offset
        self._value = value
        self._problems = problems

    def wrong(self, key: str, message: str, hint: str = "") -> None:
        """Record a mistake at the line of ``key`` (of the object when it has none)."""
        at = self._text.find(f'"{key}"', self._offset) if key else self._offset
        at = self._offset if at < 0 else at
        line = self._text.count("\n", 0, at) + 1
        column = at - self._text.rfind("\n", 0, at)
        self._problems.append(Problem(self._path, line, column, message, hint))

    def target(self) -> Target | None:
        """The target, or ``None`` when it has a mistake."""
        before = len(self._problems)
        if not isinstance(self._value, dict):
            self.wrong("", "a target is a JSON object")
            return None
        for key in _REQUIRED:
            if self._value.get(key) is None:
                self.wrong("", f"a target lacks {key!r}", f"keys: {', '.join(_REQUIRED)}, ...")
        known = {*_REQUIRED, *_TEXTS, *_OPTIONAL}
        for key in self._value:
            if key not in known:
                near = get_close_matches(key, known, 1)
                self.wrong(
                    key, f"unknown key {key!r}", f"did you mean {near[0]!r}?" if near else ""
                )
        texts = {key: self._string(key) for key in (*_TEXTS, "source_url", "notes")}
        role, confidence = self._one_of("role", ROLES), self._one_of("confidence", tuple(WEIGHTS))
        low, high = self._number("value_low"), self._number("value_high")
        if low is not None and high is not None and low > high:
            self.wrong("value_low", f"the band is empty: {low} is above {high}")
        point, window, clock = self._number("point"), self._window(), self._clock()
        if len(self._problems) > before or low is None or high is None:
            return None
        line = self._text.count("\n", 0, self._offset) + 1
        start = window[0] if window else 0.0
        return Target(
            low=low, high=high, point=point, window=window, role=role, confidence=confidence,
            news_clock_s=None if clock is None else (clock - start) % 86_400,
            where=f"{self._path}:{line}", **texts,
        )  # fmt: skip

    def _string(self, key: str) -> str:
        value = self._value.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(key, f"{key} must be text, not {json.dumps(value)[:40]}")
            return ""
        return value

    def _one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._string(key)
        if value and value not in allowed:
            self.wrong(key, f"{key} {value!r} is unknown", f"one of {', '.join(allowed)}")
        return value

    def _number(self, key: str) -> float | None:
        value = self._value.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e18:
            self.wrong(key, f"{key} must be a finite number, not {json.dumps(value)[:40]}")
            return None
        return float(value)

    def _window(self) -> tuple[float, float] | None:
        value = self._value.get("window_rel_s")
        if value is None:
            return None
        fits = isinstance(value, list) and len(value) == 2
        if not fits or not all(
            isinstance(item, int | float) and not isinstance(item, bool) and abs(item) < 1e9
            for item in value
        ):
            self.wrong("window_rel_s", "window_rel_s must be two numbers of seconds, or null")
            return None
        if value[0] >= value[1]:
            self.wrong("window_rel_s", f"the window is empty: {value[0]} to {value[1]} s")
            return None
        return float(value[0]), float(value[1])

    def _clock(self) -> float | None:
        """Second of the day at which ``window_utc`` begins."""
        match = re.match(r"\d{4}-\d\d-\d\dT(\d\d):(\d\d):(\d\d)Z/", self._string("window_utc"))
        return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3]) if match else None


_OPTIONAL: Final = ("point", "window_utc", "window_rel_s", "source_url", "notes")
