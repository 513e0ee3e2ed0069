"""Cost of the journal per command and of the event log per event, on a mix like that of a crash.

Run ``python -m benchmarks.bench_log``; the figures are the best of several rounds, in
nanoseconds of processor time.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from exchange_sim.eventlog.log import EventLog
from exchange_sim.journal import JournalFooter, JournalHeader, JournalReader, JournalWriter

START_NS = 1_760_129_400_000_000_000
COMMANDS = 100_000
ROUNDS = 5

Row = tuple[int, ...]


def commands() -> list[Row]:
    """Two new orders for each cancel, a replace now and then."""
    rows: list[Row] = []
    for i in range(COMMANDS):
        now = START_NS + i * 9_000
        account, order = 40 + i * 7919 % 20_000, 1_000_000 + i
        if i % 5 in (1, 3):
            rows.append((2, now, account, order - 1))
        elif i % 5 == 4:
            rows.append((3, now, account, order, 100_000 + i % 997, -1))
        else:
            price, qty = 100_000 + i % 997, 1 + i % 5_000
            rows.append((1, now, account, i % 30, order, i % 2, 0, 0, price, qty, 0, 0, 0, 0, 0, 0))
    return rows


def events(i: int) -> list[Row]:
    """What a command of the mix causes."""
    account, order, inst = 40 + i * 7919 % 20_000, 1_000_000 + i, i % 30
    if i % 5 in (1, 3):
        return [(3, order, account, inst, order, 1 + i % 5_000, 0, 1)]
    if i % 5 == 4:
        return [(4, order, account, inst, order, 100_000 + i % 997, 1 + i % 5_000, 1)]
    price, qty = 100_000 + i % 997, 1 + i % 5_000
    accepted = (1, order, account, inst, order, i % 2, 0, 0, price, qty, 0, 0, 0)
    if i % 5 == 0:
        return [accepted]
    traded = (6, i, inst, price, qty, i % 2, order - 7, order, account - 1, account, qty * 10**5)
    return [accepted, (*traded, price * qty, qty, qty * 2, 0, 0, 0, order - 7, order, 12, 0)]


def bench_journal(directory: Path, rows: list[Row]) -> tuple[float, float]:
    """(nanoseconds per command to write, to read)."""
    path = directory / "journal.bin"
    header = JournalHeader("bench", 1, "{}", "0", "0")
    write = read = float("inf")
    for _ in range(ROUNDS):
        writer = JournalWriter(path, header)
        append = writer.append
        started = time.process_time()
        for row in rows:
            append(row)
        writer.flush()
        write = min(write, time.process_time() - started)
        writer.close(JournalFooter(len(rows), "", ""))
        started = time.process_time()
        for _row in JournalReader(path).commands():
            pass
        read = min(read, time.process_time() - started)
    return write / len(rows) * 1e9, read / len(rows) * 1e9


def make_events(record: Callable[[int, int, list[Row]], None]) -> int:
    """Make the events of all commands, as fresh as a world's, and hand them over; how many."""
    total = 0
    for i in range(COMMANDS):
        batch = events(i)
        total += len(batch)
        record(i + 1, START_NS + i, batch)
    return total


def bench_making() -> float:
    """Seconds that making the events takes, which is not the log's cost."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        make_events(lambda _seq, _now, _batch: None)
        best = min(best, time.process_time() - started)
    return best


def bench_log(directory: Path | None, making: float) -> tuple[float, int]:
    """(nanoseconds per event with everything included, number of events)."""
    total, best = 0, float("inf")
    for _ in range(ROUNDS):
        log = EventLog(directory)
        started = time.process_time()
        total = make_events(log.record)
        log.close()
        best = min(best, time.process_time() - started)
    return (best - making) / total * 1e9, total


def bench_record() -> float:
    """Nanoseconds per event of the hot path alone: no batch gets full."""
    few = [events(i) for i in range(800)]
    total, best = sum(map(len, few)), float("inf")
    for _ in range(20 * ROUNDS):
        record = EventLog(None).record
        started = time.process_time()
        for i, batch in enumerate(few):
            record(i + 1, START_NS + i, batch)
        best = min(best, time.process_time() - started)
    return best / total * 1e9


def main() -> None:
    """Print the figures."""
    rows = commands()
    directory = Path(tempfile.mkdtemp(prefix="bench-log-"))
    try:
        write, read = bench_journal(directory, rows)
        size = (directory / "journal.bin").stat().st_size
        print(
            f"journal  write {write:6.0f} ns/command  read {read:6.0f}  {size / COMMANDS:.1f} bytes"
        )
        print(f"events   record only        {bench_record():6.0f} ns/event")
        making = bench_making()
        print(f"events   digest only        {bench_log(None, making)[0]:6.0f} ns/event")
        full, total = bench_log(directory, making)
        size = sum(path.stat().st_size for path in (directory / "events").iterdir())
        print(f"events   digest and tables  {full:6.0f} ns/event  {size / total:.1f} bytes")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
