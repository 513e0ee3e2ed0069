"""The whole pipeline on disk: journal, ``World.apply`` with ledger and margin, event log, Parquet.

The flow, the world and its accounts are those of ``bench_world``.  Everything is measured in this
process, with the opening of the files and the writing of the last rows.
"""

from __future__ import annotations

import gc
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.bench_world import ACCOUNTS, COINS, START, Command, flow, fresh, stream
from benchmarks.figures import Figure, at_least, at_most
from exchange_sim.eventlog.log import EventLog
from exchange_sim.journal import JournalFooter, JournalHeader, JournalWriter
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.mirror import Mirror
from exchange_sim.world import World

COMMANDS, ROUNDS = 100_000, 7
MANY_ACCOUNTS = 100_000
DENSE_ACCOUNTS, DENSE_ASSETS = 10_000, 30
FIRST, LAST = 200_000, 1_000_000
"""Commands after which memory is measured."""


class Files:
    """Journal and event log of one run in a directory of their own."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="bench-pipeline-"))
        header = JournalHeader("bench", 1, "{}", "0", "0")
        self.journal = JournalWriter(self.directory / "journal.bin", header)
        self.log = EventLog(self.directory)

    def close(self, seq: int) -> None:
        """Write what is left."""
        digest = self.log.digest()
        self.log.close()
        self.journal.close(JournalFooter(seq, "", digest))

    def remove(self) -> None:
        """Delete the directory."""
        shutil.rmtree(self.directory)


def drive(w: World, commands: list[Command], recorded: bool) -> float:
    """Seconds for the commands, with journal and log or without."""
    apply = w.apply
    if not recorded:
        started = time.process_time()
        for command in commands:
            apply(command)
        return time.process_time() - started
    started = time.process_time()
    files = Files()
    try:
        append, record = files.journal.append, files.log.record
        for seq, command in enumerate(commands, 1):
            append(command)
            record(seq, command[1], apply(command))
        files.close(len(commands))
        return time.process_time() - started
    finally:
        files.remove()


def best(commands: list[Command], *kinds: tuple[int, bool]) -> list[float]:
    """Seconds per command for (accounts, recorded) each; rounds alternate, the best one counts."""
    found = [float("inf")] * len(kinds)
    for _ in range(ROUNDS):
        for k, (accounts, recorded) in enumerate(kinds):
            w = fresh(accounts)
            gc.collect()
            gc.disable()
            found[k] = min(found[k], drive(w, commands, recorded))
            gc.enable()
    return [seconds / len(commands) for seconds in found]


def figures() -> list[Figure]:
    """Commands per second, the share of the log, and what ten times the accounts cost."""
    commands = flow(fresh(ACCOUNTS), COMMANDS)
    kinds = (ACCOUNTS, False), (ACCOUNTS, True), (10 * ACCOUNTS, True)
    alone, whole, crowded = best(commands, *kinds)
    share, dearer = 100 * (1 - alone / whole), crowded / whole
    many = f"  {10 * ACCOUNTS:,} instead of {ACCOUNTS:,} accounts, cost per command"
    return [
        Figure("World.apply alone: ledger, margin, matching", f"{1 / alone:,.0f} commands/s"),
        at_least("whole pipeline on disk", 1 / whole, 100_000, "commands/s"),
        at_most("  share of journal and log in it", share, 35, "%"),
        at_most(many, dearer, 1.3, "x", 2),
    ]


def margin_figures() -> list[Figure]:
    """One mark update of a venue with many accounts, prices moving a little each time."""
    w = fresh(MANY_ACCOUNTS)
    now, times = START, []
    for turn in range(25):
        now += 1_000_000_000
        for instrument in range(COINS):
            w.last_prices[instrument] += turn % 3 - 1
        started = time.process_time()
        w.apply((10, now, 0))
        times.append(time.process_time() - started)
    mirror = w.venues[0].mirror
    rows = mirror.positions.used + mirror.held.used
    what = f"mark update of {MANY_ACCOUNTS:,} accounts with {rows:,} positions and coins"
    dense = f"screening {DENSE_ACCOUNTS:,} accounts with {DENSE_ASSETS} coins each"
    return [
        at_most(what, 1e3 * min(times), 2, "ms", 2),
        Figure(dense, f"{1e3 * dense_screening():.2f} ms"),
    ]


def dense_screening() -> float:
    """Seconds for one vector pass over accounts that hold every coin."""
    table = CollateralTable(((10**12, 950_000), (10**14, 900_000), (None, 500_000)))
    tables = dict.fromkeys(range(1, DENSE_ASSETS + 1), table)
    mirror = Mirror(0, tables, 50_000, DENSE_ASSETS + 1, [])
    for account in range(DENSE_ACCOUNTS):
        mirror.refresh(account, [10**9 + account] * (DENSE_ASSETS + 1), {}, {})
    times = []
    for turn in range(25):
        prices = [10**6 + turn] * (DENSE_ASSETS + 1)
        started = time.process_time()
        mirror.at_risk(prices, [10**6] * (DENSE_ASSETS + 1), [])
        times.append(time.process_time() - started)
    return min(times)


def resident_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def grow() -> tuple[float, float]:
    """Resident memory after the first and after the last of many commands, recorded on disk."""
    w, files = fresh(ACCOUNTS), Files()
    seen = []
    try:
        apply, append, record = w.apply, files.journal.append, files.log.record
        for seq, command in enumerate(islice(stream(w), LAST), 1):
            append(command)
            record(seq, command[1], apply(command))
            if seq in (FIRST, LAST):
                seen.append(resident_mib())
        files.close(LAST)
    finally:
        files.remove()
    return seen[0], seen[1]


def memory_figures() -> list[Figure]:
    """Growth of memory over a long flow, in a fresh process."""
    if not Path("/proc/self/statm").exists():
        return [Figure("memory over a long flow", "not measured on this system")]
    code = "from benchmarks.bench_pipeline import grow; print(*grow())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    first, last = map(float, done.stdout.split())
    what = f"memory after {LAST:,} / {FIRST:,} commands ({last:.0f} / {first:.0f} MiB)"
    return [at_most(what, last / first, 1.15, "x", 2)]


def main() -> None:
    """Print the figures of this module."""
    for figure in [*figures(), *margin_figures(), *memory_figures()]:
        sys.stdout.write(f"{figure.what:70} {figure.measured:>22} {figure.target}\n")


if __name__ == "__main__":
    main()
