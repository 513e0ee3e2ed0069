"""``narrative.jsonl``: what a person wants to know, one structlog line per notable happening.

Times are simulated UTC; no line depends on the wall clock.  A crash has tens of thousands of
liquidations, so small ones, ADL and repeated remarks are counted and told once a minute.  The
narrator listens to the event log (``EventLog.listen``), which passes it whole batches: the hot path
does not know that it exists.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

from exchange_sim.errors import StorageError
from exchange_sim.eventlog.chain_words import ON_CHAIN, on_chain
from exchange_sim.eventlog.line import Line
from exchange_sim.eventlog.links import Links
from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.rule_words import ending, steps_in_words
from exchange_sim.eventlog.sentences import minute_lines, narrate
from exchange_sim.journal.storage import OpenFile, OsFile, RecordFile
from exchange_sim.messages import chain_events as ce
from exchange_sim.messages import events as e
from exchange_sim.units import NANOS_PER_MINUTE, format_utc

NARRATED: Final = frozenset(
    kind.type_id
    for kind in (
        e.InstrumentStatusChanged,
        e.TransfersSwitched,
        e.MarginBandChanged,
        e.LiquidationStarted,
        e.LiquidationStep,
        e.LiquidationEnded,
        e.AdlRoundStarted,
        e.InsuranceChanged,
        e.AdlExecuted,
        e.BadDebtRecorded,
        e.Noted,
        ce.PoolLiquidation,
        ce.DeficitRecorded,
        ce.MarketLiquidation,
    )
)
"""Type ids of the events that the narrator wants to see."""

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
"""Levels of lines: small liquidations and the like; everything worth a line; what a risk desk would
be woken for; losses that nobody paid, and faults."""

LARGE: Final = 1_000_000
"""Position value, in whole numeraire units, from which a liquidation is told individually."""
MAINTENANCE_SHARE: Final = 100
"""A maintenance margin stands for a position about this many times as large (1 %)."""

_TOLD_WHEN_SMALL: Final = NARRATED - {e.InsuranceChanged.type_id}
"""At level debug these are told one by one; an insurance fund moves with every liquidation."""

_OWN_KEYS: Final = frozenset({"time", "seq", "level", "event", "who", "timestamp"})

Event = tuple[int, ...]


class Narrator:
    """Turns events into lines.  Also callable, for what the shell has to say (strategy faults)."""

    kinds: frozenset[int] = NARRATED

    def __init__(
        self,
        path: Path | None,
        names: Names,
        large: int = LARGE,
        console: TextIO | None = None,
        open_file: OpenFile = OsFile,
        level: str = "info",
        links: Links | None = None,
    ) -> None:
        """``path`` is the file, ``console`` a stream for people; either may be missing.

        ``level`` is the least of ``LEVELS`` that is told, ``links`` what looks for the links of the
        causal chain.  Raises ``StorageError``.
        """
        least = LEVELS[level]
        self._links = links
        if links is not None:
            self.kinds = NARRATED | links.kinds
        self._names = names
        self._large = large
        self._minute = -1
        self._counts: dict[tuple[int, int], list[int]] = {}
        self._values: dict[int, int] = {}
        self._steps: dict[int, dict[int, int]] = {}
        self._repeats: dict[Event, int] = {}
        self._told: dict[int, bool] = {}
        self._exhausted: dict[int, bool] = {}
        self._everything = level == "debug"
        self._said: list[tuple[int, Line]] = []
        self._file = RecordFile(path, open_file) if path is not None else None
        self._loggers = [_json_logger(self._file, least)] if self._file is not None else []
        if console is not None:
            self._loggers.append(_console_logger(console, least))

    def __call__(self, time_ns: int, who: str, message: str, values: dict[str, object]) -> None:
        """Say something that is no event.  It is told in its place among the events."""
        fields = {f"{key}_" if key in _OWN_KEYS else key: value for key, value in values.items()}
        line = Line(message, {"who": who, **fields}, notable=True, severe="fault" in values)
        self._said.append((time_ns, line))

    def observe(self, seq: int, time_ns: int, event: Event) -> None:
        """Take one event of ``kinds``; times must not go backwards.  Raises ``StorageError``."""
        self.advance(time_ns)
        if self._links is not None:
            for seen in self._links.observe(time_ns, event):
                self._tell(time_ns, seen, seq)
            if event[0] not in NARRATED:
                return
        sold, steps = self._values.get(event[1], 0), self._steps.get(event[1], {})
        small = self._counted(event)
        if small and not (self._everything and event[0] in _TOLD_WHEN_SMALL):
            return
        line = narrate(event, self._names)
        if line is None:
            return
        if event[0] == e.LiquidationEnded.type_id:
            asset = self._names.numeraire(self._names.venue_of(event[1]))
            line.fields["value"] = self._names.amount(asset, sold)
            profile = self._names.profile_of(self._names.venue_of(event[1]))
            if steps:
                line.fields["steps"] = steps_in_words(steps)
            if profile is not None:
                line.fields["rule"] = ending(profile, event[2], steps)
        self._tell(time_ns, line, seq, small=small)

    def advance(self, time_ns: int) -> None:
        """Tell what was said and counted before ``time_ns``.  Raises ``StorageError``."""
        minute = time_ns // NANOS_PER_MINUTE
        if minute != self._minute:
            self._tell_said((self._minute + 1) * NANOS_PER_MINUTE)
            self._tell_counts()
            self._minute = minute
        if self._said:
            self._tell_said(time_ns)

    def close(self) -> None:
        """Tell the rest and close the file.  Raises ``StorageError``."""
        self._tell_said((self._minute + 1) * NANOS_PER_MINUTE)
        self._tell_counts()
        for time_ns, line in self._said:
            self._tell(time_ns, line)
        self._said.clear()
        if self._file is not None:
            self._file.close()

    def abort(self) -> None:
        """Close after an error: what was told stays, nothing is added.  Never raises."""
        if self._file is not None:
            with suppress(StorageError):
                self._file.close()

    def _counted(self, event: Event) -> bool:
        """Whether an event is too small or too frequent for a line of its own; then count it."""
        kind = event[0]
        if kind == e.LiquidationStep.type_id:
            _, account, action, _, _, value = event
            self._values[account] = self._values.get(account, 0) + value
            steps = self._steps.setdefault(account, {})
            steps[action] = steps.get(action, 0) + 1
            self._count(kind, self._names.venue_of(account), value)
        elif kind == e.LiquidationStarted.type_id:
            _, account, _, maintenance, *_ = event
            venue = self._names.venue_of(account)
            self._count(kind, venue, 0)
            large = self._is_large(venue, maintenance * MAINTENANCE_SHARE)
            if large:
                self._told[account] = True
            return not large
        elif kind == e.LiquidationEnded.type_id:
            account = event[1]
            venue = self._names.venue_of(account)
            value = self._values.pop(account, 0)
            self._steps.pop(account, None)
            self._count(kind, venue, value)
            begun = self._told.pop(account, False)
            return not (begun or self._is_large(venue, value))
        elif kind == e.AdlExecuted.type_id:
            self._count(kind, event[1], event[3])
        elif kind == e.BadDebtRecorded.type_id:
            self._count(kind, event[1], event[4])
            return not self._is_large(event[1], event[4])
        elif kind == e.MarginBandChanged.type_id:
            return event[1] not in self._names.notable
        elif kind == e.InsuranceChanged.type_id:
            return not self._just_exhausted(event)
        elif kind == e.Noted.type_id:
            return self._is_repeated(event)
        elif kind in ON_CHAIN:
            self._count(kind, *on_chain(event))
        return kind in {e.LiquidationStep.type_id, e.AdlExecuted.type_id, *ON_CHAIN}

    def _count(self, kind: int, key: int, value: int) -> None:
        entry = self._counts.setdefault((kind, key), [0, 0])
        entry[0] += 1
        entry[1] += value

    def _is_large(self, venue: int, value: int) -> bool:
        asset = self._names.numeraire(venue)
        scale: int = 10 ** self._names.decimals[asset] if asset >= 0 else 1
        return value >= self._large * scale

    def _just_exhausted(self, event: Event) -> bool:
        _, venue, _, change, balance = event
        before = self._exhausted.get(venue, False)
        self._exhausted[venue] = balance <= 0 and (before or change < 0)
        return self._exhausted[venue] and not before

    def _is_repeated(self, event: Event) -> bool:
        key = event[:4]
        self._repeats[key] = self._repeats.get(key, 0) + 1
        return self._repeats[key] > 1

    def _tell_counts(self) -> None:
        end = (self._minute + 1) * NANOS_PER_MINUTE
        for line in minute_lines(self._counts, self._repeats, self._names):
            self._tell(end, line)
        self._counts.clear()
        self._repeats.clear()

    def _tell_said(self, until_ns: int) -> None:
        ready = [said for said in self._said if said[0] <= until_ns]
        self._said = self._said[len(ready) :]
        for time_ns, line in ready:
            self._tell(time_ns, line)

    def _tell(
        self, time_ns: int, line: Line, seq: int | None = None, *, small: bool = False
    ) -> None:
        fields: dict[str, Any] = {"time": format_utc(time_ns)}
        if seq is not None:
            fields["seq"] = seq
        level = "debug" if small else line.level
        for logger in self._loggers:
            getattr(logger, level)(line.message, **fields, **line.fields)


def _order(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """When and what first: a person reads lines from the left."""
    first = {"time": event.pop("time"), "level": event.pop("level"), "event": event.pop("event")}
    return {**first, **event}


def _to_console(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """The console of structlog shows a key of this name on the left."""
    return {"timestamp": event.pop("time"), **event}


class _LineFile:
    """The two methods that a structlog ``WriteLogger`` needs, on a file of whole lines."""

    def __init__(self, file: RecordFile) -> None:
        self._file = file

    def write(self, text: str) -> int:
        self._file.append(text.encode())
        return len(text)

    def flush(self) -> None:
        """Nothing waits: every line is written at once."""


class _Console:
    """A stream for people: when it goes away (a closed pipe), the run does not care."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: TextIO | None = stream

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                self._stream = None
        return len(text)

    def flush(self) -> None:
        """Every line is flushed at once."""


def _json_logger(file: RecordFile, least: int) -> Any:
    renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    processors = [structlog.processors.add_log_level, _order, renderer]
    return _logger(_LineFile(file), processors, least)


def _console_logger(stream: TextIO, least: int) -> Any:
    renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), sort_keys=False)
    processors = [structlog.processors.add_log_level, _order, _to_console, renderer]
    return _logger(_Console(stream), processors, least)


def _logger(stream: Any, processors: list[Any], least: int) -> Any:
    # Everything is given here, because structlog's global configuration belongs to the application.
    return structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        context_class=dict,
        cache_logger_on_first_use=True,
    )
