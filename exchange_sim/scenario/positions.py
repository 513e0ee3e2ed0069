"""Where every key and value of a TOML text stands.

``tomllib`` gives positions for syntax errors only.  This scanner walks a text that ``tomllib`` has
already accepted, so it may assume valid TOML, and records line and column for every key, table
header, array item and inline table.  Paths are tuples of keys and array indices, as one would
subscript the parsed document.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?""""{0,2}', re.DOTALL),
    re.compile(r"'''.*?''''{0,2}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[0-9:.+Zz-]+|[^\s,\]}#]+")


class Place(NamedTuple):
    """Line and column, both from 1, of a key (or header) and of its value."""

    key: tuple[int, int]
    value: tuple[int, int]


def places(text: str) -> dict[Path, Place]:
    """Positions of everything in a valid TOML text.  Linear in its length."""
    scanner = _Scanner(text)
    scanner.scan()
    return scanner.found


class _Scanner:
    """One pass over the text; ``at`` is the offset of the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, Place] = {}
        self.tables: dict[Path, int] = {}
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1] + 1

    def scan(self) -> None:
        prefix: Path = ()
        while True:
            self.skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                prefix = self.header()
            else:
                self.pair(prefix)

    def skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()

    def header(self) -> Path:
        start = self.at
        array = self.text.startswith("[[", start)
        self.at += 2 if array else 1
        *parents, (last, _) = self.key()
        self.at += 2 if array else 1
        here = self.place(start)
        path: Path = ()
        for part, _ in parents:
            path = self.enter((*path, part), here)
        path = (*path, last)
        if array:
            self.found.setdefault(path, Place(here, here))
            self.tables[path] = self.tables.get(path, -1) + 1
            path = (*path, self.tables[path])
        self.found[path] = Place(here, here)
        return path

    def enter(self, path: Path, here: tuple[int, int]) -> Path:
        """A table that is passed through; for an array of tables that is its newest item."""
        self.found.setdefault(path, Place(here, here))
        return (*path, self.tables[path]) if path in self.tables else path

    def key(self) -> list[tuple[str, int]]:
        """A dotted key: its parts with their offsets."""
        parts = []
        while True:
            self.skip(_SPACE)
            start = self.at
            self.skip(_BARE_KEY)
            if self.at == start:
                for pattern in _STRINGS[2:]:
                    self.skip(pattern)
            raw = self.text[start : self.at]
            quoted = raw[:1] in {'"', "'"}
            parts.append((next(iter(tomllib.loads(f"{raw}=0"))) if quoted else raw, start))
            self.skip(_SPACE)
            if not self.text.startswith(".", self.at):
                return parts
            self.at += 1

    def pair(self, prefix: Path) -> None:
        """Read ``key = value``."""
        *parents, (last, start) = self.key()
        path = prefix
        for part, offset in parents:
            path = self.enter((*path, part), self.place(offset))
        path = (*path, last)
        self.at += 1
        self.skip(_SPACE)
        self.found[path] = Place(self.place(start), self.place(self.at))
        self.value(path)

    def value(self, path: Path) -> None:
        opening = self.text[self.at]
        if opening == "[":
            self.items(path)
        elif opening == "{":
            self.inline_table(path)
        elif opening in {'"', "'"}:
            for pattern in _STRINGS:
                match = pattern.match(self.text, self.at)
                if match:
                    self.at = match.end()
                    return
        else:
            self.skip(_SCALAR)

    def items(self, path: Path) -> None:
        self.at += 1
        index = 0
        while True:
            self.skip(_BLANK)
            if self.text[self.at] == "]":
                break
            if self.text[self.at] == ",":
                self.at += 1
                continue
            here = self.place(self.at)
            self.found[(*path, index)] = Place(here, here)
            self.value((*path, index))
            index += 1
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while True:
            self.skip(_BLANK)
            if self.text[self.at] == "}":
                break
            if self.text[self.at] == ",":
                self.at += 1
                continue
            self.pair(path)
        self.at += 1
