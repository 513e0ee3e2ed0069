"""``verify`` asks whether a run is what it says it is.

Five questions, each answered with evidence: are all files as they were written; is the journal's
chain whole; does a replay arrive at the recorded state and events (LOG-3); do the tables hold what
the replay counts; does a second bookkeeper agree on every balance (LED-6)?  An unfinished run is
verified up to its last whole record.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from exchange_sim.analysis.replay import MakeWorld, Progress, Replayed, replay
from exchange_sim.analysis.run_dir import RunCorrupt, RunData, journal_of, open_run
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.errors import JournalCorrupt
from exchange_sim.eventlog.schema import kind_of_table
from exchange_sim.journal.reader import Prefix, valid_prefix
from exchange_sim.messages.registry import EVENTS

_SHOWN = 10


@attrs.frozen
class Check:
    """One question: its name, whether the answer is good, and what was found."""

    name: str
    passed: bool
    detail: str
    exit_code: int = 0


@attrs.frozen
class Verification:
    """All answers.  ``replayed`` is ``None`` when there was no world to replay into."""

    checks: tuple[Check, ...]
    replayed: Replayed | None

    @property
    def passed(self) -> bool:
        """Whether every answer is good."""
        return all(check.passed for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0, or the exit code of the first bad answer (see ``errors``)."""
        return next((check.exit_code for check in self.checks if not check.passed), 0)


def verify(
    path: Path, make_world: MakeWorld | None = None, progress: Progress | None = None
) -> Verification:
    """Verify a run directory, or a journal alone.

    Without ``make_world`` nothing is replayed.  Raises ``UsageError`` when there is nothing to
    verify and ``JournalCorrupt`` when not even the journal's header can be read; everything else is
    an answer.
    """
    journal = journal_of(path)
    checks: list[Check] = []
    run: RunData | None = None
    if path.is_dir():
        try:
            run = open_run(path)
        except RunCorrupt as damage:
            checks.append(_bad("manifest", str(damage)))
        else:
            checks.append(_files(run))
    prefix = valid_prefix(journal)
    checks.append(_chain(prefix))
    replayed = None
    if make_world is not None and prefix.seq:
        replayed = replay(journal, make_world, progress=progress)
        checks.append(_replay(replayed, run))
    if run is not None and run.has_tables:
        checks.append(_tables(run, replayed))
        checks.append(_books(run))
    return Verification(tuple(checks), replayed)


def _bad(name: str, detail: str, exit_code: int = JournalCorrupt.exit_code) -> Check:
    return Check(name, passed=False, detail=detail, exit_code=exit_code)


def _good(name: str, detail: str) -> Check:
    return Check(name, passed=True, detail=detail)


def _listed(problems: list[str]) -> str:
    more = len(problems) - _SHOWN
    return "\n".join([*problems[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _files(run: RunData) -> Check:
    problems = run.damaged_files()
    if problems:
        return _bad("files", _listed(problems))
    return _good("files", f"{len(run.files)} files are as they were written")


def _chain(prefix: Prefix) -> Check:
    if prefix.complete:
        return _good("journal", f"{prefix.seq:,} commands in {prefix.size:,} bytes, complete")
    return _bad(
        "journal", f"{prefix.problem}; valid up to command {prefix.seq} (byte {prefix.size})"
    )


def _replay(replayed: Replayed, run: RunData | None) -> Check:
    problems = list(replayed.mismatches)
    if run is not None and not problems and not replayed.problem:
        recorded = run.manifest
        pairs = (
            ("manifest state digest", recorded.state_digest, replayed.state_digest),
            ("manifest event digest", recorded.event_digest, replayed.event_digest),
            ("manifest journal digest", recorded.journal_digest, replayed.journal_digest),
        )
        problems = [
            f"{name} is {one}, replayed {other}" for name, one, other in pairs if one != other
        ]
    if problems:
        return _bad("replay", _listed(problems), exit_code=5)
    if replayed.footer is None:
        return _good(
            "replay", f"replayed {replayed.seq:,} commands; there is no end to compare with"
        )
    return _good("replay", f"{replayed.seq:,} commands lead to digest {replayed.digest}")


def _tables(run: RunData, replayed: Replayed | None) -> Check:
    """All tables can be read, and hold as many rows as the replay has events of their kind."""
    problems = []
    counts = run.manifest.counts
    problems += [f"{name}: no such event" for name in counts if kind_of_table(name) is None]
    for kind in EVENTS.values():
        try:
            run.table(kind)
        except RunCorrupt as damage:
            problems.append(str(damage))
    if replayed is not None and not replayed.problem and counts != replayed.counts:
        problems.append(f"counts are {counts}, a replay has {replayed.counts}")
    if problems:
        return _bad("tables", _listed(problems))
    return _good("tables", f"{sum(counts.values()):,} events of {len(counts)} kinds")


def _books(run: RunData) -> Check:
    try:
        differences = check_balances(run)
    except RunCorrupt as damage:
        return _bad("books", str(damage))
    if differences:
        return _bad("books", _listed([str(difference) for difference in differences]), exit_code=3)
    cells = run.balances.num_rows
    return _good("books", f"a second bookkeeper agrees on all {cells:,} balances")
