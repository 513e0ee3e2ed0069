"""The event log: what happened, as typed Parquet tables, a digest and a narrative for people."""

from exchange_sim.eventlog.log import EventLog

__all__ = ["EventLog"]
