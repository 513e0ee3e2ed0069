"""Replay: recorded commands into a fresh world, without SimPy, strategies or clocks.

A complete journal must lead to the recorded state and the recorded events (LOG-3); a journal that
ends early is replayed up to its last whole record.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import attrs

from exchange_sim.errors import InvariantViolation, JournalCorrupt
from exchange_sim.eventlog.log import EventLog
from exchange_sim.eventlog.manifest import run_digest
from exchange_sim.journal.frames import JournalFooter, JournalHeader
from exchange_sim.journal.reader import JournalReader

Command = tuple[int, ...]
Event = tuple[int, ...]


class WorldLike(Protocol):
    """What replay needs of a world."""

    seq: int

    def apply(self, command: Command, /) -> list[Event]:
        """Apply one command and return what it caused."""

    def state_digest(self) -> str:
        """Digest of the whole state."""


MakeWorld = Callable[[JournalHeader], WorldLike]
Progress = Callable[[int, int], None]
"""Called now and then with (commands applied, simulated nanoseconds)."""

Watch = Callable[[int, Command, list[Event]], None]
"""Called for every command with its number and the events that it caused; keep neither list."""

_PROGRESS_EVERY = 20_000


@attrs.frozen
class Replayed:
    """What a replay arrived at.

    ``footer`` is what the recording says, ``None`` when it has no end; ``problem`` is why reading
    stopped early, empty when it did not.  ``mismatches`` names what differs from the recording.
    """

    header: JournalHeader
    world: WorldLike
    seq: int
    time_ns: int
    state_digest: str
    event_digest: str
    counts: dict[str, int]
    journal_digest: str
    footer: JournalFooter | None
    stopped_early: bool
    problem: str
    mismatches: tuple[str, ...]

    @property
    def digest(self) -> str:
        """The run's digest, as in the manifest of a run that is this far."""
        return run_digest(self.state_digest, self.event_digest)


def replay(
    path: Path,
    make_world: MakeWorld,
    until_time: int | None = None,
    log: EventLog | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Replayed:
    """Feed a journal to a new world and compare with the recording.

    ``until_time`` (nanoseconds) stops before the first later command; ``log`` receives the events,
    for instance to write the tables again; ``watch`` sees every command with its events.  Nothing
    is compared when the replay stops early.
    Raises ``JournalCorrupt`` when not even the header is whole, and ``InvariantViolation`` LOG-1
    when the recorded times run backwards.
    """
    reader = JournalReader(path)
    world = make_world(reader.header)
    log = EventLog(None) if log is None else log
    seq = time_ns = 0
    stopped, problem = False, ""
    try:
        for command in reader.commands():
            if until_time is not None and command[1] > until_time:
                stopped = True
                break
            if command[1] < time_ns:
                message = f"the time goes back from {time_ns} ns to {command[1]} ns"
                raise InvariantViolation(message, "LOG-1", seq)
            time_ns = command[1]
            caused = world.apply(command)
            log.record(seq + 1, time_ns, caused)
            seq += 1
            if watch is not None:
                watch(seq, command, caused)
            if progress is not None and not seq % _PROGRESS_EVERY:
                progress(seq, time_ns)
    except JournalCorrupt as damage:
        problem = str(damage)
    finally:
        reader.close()
    if reader.truncated_at is not None:
        problem = f"the journal is cut in the frame that starts at byte {reader.truncated_at}"
    elif not problem and not stopped and reader.footer is None:
        problem = "the journal has no footer: the run was not finished"
    state, events = world.state_digest(), log.digest()
    return Replayed(
        header=reader.header,
        world=world,
        seq=seq,
        time_ns=time_ns,
        state_digest=state,
        event_digest=events,
        counts=log.counts,
        journal_digest=reader.digest,
        footer=reader.footer,
        stopped_early=stopped,
        problem=problem,
        mismatches=() if reader.footer is None else _compare(reader.footer, seq, state, events),
    )


def _compare(footer: JournalFooter, seq: int, state: str, events: str) -> tuple[str, ...]:
    pairs = (
        ("number of commands", footer.final_seq, seq),
        ("state digest", footer.state_digest, state),
        ("event digest", footer.event_digest, events),
    )
    return tuple(
        f"{name}: recorded {recorded}, replayed {replayed}"
        for name, recorded, replayed in pairs
        if recorded != replayed
    )
