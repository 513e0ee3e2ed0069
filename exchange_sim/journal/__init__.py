"""The journal: every command of a run in order, framed and chained; enough to replay the run."""

from exchange_sim.journal.frames import JournalFooter, JournalHeader
from exchange_sim.journal.reader import JournalReader, Prefix, valid_prefix
from exchange_sim.journal.writer import JournalWriter

__all__ = [
    "JournalFooter",
    "JournalHeader",
    "JournalReader",
    "JournalWriter",
    "Prefix",
    "valid_prefix",
]
