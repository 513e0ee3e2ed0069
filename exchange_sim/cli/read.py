"""``verify``, ``replay`` and ``diff``: reading runs that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exchange_sim.cli import seam
from exchange_sim.cli.render import RunProgress, output, show_pairs
from exchange_sim.errors import DeterminismMismatch, JournalCorrupt
from exchange_sim.scenario import Scenario
from exchange_sim.scenario.until import end_of

RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Directory of a run, or a journal.", show_default=False),
]
Until = Annotated[
    str, typer.Option(metavar="TIME", help="Stop at a UTC time, or after a duration such as 10m.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command(name="verify")(verify_run)
    app.command(name="replay")(replay_run)
    app.command(name="diff")(diff_runs)


def verify_run(run: RunArgument) -> None:
    """Check that a run is what it says: files, journal, replay, tables, every balance."""
    from exchange_sim.analysis.run_dir import journal_of
    from exchange_sim.analysis.verify import verify

    with _progress(journal_of(run)) as progress:
        found = verify(run, seam.make_world, lambda seq, now_ns: progress(now_ns, seq))
    for check in found.checks:
        answer = "ok " if check.passed else "BAD"
        text = check.detail.replace("\n", "\n               ")
        _say(f"{answer}  {check.name:8}  {text}")
    if not found.passed:
        raise typer.Exit(found.exit_code)


def replay_run(run: RunArgument, until: Until = "") -> None:
    """Feed the recorded commands to a new world and compare where it arrives."""
    from exchange_sim.analysis.replay import replay
    from exchange_sim.analysis.run_dir import journal_of

    journal = journal_of(run)
    progress = _progress(journal)
    until_ns = end_of(_scenario_of(journal), until) if until else None
    with progress:
        found = replay(
            journal, seam.make_world, until_ns, progress=lambda seq, now: progress(now, seq)
        )
    rate = int(found.seq / max(1e-9, progress.wall_s))
    show_pairs(
        "",
        {
            "commands": found.seq,
            "events": sum(found.counts.values()),
            "speed": f"{rate:,} commands/s",
            "digest": found.digest,
        },
    )
    for mismatch in found.mismatches:
        _say(f"BAD  {mismatch}")
    if found.mismatches:
        raise typer.Exit(DeterminismMismatch.exit_code)
    if found.problem:
        _say(f"BAD  {found.problem}")
        raise typer.Exit(JournalCorrupt.exit_code)
    _say("stopped before the end" if found.stopped_early else "equal to the recording")


def diff_runs(first: RunArgument, second: RunArgument) -> None:
    """Show the first command in which two runs differ."""
    from exchange_sim.analysis.diff import diff_journals
    from exchange_sim.analysis.run_dir import journal_of

    found = diff_journals(journal_of(first), journal_of(second))
    if found is None:
        _say("the runs are equal")
        return
    for line in found.lines():
        _say(line)
    if found.left is not None or found.right is not None:
        raise typer.Exit(DeterminismMismatch.exit_code)


def _say(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)


def _scenario_of(journal: Path) -> Scenario:
    from exchange_sim.journal.reader import JournalReader

    reader = JournalReader(journal)
    reader.close()
    return Scenario.from_json(reader.header.scenario_text)


def _progress(journal: Path) -> RunProgress:
    """Progress over the simulated time that the journal's scenario covers."""
    scenario = _scenario_of(journal)
    return RunProgress(scenario.start_ns, scenario.end_ns)
