"""What a field of a scenario may hold: how it is read, checked and described.

A kind turns a ``Node`` into a value, or records located problems and returns ``INVALID``; it never
raises.  Schema classes are attrs classes whose fields were made with ``entry(kind, ...)``; the same
metadata produces the reference page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

import attrs

from exchange_sim.errors import Problem
from exchange_sim.scenario.tree import Mark, Node, nearest
from exchange_sim.units import PPM

INVALID: Final = object()
"""Returned by ``Kind.read`` when a problem was recorded instead of a value."""

DIGITS_MAX: Final = 40
"""Digits of a decimal on each side of the point: beyond 64-bit money, below a memory hog."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:/+-]*")
"""Names are path components and stream names, so they hold no dots and no blanks."""


class Reader:
    """Collects problems and references; ``start_ns`` is what relative times count from."""

    def __init__(self, start_ns: int = 0) -> None:
        self.start_ns = start_ns
        self.problems: list[Problem] = []
        self.references: list[tuple[Node, Ref]] = []
        self.incomplete: set[str] = set()
        """Addresses of tables whose template is unknown: what they lack is not a second mistake."""

    def bad(self, mark: Mark, message: str, hint: str = "") -> Any:
        """Record a problem and return ``INVALID``."""
        self.problems.append(mark.problem(message, hint))
        return INVALID

    def wrong(self, node: Node, expected: str, hint: str = "") -> Any:
        """Record that a value is not what its field takes."""
        return self.bad(node.mark, f"{node.name} must be {expected}, not {shown(node.value)}", hint)


def shown(value: Any) -> str:
    """A value as the writer of the file would recognise it, shortened."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:36]}..."


class Kind(Protocol):
    """How one kind of field is read."""

    def read(self, node: Node, reader: Reader) -> Any:
        """The value of ``node``, or ``INVALID`` after recording why not."""

    def describe(self) -> str:
        """What the reference page says that the field takes."""


@attrs.frozen
class Text:
    """Free text, or one of ``choices``, or something that matches ``pattern``."""

    choices: tuple[str, ...] = ()
    pattern: re.Pattern[str] | None = None
    expected: str = "a text in quotes"

    def read(self, node: Node, reader: Reader) -> Any:
        """The text."""
        if not isinstance(node.value, str):
            return reader.wrong(node, self.describe())
        if self.choices and node.value not in self.choices:
            return reader.wrong(node, self.describe(), nearest(node.value, self.choices))
        if self.pattern is not None and not self.pattern.fullmatch(node.value):
            return reader.wrong(node, self.expected)
        return node.value

    def describe(self) -> str:
        """The choices, or what is expected."""
        if self.choices:
            return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)
        return self.expected


NAME_TEXT: Final = Text((), NAME, 'a name of letters, digits, "_", "-", ":" or "/"')


@attrs.frozen
class Ref:
    """The name of something under another top-level key; looked up when all has been read."""

    table: str
    what: str

    def read(self, node: Node, reader: Reader) -> Any:
        """The name."""
        name = NAME_TEXT.read(node, reader)
        if name is not INVALID:
            reader.references.append((node, self))
        return name

    def describe(self) -> str:
        """Where the name must exist."""
        return f"the name of one of [{self.table}]"


ASSET: Final = Ref("assets", "asset")
VENUE: Final = Ref("venues", "venue")


@attrs.frozen
class Flag:
    """``true`` or ``false``."""

    def read(self, node: Node, reader: Reader) -> Any:
        """The flag."""
        return node.value if isinstance(node.value, bool) else reader.wrong(node, self.describe())

    def describe(self) -> str:
        """What to write."""
        return "true or false"


@attrs.frozen
class Whole:
    """A whole number within bounds."""

    low: int = 0
    high: int = 2**62

    def read(self, node: Node, reader: Reader) -> Any:
        """The number."""
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int):
            return reader.wrong(node, self.describe())
        return value if self.low <= value <= self.high else reader.wrong(node, self.describe())

    def describe(self) -> str:
        """The range."""
        if self.high >= 2**62:
            return f"a whole number of at least {self.low}"
        return f"a whole number from {self.low} to {self.high}"


@attrs.frozen
class Number:
    """An exact decimal, written as number or as text.  ``step`` is the finest that is kept."""

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(10) ** 15
    above: bool = False
    step: Decimal | None = None

    def read(self, node: Node, reader: Reader) -> Any:
        """The decimal."""
        value = exact(node.value)
        if value is None:
            return reader.wrong(node, self.describe())
        too_low = value <= self.low if self.above else value < self.low
        if too_low or value > self.high:
            return reader.wrong(node, self.describe())
        if self.step is not None and value % self.step:
            return reader.wrong(node, f"a multiple of {self.step:f}")
        return value

    def describe(self) -> str:
        """The range."""
        bound = f"above {self.low:f}" if self.above else f"at least {self.low:f}"
        if self.high >= Decimal(10) ** 15:
            return f"a number of {bound}" if not self.above else f"a number {bound}"
        return f"a number {bound} and at most {self.high:f}"


def exact(value: Any) -> Decimal | None:
    """The exact decimal of a TOML number or of text, or None if it is none of a sensible size."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        number = Decimal(value)
    except ArithmeticError:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DIGITS_MAX or number.adjusted() > DIGITS_MAX:
        return None
    return number


