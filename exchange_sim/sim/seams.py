"""What the shell needs from the parts around it, as protocols: the world, the journal, the logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

Command = tuple[int, ...]
Event = tuple[int, ...]


class WorldLike(Protocol):
    """The state machine.  ``exchange_sim.world.World`` is one; tests have smaller ones."""

    seq: int
    time_ns: int

    def apply(self, command: Command) -> list[Event]:
        """Apply one command and return what it caused."""

    def margin_of(self, account: int) -> Any:
        """Margin state: equity, initial, maintenance, available, uni_mmr_ppm, band."""

    def liquidation_pending(self, venue: int) -> bool:
        """Whether the venue's liquidation engine has work."""

    def state_digest(self) -> str:
        """Digest of the whole state."""


class JournalLike(Protocol):
    """Takes every command before it is applied."""

    def append(self, cmd: Command) -> None:
        """Take the next command."""


class LogLike(Protocol):
    """Takes the events of every command."""

    def record(self, seq: int, time_ns: int, events: list[Event]) -> None:
        """Take what command ``seq`` caused."""


class BookSink(Protocol):
    """Takes the per-second picture of the books."""

    def sample_columns(
        self,
        time_ns: int,
        instrument_id: int,
        best_bid: int,
        best_ask: int,
        bid_keys: Sequence[int],
        bid_lots: Sequence[int],
        ask_keys: Sequence[int],
        ask_lots: Sequence[int],
    ) -> None:
        """Take one book: touch in ticks (0: side empty), all levels as the book's columns.

        Keys are prices, of asks minus the price, ascending; the lists must not be kept.
        """

    def repeat(self, time_ns: int, instrument_id: int) -> None:
        """The book is as it was."""


class Narrator(Protocol):
    """Takes notable happenings for people."""

    def __call__(self, time_ns: int, who: str, message: str, values: dict[str, object]) -> None:
        """Say one thing."""
