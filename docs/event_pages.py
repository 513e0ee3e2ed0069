"""The text of ``docs/reference/events.md``, from the registry: units, messages, enumerations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, Final

from exchange_sim.eventlog.schema import arrow_type, enum_of, table_name, unit_name
from exchange_sim.messages import commands as _commands
from exchange_sim.messages import events as _events
from exchange_sim.messages import reasons
from exchange_sim.messages.registry import COMMANDS, EVENTS, Message
from exchange_sim.model import enums

assert _commands.NewOrder.type_id in COMMANDS  # Importing the modules has filled the registry.
assert _events.Traded.type_id in EVENTS

_INTRODUCTION: Final = """\
# Units, messages, enumerations

*Generated from the registry by `make docs`; do not edit.*

A **command** is everything that may be asked of the world, an **event** everything that can happen
in it. What is not an event did not happen. All fields are integers of at most 64 bits; on the hot
path a command is the tuple `(type id, time_ns, fields...)` and an event `(type id, fields...)`. The
journal holds the commands of a run, `events/<table>.parquet` its events, one table per kind; every
table starts with `seq` (the number of the command that caused the row, from 1) and `time_ns`.
"""

_UNITS: Final = (
    ("Nanos", "nanoseconds since the Unix epoch, UTC"),
    ("Ticks", "price in the instrument's `tick_size`; 0 means none"),
    ("Lots", "quantity in the instrument's `lot_size`"),
    ("Amount", "smallest units of an asset: `10**decimals` are one whole asset"),
    ("AssetId", "row of `events/_assets.parquet`"),
    ("InstrumentId", "row of `events/_instruments.parquet`; -1 means none or all"),
    ("VenueId", "position of the venue in the scenario"),
    ("AccountId", "row of `events/_accounts.parquet`; -1 means none"),
    ("OrderId", "the world's number of an order, from 1"),
    ("ClientOrderId", "the owner's number of an order, unique among its open orders"),
    ("TradeId", "number of a trade, from 1"),
    ("int", "a plain number; the description says what it counts"),
    ("..._ppm", "parts per million; 1,000,000 is 1"),
    ("..._ppb", "parts per billion"),
)


def render() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, "## Units\n", _table(("unit", "meaning"), _UNITS)]
    parts += ["## Commands\n", *_messages(COMMANDS.values())]
    parts += ["## Events\n", *_messages(EVENTS.values())]
    parts += ["## Enumerations\n", *_enumerations()]
    parts += ["## Order flags\n", "`flags` is the sum of these numbers.\n", _flags()]
    return "\n".join(parts)


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    names = tuple(header)
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _sentences(thing: type[Any]) -> str:
    """A docstring as Markdown: double backquotes become single ones."""
    return (inspect.getdoc(thing) or "").replace("``", "`") + "\n"


def _messages(kinds: Iterable[type[Message]]) -> Iterator[str]:
    for kind in sorted(kinds, key=lambda kind: kind.type_id):
        yield f"### {kind.type_id} {kind.__name__}\n"
        yield _sentences(kind)
        if not kind.is_command:
            yield f"Table `events/{table_name(kind)}.parquet`.\n"
        pairs = zip(kind.field_names, kind.field_types, strict=True)
        columns = ("field", "unit") if kind.is_command else ("field", "unit", "column")
        yield _table(columns, (_field(kind, name, unit) for name, unit in pairs))


def _field(kind: type[Message], name: str, field_type: Any) -> tuple[str, ...]:
    unit = unit_name(field_type)
    shown = f"[{unit}](#{unit.lower()})" if enum_of(field_type) is not None else unit
    if kind.is_command:
        return f"`{name}`", shown
    return f"`{name}`", shown, str(arrow_type(field_type))


def _enumerations() -> Iterator[str]:
    for module in (enums, reasons):
        for _, members in inspect.getmembers(module, inspect.isclass):
            if issubclass(members, IntEnum) and members.__module__ == module.__name__:
                yield f"### {members.__name__}\n"
                yield _sentences(members)
                yield _table(("number", "name"), ((int(m), f"`{m.name}`") for m in members))


def _flags() -> str:
    names = sorted((value, name) for name, value in vars(enums).items() if name.startswith("FLAG_"))
    return _table(("number", "name"), ((value, f"`{name}`") for value, name in names))
