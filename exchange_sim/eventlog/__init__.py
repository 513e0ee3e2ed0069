"""The event log: what happened, as typed Parquet tables, a digest and a narrative for people."""

from exchange_sim.eventlog.book_summary import BookSummary
from exchange_sim.eventlog.log import EventLog
from exchange_sim.eventlog.manifest import Manifest, write_manifest, write_summary
from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.narrative import Narrator
from exchange_sim.eventlog.tables import (
    write_accounts,
    write_assets,
    write_balances,
    write_chain,
    write_instruments,
    write_positions,
)

__all__ = [
    "BookSummary",
    "EventLog",
    "Manifest",
    "Names",
    "Narrator",
    "write_accounts",
    "write_assets",
    "write_balances",
    "write_chain",
    "write_instruments",
    "write_manifest",
    "write_positions",
    "write_summary",
]
