"""``verify``, ``replay`` and ``diff``: reading runs that were written."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange_sim.cli import seam
from exchange_sim.cli.render import RunProgress, output, show_pairs, show_table
from exchange_sim.errors import DeterminismMismatch, JournalCorrupt, UsageError
from exchange_sim.scenario import Scenario
from exchange_sim.scenario.until import end_of, instant_of
from exchange_sim.units import format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.book_at import BookAt
    from exchange_sim.analysis.replay import Replayed

REPLAY_EPILOG = """[bold]Examples[/bold]

exchange-sim replay runs/calm-1-0001

exchange-sim replay runs/calm-1-0001 --at 20:50:12 --instrument leading:BTCUSDT

exchange-sim replay runs/calm-1-0001 --from 20:50:12 --to 20:50:13
"""

RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Directory of a run, or a journal.", show_default=False),
]
Until = Annotated[
    str, typer.Option(metavar="TIME", help="Stop at a UTC time, or after a duration such as 10m.")
]

From = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Show every command and event from here on.")
]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="... up to here.")]
At = Annotated[
    str, typer.Option(metavar="TIME", help="Show the books at a UTC time, or after a duration.")
]
InstrumentOption = Annotated[
    str, typer.Option("--instrument", metavar="SYMBOL", help="Show this book, level by level.")
]
Context = Annotated[int, typer.Option(min=0, max=1_000, help="Equal commands shown before.")]
Depth = Annotated[int, typer.Option(min=1, max=10_000, help="Levels of each side.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command(name="verify")(verify_run)
    app.command(name="replay", epilog=REPLAY_EPILOG)(replay_run)
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


def replay_run(
    run: RunArgument,
    until: Until = "",
    at: At = "",
    instrument: InstrumentOption = "",
    depth: Depth = 10,
    since: From = "",
    to: To = "",
) -> None:
    """Feed the recorded commands to a new world and compare where it arrives.

    With --at or --instrument it shows the books of that instant (without --at: of the end) instead,
    with --from or --to the commands between them, each with the events that it caused.
    """
    from exchange_sim.analysis.run_dir import journal_of

    if bool(until) + bool(at) + bool(since or to) > 1:
        raise UsageError("--until, --at and --from/--to ask for different things: give one of them")
    journal = journal_of(run)
    if since or to:
        _show_commands(journal, since, to, instrument)
        return
    if at or instrument:
        _show_books(journal, at or until, instrument, depth)
        return
    until_ns = end_of(_scenario_of(journal), until) if until else None
    found, wall_s = _replay(journal, until_ns)
    rate = int(found.seq / max(1e-9, wall_s))
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


def _replay(journal: Path, until_ns: int | None) -> tuple[Replayed, float]:
    """Replay with progress; also the wall seconds that it took."""
    from exchange_sim.analysis.replay import replay

    with _progress(journal) as progress:
        found = replay(
            journal, seam.make_world, until_ns, progress=lambda seq, now: progress(now, seq)
        )
    return found, progress.wall_s


def _show_commands(journal: Path, since: str, to: str, instrument: str) -> None:
    """Every command of a stretch of time with its events, of one instrument or of all."""
    from exchange_sim.analysis.diff import describe
    from exchange_sim.analysis.replay import replay
    from exchange_sim.analysis.symbols import instrument_of
    from exchange_sim.messages.registry import COMMANDS, EVENTS, decode_event

    scenario = _scenario_of(journal)
    start_ns = instant_of(scenario, since, "--from") if since else scenario.start_ns
    end_ns = instant_of(scenario, to, "--to") if to else scenario.end_ns
    if end_ns < start_ns:
        raise UsageError(f"--to {to} lies before --from {since}")
    chosen = -1
    if instrument:
        chosen = instrument_of([item.name for item in scenario.instruments], instrument)

    def concerns(message: tuple[int, ...], names: tuple[str, ...]) -> bool:
        if chosen < 0:
            return True
        return "instrument" in names and message[1 + names.index("instrument")] == chosen

    def show(seq: int, command: tuple[int, ...], events: list[tuple[int, ...]]) -> None:
        if command[1] < start_ns:
            return
        told = [event for event in events if concerns(event, EVENTS[event[0]].field_names)]
        if told or concerns(command, COMMANDS[command[0]].field_names):
            _say(f"{seq} {describe(command)}")
            for event in told:
                _say(f"    {decode_event(event)}")

    found = replay(journal, seam.make_world, end_ns, watch=show)
    _say(f"{found.seq:,} commands up to {format_utc(end_ns, 9)}")
    if found.problem:
        _say(f"BAD  {found.problem}")
        raise typer.Exit(JournalCorrupt.exit_code)


def _show_books(journal: Path, at: str, instrument: str, depth: int) -> None:
    """Replay to an instant and show one book level by level, or the touch of all."""
    from exchange_sim.analysis.book_at import book_at
    from exchange_sim.analysis.symbols import instrument_of
    from exchange_sim.world import World

    scenario = _scenario_of(journal)
    at_ns = instant_of(scenario, at, "--at") if at else scenario.end_ns
    symbols = [item.name for item in scenario.instruments]
    chosen = instrument_of(symbols, instrument) if instrument else -1
    found, _ = _replay(journal, at_ns)
    world = found.world
    assert isinstance(world, World)
    if chosen >= 0:
        _show_ladder(book_at(world, chosen, depth), at_ns)
    else:
        _show_touches([book_at(world, k, 1) for k in range(len(world.instruments))], at_ns)
    if found.problem:
        _say(f"BAD  {found.problem}")
        raise typer.Exit(JournalCorrupt.exit_code)


def _show_ladder(book: BookAt, at_ns: int) -> None:
    spread = "-" if book.spread_bp is None else f"{book.spread_bp:.2f} bp"
    mark = "-" if book.mark is None else f"{book.mark:,.6f}".rstrip("0").rstrip(".")
    show_pairs(
        "",
        {
            "instrument": book.symbol,
            "time": format_utc(at_ns, 9),
            "after command": book.seq,
            "last": f"{book.last:,}",
            "mark": mark,
            "spread": spread,
            "resting orders": book.orders,
        },
    )
    rows = []
    for bid, ask in zip_longest(book.bids, book.asks):
        left = (f"{bid.value:,.2f}", f"{bid.qty:,}", f"{bid.price:,}") if bid else ("", "", "")
        right = (f"{ask.price:,}", f"{ask.qty:,}", f"{ask.value:,.2f}") if ask else ("", "", "")
        rows.append((*left, *right))
    columns = ("bids, total value", "quantity", "bid", "ask", "quantity", "asks, total value")
    show_table("", columns, rows)


def _show_touches(books: list[BookAt], at_ns: int) -> None:
    _say(f"{format_utc(at_ns, 9)}, after command {books[0].seq:,}")
    rows = []
    for book in books:
        bid = (f"{book.bids[0].qty:,}", f"{book.bids[0].price:,}") if book.bids else ("-", "-")
        ask = (f"{book.asks[0].price:,}", f"{book.asks[0].qty:,}") if book.asks else ("-", "-")
        spread = "-" if book.spread_bp is None else f"{book.spread_bp:.2f}"
        rows.append((book.symbol, *bid, *ask, spread, f"{book.last:,}", book.orders))
    columns = ("instrument", "quantity", "bid", "ask", "quantity", "spread, bp", "last", "orders")
    show_table("", columns, rows)


def diff_runs(first: RunArgument, second: RunArgument, context: Context = 3) -> None:
    """Show the first command in which two runs differ, after the last ones that agree."""
    from exchange_sim.analysis.diff import diff_journals
    from exchange_sim.analysis.run_dir import journal_of

    found = diff_journals(journal_of(first), journal_of(second), context)
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
    return Scenario.from_json(seam.header_of(journal).scenario_text)


def _progress(journal: Path) -> RunProgress:
    """Progress over the simulated time that the journal's scenario covers."""
    scenario = _scenario_of(journal)
    return RunProgress(scenario.start_ns, scenario.end_ns)
