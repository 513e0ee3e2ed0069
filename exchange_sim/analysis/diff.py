"""The first command in which two journals differ, for people who look for lost determinism."""

from __future__ import annotations

from collections import deque
from itertools import zip_longest
from pathlib import Path

import attrs

from exchange_sim.journal.reader import JournalReader
from exchange_sim.messages.registry import COMMANDS, decode_command
from exchange_sim.units import format_utc

Command = tuple[int, ...]


@attrs.frozen
class Difference:
    """Where two journals part.

    ``seq`` is the number of the first differing command; ``left`` or ``right`` is ``None`` when
    that journal has ended.  ``fields`` names the fields that differ, ``before`` are the last
    commands that agree, ``header`` the header fields that differ.
    """

    seq: int
    left: Command | None
    right: Command | None
    fields: tuple[str, ...]
    before: tuple[Command, ...]
    header: tuple[str, ...]

    def lines(self) -> list[str]:
        """The difference as text for a terminal."""
        first = self.seq - len(self.before)
        found = [f"header: {text}" for text in self.header]
        found += [f"  {first + at} {describe(command)}" for at, command in enumerate(self.before)]
        if self.left is None and self.right is None:
            return [*found, f"all {self.seq - 1} commands are equal"]
        found.append(f"< {self.seq} {describe(self.left)}")
        found.append(f"> {self.seq} {describe(self.right)}")
        if self.fields:
            found.append(f"differs in: {', '.join(self.fields)}")
        return found


def diff_journals(left: Path, right: Path, context: int = 3) -> Difference | None:
    """Compare two journals; ``None`` when headers and commands are equal.

    With equal commands but different headers the result has neither ``left`` nor ``right``.  Raises
    ``JournalCorrupt`` and ``StorageError``.
    """
    first, second = JournalReader(left), JournalReader(right)
    try:
        header = _header_differences(first, second)
        before: deque[Command] = deque(maxlen=context)
        seq = 0
        for one, other in zip_longest(first.commands(), second.commands()):
            seq += 1
            if one != other:
                fields = _fields(one, other)
                return Difference(seq, one, other, fields, tuple(before), header)
            before.append(one)
    finally:
        first.close()
        second.close()
    return Difference(seq + 1, None, None, (), (), header) if header else None


def describe(command: Command | None) -> str:
    """A command with the names of its fields: ``2025-10-10T20:50:00.000000001Z NewOrder(...)``."""
    if command is None:
        return "(the journal has ended)"
    try:
        text = str(decode_command(command))
    except ValueError:  # An enumeration has no such member: the numbers still say it.
        kind = COMMANDS[command[0]]
        pairs = zip(kind.field_names, command[1:], strict=True)
        text = f"{kind.__name__}({', '.join(f'{name}={value}' for name, value in pairs)})"
    return f"{format_utc(command[1], 9)} {text}"


def _fields(left: Command | None, right: Command | None) -> tuple[str, ...]:
    if left is None or right is None:
        return ()
    if left[0] != right[0]:
        return ("type",)
    names = COMMANDS[left[0]].field_names
    pairs = zip(names, left[1:], right[1:], strict=True)
    return tuple(name for name, one, other in pairs if one != other)


def _header_differences(left: JournalReader, right: JournalReader) -> tuple[str, ...]:
    one, other = attrs.asdict(left.header), attrs.asdict(right.header)
    return tuple(
        f"{key} differs" if len(f"{value}{other[key]}") > 80 else f"{key}: {value} | {other[key]}"
        for key, value in one.items()
        if value != other[key]
    )