POSITIVE: Final = Number(above=True)
MONEY: Final = Number()
RATIO: Final = Number(Decimal(0), Decimal(1), step=Decimal(1).scaleb(-6))
"""A share, a rate or a haircut: from 0 to 1 in steps of one part per million."""
RATE: Final = Number(Decimal(0), Decimal(1000), step=Decimal(1).scaleb(-6))
"""A multiple: as above without the upper bound of one."""


@attrs.frozen
class Items:
    """An array of one kind; a single value may be written without the brackets if ``single``."""

    kind: Kind
    single: bool = False
    least: int = 0

    def read(self, node: Node, reader: Reader) -> Any:
        """The values as a tuple."""
        if not isinstance(node.value, list) and not self.single:
            return reader.wrong(node, self.describe())
        nodes = node.items if isinstance(node.value, list) else [node]
        values = tuple(self.kind.read(item, reader) for item in nodes)
        if len(nodes) < self.least:
            return reader.bad(node.mark, f"{node.name} needs at least {self.least} item")
        return INVALID if any(value is INVALID for value in values) else values

    def describe(self) -> str:
        """What the items are."""
        return f"an array of: {self.kind.describe()}"


@attrs.frozen
class Table:
    """A table from names to one kind; in Python a dict in the order of the names."""

    kind: Kind
    keys: Kind = NAME_TEXT

    def read(self, node: Node, reader: Reader) -> Any:
        """The items by name."""
        if not isinstance(node.value, dict):
            return reader.wrong(node, self.describe())
        values = {key: self.kind.read(item, reader) for key, item in sorted(node.table.items())}
        for key, item in node.table.items():
            if (
                self.keys.read(Node(key, item.key_mark, item.key_mark, item.name), reader)
                is INVALID
            ):
                values[key] = INVALID
        return INVALID if any(value is INVALID for value in values.values()) else values

    def describe(self) -> str:
        """What the values are."""
        return f"a table of: {self.kind.describe()}"


@attrs.frozen
class Free:
    """A table whose keys belong to somebody else (a strategy's parameters)."""

    def read(self, node: Node, reader: Reader) -> Any:
        """Plain Python values; decimals stay exact, times become text."""
        return (
            plain(node, reader) if isinstance(node.value, dict) else reader.wrong(node, "a table")
        )

    def describe(self) -> str:
        """That anything goes here, and who checks it."""
        return "a table whose keys are checked by their owner"


def plain(node: Node, reader: Reader) -> Any:
    """The plain value of a free node, with numbers of a sensible size only."""
    value: Any = node.value
    if isinstance(value, dict):
        value = {key: plain(item, reader) for key, item in sorted(node.table.items())}
        return INVALID if any(item is INVALID for item in value.values()) else value
    if isinstance(value, list):
        value = [plain(item, reader) for item in node.items]
        return INVALID if any(item is INVALID for item in value) else value
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and exact(value) is None:
        return reader.wrong(node, "a finite number of at most 40 digits")
    if isinstance(value, bool | int | Decimal | str):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


@attrs.frozen
class Of:
    """A table with the fields of a schema class."""

    cls: type

    def read(self, node: Node, reader: Reader) -> Any:
        """An object of the class."""
        if not isinstance(node.value, dict):
            return reader.wrong(node, self.describe())
        values: dict[str, Any] = {}
        fields = fields_of(self.cls)
        meant = set(node.table)
        for key, item in node.table.items():
            if key in fields:
                values[fields[key].name] = fields[key].metadata["kind"].read(item, reader)
            else:
                hint = nearest(key, fields)
                meant.update(name for name in fields if hint == f"did you mean {name!r}?")
                values[key] = reader.bad(item.key_mark, f"unknown key {item.name!r}", hint)
        for key, field in fields.items():
            if node.name in reader.incomplete:
                break
            if field.metadata["required"] and key not in meant:
                hint = f"{key} = {field.metadata['kind'].describe()}"
                where = node.name or "the file"
                values[key] = reader.bad(node.mark, f"{where} lacks {key!r}", hint)
        broken = any(value is INVALID for value in values.values())
        return INVALID if broken or node.name in reader.incomplete else self.cls(**values)

    def describe(self) -> str:
        """Its keys."""
        return "a table with " + ", ".join(fields_of(self.cls))


def entry(
    kind: Kind, *, key: str = "", doc: str = "", default: Any = attrs.NOTHING, unit: str = ""
) -> Any:
    """A field of a schema class.

    ``key`` is its name in TOML when that differs from the name in Python (which has the unit);
    a field without ``default`` is required.
    """
    metadata = {"kind": kind, "key": key, "doc": doc, "unit": unit}
    metadata["required"] = default is attrs.NOTHING
    if isinstance(default, dict | list):
        return attrs.field(factory=type(default), metadata=metadata)
    return attrs.field(default=default, metadata=metadata)


_FIELDS: dict[type, Mapping[str, attrs.Attribute[Any]]] = {}


def fields_of(cls: type) -> Mapping[str, attrs.Attribute[Any]]:
    """The fields of a schema class by their TOML key."""
    if cls not in _FIELDS:
        _FIELDS[cls] = {item.metadata["key"] or item.name: item for item in attrs.fields(cls)}
    return _FIELDS[cls]


def ppm(ratio: Decimal) -> int:
    """Parts per million of a ratio that ``RATIO`` or ``RATE`` has read."""
    return int(ratio * PPM)
