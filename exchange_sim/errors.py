"""The exceptions of the project, and the exit code of each.

::

    ExchangeSimError              1  anything below, when nothing more precise applies
    ├── UsageError                2  the command line asked for something that does not exist
    ├── ScenarioError             2  a scenario file is wrong (carries every located problem)
    ├── InvariantViolation        3  a rule of the market was broken: a defect of the emulator
    ├── JournalCorrupt            4  a journal or run directory is truncated, altered or foreign
    ├── DeterminismMismatch       5  a replay differs from the recording
    ├── StrategyFault             6  a strategy raised, under the policy ``stop``
    ├── StorageError              7  the disk is full, read-only or failing
    └── Livelock                  8  simulated time stopped advancing

Refusals inside the market are events with a ``RejectReason``; they are never exceptions.  Every
class is an attrs class with positional fields, so that SimPy can rebuild it across a process
boundary.
"""

from __future__ import annotations

from typing import ClassVar

import attrs


@attrs.define(eq=False)
class ExchangeSimError(Exception):
    """Base of all errors that a user can meet.  ``exit_code`` is what the CLI ends with."""

    message: str
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return self.message


@attrs.define(eq=False)
class UsageError(ExchangeSimError):
    """The request names something that does not exist or cannot be combined."""

    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        return self.message


@attrs.frozen
class Problem:
    """One located mistake in a file: where it is, what is wrong, and what to do about it."""

    path: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        text = f"{where}: error: {self.message}"
        return f"{text}\n    hint: {self.hint}" if self.hint else text


@attrs.define(eq=False)
class ScenarioError(ExchangeSimError):
    """A scenario cannot be used.  ``problems`` holds every mistake that was found, not the
    first.
    """

    problems: tuple[Problem, ...] = ()
    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        return "\n".join([*(str(problem) for problem in self.problems), self.message])


@attrs.define(eq=False)
class InvariantViolation(ExchangeSimError):
    """A numbered rule does not hold.  This is a defect of the emulator, never of its user."""

    invariant: str = ""
    seq: int = 0
    exit_code: ClassVar[int] = 3

    def __str__(self) -> str:
        return f"invariant {self.invariant} broken after command {self.seq}: {self.message}"


@attrs.define(eq=False)
class JournalCorrupt(ExchangeSimError):
    """A journal cannot be read any further.  ``offset`` is the byte, ``seq`` the last good
    command.
    """

    offset: int = 0
    seq: int = 0
    exit_code: ClassVar[int] = 4

    def __str__(self) -> str:
        return f"{self.message} (byte {self.offset}, last whole record ends at command {self.seq})"


@attrs.define(eq=False)
class DeterminismMismatch(ExchangeSimError):
    """Two executions that must agree do not."""

    exit_code: ClassVar[int] = 5

    def __str__(self) -> str:
        return self.message


@attrs.define(eq=False)
class StrategyFault(ExchangeSimError):
    """A strategy raised, hung or returned junk.  The message carries its file and line."""

    exit_code: ClassVar[int] = 6

    def __str__(self) -> str:
        return self.message


@attrs.define(eq=False)
class StorageError(ExchangeSimError):
    """The run directory cannot be written."""

    exit_code: ClassVar[int] = 7

    def __str__(self) -> str:
        return self.message


@attrs.define(eq=False)
class Livelock(ExchangeSimError):
    """More events at one instant than ``limits.EVENTS_PER_INSTANT_MAX``."""

    exit_code: ClassVar[int] = 8

    def __str__(self) -> str:
        return self.message
