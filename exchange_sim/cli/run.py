"""``run`` and ``scenarios``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from exchange_sim.cli import seam
from exchange_sim.cli.render import RunProgress, errors, output, show_pairs, show_table
from exchange_sim.errors import ScenarioError, UsageError
from exchange_sim.scenario import Scenario, load, scenario_files
from exchange_sim.scenario.addition import Addition, options_text
from exchange_sim.scenario.until import end_of
from exchange_sim.strategy.choices import FAULT_POLICIES
from exchange_sim.units import format_duration, format_utc

CHECKS: Final = ("cheap", "sampled", "full")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

RUN_EPILOG = """[bold]Examples[/bold]

exchange-sim run oct10_article

exchange-sim run oct10_article --until 10m --seed 3

exchange-sim run oct10_article --without mm_withdrawal

exchange-sim run my.toml --set venues.leading.service_time=50us --set scenario.duration=20m

exchange-sim run --resume runs/calm-1-0001

exchange-sim run calm --strategy bot.py:Bot --venue leading --capital USDT=100000 --param size=0.1
"""


ScenarioArgument = Annotated[
    str, typer.Argument(help="Name of a scenario, or path of a .toml file.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Directory in which the run is written.")
]
Until = Annotated[
    str,
    typer.Option(metavar="TIME", help="Stop at a UTC time, or after a duration such as 10m."),
]
Seed = Annotated[int | None, typer.Option(help="Replaces the scenario's seed.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Change a value; repeatable."),
]
Without = Annotated[
    list[str] | None,
    typer.Option(metavar="MECHANISM", help="Switch a mechanism off; repeatable."),
]
StrategyOption = Annotated[
    str, typer.Option(metavar="CLASS", help="Add one: module:Class or file.py:Class.")
]
Venue = Annotated[
    list[str] | None, typer.Option(help="Where the added strategy trades; repeatable.")
]
Capital = Annotated[
    list[str] | None,
    typer.Option(metavar="ASSET=AMOUNT", help="What the added strategy has; repeatable."),
]
Param = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="A parameter of it; repeatable."),
]
StrategyName = Annotated[str, typer.Option("--name", help="Name of the added strategy.")]
LatencyOption = Annotated[
    str, typer.Option("--latency", metavar="PROFILE", help="Its links: a name in [latency].")
]
OnFault = Annotated[
    str,
    typer.Option(metavar="|".join(FAULT_POLICIES), help="What happens when it raises or hangs."),
]
LeakLimit = Annotated[
    str, typer.Option("--leak-limit", metavar="CELLS", help="What it may hold before it leaks.")
]
WithoutBot = Annotated[
    bool,
    typer.Option("--without-bot", help="Run it without the added strategy too, and compare."),
]
Check = Annotated[
    str | None, typer.Option(metavar="|".join(CHECKS), help="Invariants checked on the way.")
]
LogLevel = Annotated[
    str, typer.Option(metavar="|".join(LOG_LEVELS), help="Least level of the narrative.")
]
HangLimit = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="Longest wall time of a callback; 0: any."),
]
NoLog = Annotated[bool, typer.Option("--no-log", help="Write nothing; show the result only.")]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="RUN", help="Finish a killed run: execute it again and compare."),
]
NoReport = Annotated[bool, typer.Option("--no-report", help="Write no report.html.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    app.command(epilog=RUN_EPILOG)(run)
    app.command()(scenarios)


def run(
    scenario: ScenarioArgument = "",
    out: Out = Path("runs"),
    until: Until = "",
    seed: Seed = None,
    overrides: Overrides = None,
    without: Without = None,
    strategy: StrategyOption = "",
    venue: Venue = None,
    capital: Capital = None,
    param: Param = None,
    name: StrategyName = "",
    latency: LatencyOption = "",
    on_fault: OnFault = "",
    leak_limit: LeakLimit = "",
    without_bot: WithoutBot = False,
    check: Check = None,
    log_level: LogLevel = "info",
    hang_limit: HangLimit = 30.0,
    no_log: NoLog = False,
    no_report: NoReport = False,
    resume: Resume = None,
    quiet: Quiet = False,
) -> None:
    """Run a scenario and write everything that happened."""
    _one_of("--check", check, CHECKS)
    _one_of("--log-level", log_level, LOG_LEVELS)
    if resume is not None:
        changed = (scenario, until, seed, overrides, without, strategy, check, no_log, without_bot)
        if any(changed):
            raise UsageError("--resume takes everything from the run: give nothing else but RUN")
        _resume(resume, log_level, hang_limit, not no_report, quiet)
        return
    if not scenario:
        raise UsageError("name a scenario (exchange-sim scenarios lists them), or --resume a run")
    settings = {"name": name, "latency": latency, "on_fault": on_fault, "leak_limit": leak_limit}
    addition = Addition.of(strategy, venue or [], capital or [], param or [], settings)
    loaded = load(scenario, overrides or [], without or [], seed, addition)
    if without_bot and (addition is None or no_log):
        raise UsageError("--without-bot compares two written runs: it needs --strategy and a log")
    if check is not None:
        loaded = attrs.evolve(loaded, about=attrs.evolve(loaded.about, checks=check))
    request = seam.Request(
        scenario=loaded,
        out=None if no_log else out,
        until_ns=end_of(loaded, until),
        log_level=log_level,
        hang_limit_s=hang_limit,
        options=options_text(overrides or [], without or [], addition),
        added=addition.name if addition is not None else "",
        report=not no_report,
    )
    finished = _execute(request, quiet)
    if without_bot and addition is not None:
        alone = load(scenario, overrides or [], without or [], seed)
        options = options_text(overrides or [], without or [], None)
        _compare_with(finished, request, alone, options, quiet)


def _compare_with(
    finished: seam.Finished,
    request: seam.Request,
    alone: Scenario,
    options: tuple[str, ...],
    quiet: bool,
) -> None:
    """Run once more without the added strategy and show what it changed."""
    scenario = attrs.evolve(alone, about=request.scenario.about)
    plain = attrs.evolve(request, scenario=scenario, options=options, added="")
    other = _execute(plain, quiet)
    assert finished.directory is not None
    assert other.directory is not None
    if not quiet:
        seam.show_impact(finished.directory, other.directory, request.added)


def _execute(request: seam.Request, quiet: bool) -> seam.Finished:
    """Run with progress and show the result; leaves with 130 when it was interrupted."""
    progress = RunProgress(request.scenario.start_ns, request.until_ns, quiet=quiet)
    with progress:
        finished = seam.execute(request, progress)
    if not quiet:
        show_finished(request.scenario, finished, progress)
    if finished.interrupted:
        where = format_utc(progress.now_ns, 0)
        left = "the log is closed and can be read"
        if request.resumed is not None:
            left = "the run is as it was and can be resumed again"
        errors.print(f"interrupted at {where}; {left}", highlight=False)
        raise typer.Exit(130)
    return finished


def _resume(path: Path, log_level: str, hang_limit_s: float, report: bool, quiet: bool) -> None:
    """Finish a killed run in its place; see ``scenario.resume``."""
    from exchange_sim.scenario.resume import unfinished

    found = unfinished(path)
    if not quiet:
        why = found.prefix.problem or "the run was interrupted"
        errors.print(f"{why}; {found.prefix.seq:,} commands are compared", highlight=False)
    request = seam.Request(
        scenario=found.scenario,
        out=path.parent,
        until_ns=found.end_ns,
        log_level=log_level,
        hang_limit_s=hang_limit_s,
        options=found.options,
        resumed=found,
        report=report,
    )
    _execute(request, quiet)


def _one_of(option: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        raise UsageError(f"{option} must be one of {', '.join(choices)}, not {value!r}")


def show_finished(scenario: Scenario, finished: seam.Finished, progress: RunProgress) -> None:
    """The summary tables, the totals and where the run is."""
    for title, columns, rows in finished.tables:
        show_table(title, columns, rows)
        output.print()
    simulated = format_duration(progress.now_ns - progress.start_ns)
    totals = {
        "scenario": f"{scenario.name}, seed {scenario.seed}",
        "simulated": f"{simulated} in {progress.wall_s:.1f} s ({progress.speed:,.0f} x real time)",
        **finished.totals,
        "digest": finished.digest,
    }
    if finished.directory is not None:
        totals["written to"] = str(finished.directory)
    if finished.report is not None:
        totals["report"] = str(finished.report)
    show_pairs("", totals)


def scenarios(
    name: Annotated[
        str, typer.Argument(help="Show one in detail: a name, or the path of a .toml file.")
    ] = "",
) -> None:
    """List the shipped scenarios, or show one."""
    if name:
        _show_scenario(load(name))
        return
    rows = []
    for found, path in scenario_files().items():
        try:
            about = load(path).about
        except ScenarioError as error:
            rows.append((found, "-", f"cannot be used: {len(error.problems)} problems"))
            continue
        rows.append((found, format_duration(about.duration_ns), about.description))
    show_table("", ("scenario", "duration", "what happens"), rows)


def _show_scenario(scenario: Scenario) -> None:
    start, end = format_utc(scenario.start_ns, 0), format_utc(scenario.end_ns, 0)
    off = [name for name, on in attrs.asdict(scenario.mechanisms).items() if not on]
    show_pairs(
        "",
        {
            "name": scenario.name,
            "description": scenario.about.description,
            "time": f"{start} to {end}",
            "seed": scenario.seed,
            "files": ", ".join(source.path for source in scenario.sources),
            "switched off": ", ".join(off) or "nothing",
            "instruments": len(scenario.instruments),
            "participants": sum(item.count for item in scenario.participants),
            "populations": ", ".join(item.name for item in scenario.populations) or "none",
        },
    )
    if scenario.about.exogenous:
        output.print("\nExogenous, everything else is an outcome:")
        for line in scenario.about.exogenous:
            output.print(f"  - {line}", highlight=False, markup=False)
    output.print()
    rows = [
        (item.name, item.kind, item.price, item.depth_usd, ", ".join(item.tags))
        for item in scenario.instruments
    ]
    show_table("", ("instrument", "kind", "initial price", "depth D1, USD", "tags"), rows)
