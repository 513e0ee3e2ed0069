"""From a scenario to a run that can be executed: world, opening state, shell, strategies,
recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from exchange_sim.credit.desk import CALLED
from exchange_sim.errors import Problem, ScenarioError, StrategyFault
from exchange_sim.eventlog.manifest import Manifest
from exchange_sim.scenario.chain_config import traffic_of
from exchange_sim.scenario.checks_symbols import symbol_problems
from exchange_sim.scenario.expand_params import expand
from exchange_sim.scenario.genesis import AccountBook, Genesis
from exchange_sim.scenario.happenings import schedule
from exchange_sim.scenario.link_facts import market_facts
from exchange_sim.scenario.participants import LinkDef, ParticipantDef, instance_names
from exchange_sim.scenario.recording import AccountNames, Recording, account_names, run_directory
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.tapes import add_tapes, check_recorded, recorded_digests
from exchange_sim.scenario.venues import VenueDef
from exchange_sim.scenario.world_config import world_config
from exchange_sim.sim.connections import Connection
from exchange_sim.sim.host import locate
from exchange_sim.sim.links import Latency
from exchange_sim.sim.run import Run, RunResult
from exchange_sim.sim.timers import VenueTiming
from exchange_sim.strategy.load import StrategyLoadError, build_params, load_class, source_digest
from exchange_sim.world import World

HANG_LIMIT_S: Final = 30.0
"""Wall seconds after which a callback counts as hung; honest ones take microseconds."""

Progress = Callable[[int, int], None]


@attrs.frozen
class FinishedRun:
    """How a built run ended.  ``digest`` identifies everything that happened."""

    directory: Path | None
    digest: str
    interrupted: bool
    seq: int
    trades: int
    result: RunResult
    manifest: Manifest


@attrs.define
class BuiltRun:
    """A run, ready to be executed once."""

    scenario: Scenario
    world: World
    run: Run
    recording: Recording
    accounts: AccountBook
    until_ns: int

    @property
    def directory(self) -> Path | None:
        """Where it is written; None when nothing is."""
        return self.recording.directory

    def account_names(self) -> AccountNames:
        """Names of all accounts that exist by now."""
        crowds = [population.name for population in self.scenario.populations]
        return account_names(self.world, self.accounts.owners, crowds)

    def execute(
        self,
        progress: Progress | None = None,
        summarise: Callable[[Path], dict[str, Any]] | None = None,
    ) -> FinishedRun:
        """Drive the run to its end, close every file and return what it was.

        The first Ctrl-C ends it at the next simulated second with everything closed.  Errors leave
        the files readable and are raised again.
        """
        try:
            result = self.run.execute(self.until_ns, progress)
            names = self.account_names()
            self.recording.series = self.run.host.series
            manifest = self.recording.finish(names, not result.interrupted, summarise)
        except BaseException:
            self.recording.abort()
            raise
        return FinishedRun(
            self.directory, manifest.digest, result.interrupted, result.seq, result.trades, result,
            manifest,
        )  # fmt: skip


def build_run(
    scenario: Scenario,
    out: Path | None = None,
    until_ns: int | None = None,
    log_level: str = "info",
    options: tuple[str, ...] = (),
    console: Any = None,
    tables: bool = True,
    hang_limit_s: float = HANG_LIMIT_S,
    directory: Path | None = None,
    recorded: Iterator[tuple[int, ...]] | None = None,
) -> BuiltRun:
    """Make everything that the scenario describes.

    ``out`` is the parent of the run directory; None writes nothing and keeps the digests, unless
    an empty ``directory`` is given.  Commands must equal those ``recorded``, while there are any.
    ``log_level`` is the least level of the narrative; it changes nothing else.  A callback that has
    not returned after ``hang_limit_s`` wall seconds (0: never) is a fault of its strategy.  Raises
    ``ScenarioError`` with every problem of parameters and strategies, ``StrategyFault`` when a
    constructor raises, and ``StorageError``; no directory is left behind then.
    """
    classes = _strategies(scenario)
    first_rows = check_recorded(scenario)
    world = watched_world(scenario)
    if out is not None:
        directory = run_directory(scenario, out)
    digests = {ref: source_digest(cls) for ref, (cls, _) in sorted(classes.items())}
    digests |= recorded_digests(scenario)
    recording = Recording(scenario, world, directory, list(options), digests)
    try:
        end_ns = scenario.end_ns if until_ns is None else until_ns
        recording.open(tables, end_ns, recorded)
        built = _assemble(scenario, world, recording, classes, first_rows, end_ns, hang_limit_s)
        facts = market_facts(scenario, world, classes, built.accounts)
        recording.narrate_to(built.account_names(), log_level, console, facts)
    except BaseException:
        recording.discard()
        raise
    return built


def watched_world(scenario: Scenario) -> World:
    """The world, with its rules checked on the way as the scenario asks."""
    config = world_config(scenario)
    if scenario.about.checks == "cheap":
        return World(config)
    from exchange_sim.world.watch import WatchedWorld

    return WatchedWorld(config, scenario.about.checks)


def _assemble(
    scenario: Scenario,
    world: World,
    recording: Recording,
    classes: dict[str, tuple[type[Any], dict[str, Any]]],
    first_rows: dict[str, int],
    until_ns: int,
    hang_limit_s: float,
) -> BuiltRun:
    """Opening state first, then the shell around it."""
    run = Run(
        world,
        seed=scenario.seed,
        timings=_timings(scenario, world),
        journal=_Port(recording.journal),
        log=_LogPort(recording.log),
        book_sink=recording.books,
        narrator=lambda *said: recording.narrator(*said) if recording.narrator else None,
        hang_limit_s=hang_limit_s,
        traffic=traffic_of(scenario),
        chain_sample_ns=scenario.chain.sample_interval_ns if scenario.chain else 0,
    )
    genesis = Genesis(scenario, world, run.exchange.apply)
    accounts = genesis.run()
    add_tapes(scenario, genesis, run, first_rows)
    called = [(loan.id, loan.account) for loan in world.loans.values() if loan.state == CALLED]
    run.credit.borrowers.begin(accounts.reactions, called)
    if run.on_chain is not None:
        run.on_chain.loopers.unwinds.update(accounts.unwinds)
    for participant in scenario.participants:
        _add(run, participant, classes[participant.name], accounts)
    schedule(run, scenario)
    return BuiltRun(scenario, world, run, recording, accounts, until_ns)


class _Port:
    """The journal as the shell sees it: it appends, the recording closes."""

    def __init__(self, journal: Any) -> None:
        self.append = journal.append if journal is not None else _ignore


class _LogPort:
    """The event log as the shell sees it."""

    def __init__(self, log: Any) -> None:
        self.record = log.record
        self.digest = log.digest


def _ignore(cmd: tuple[int, ...]) -> None:
    """Take a command that nobody keeps."""
    del cmd


def _timings(scenario: Scenario, world: World) -> list[VenueTiming]:
    """What each venue does by the clock, in the order of the venues' ids."""
    specs = world.config.venues
    found = [
        _timing(venue, spec.funding_interval_ns)
        for venue, spec in zip(scenario.venues.values(), specs, strict=False)
    ]
    if scenario.chain is not None:
        found.append(
            VenueTiming(service_base_ns=0, transfer_delay_ns=scenario.chain.confirmation_ns)
        )
    return found


def _timing(venue: VenueDef, funding_interval_ns: int) -> VenueTiming:
    return VenueTiming(
        mark_interval_ns=venue.mark_interval_ns,
        funding_interval_ns=funding_interval_ns,
        interest_interval_ns=venue.interest_interval_ns,
        liquidation_interval_ns=venue.liquidation_interval_ns,
        service_base_ns=venue.service_time_ns,
        service_fill_ns=venue.service_time_ns // 4,
        transfer_delay_ns=venue.transfer_delay_ns,
        orders_per_s=venue.orders_per_s,
        backlog_max=venue.max_backlog,
    )


def _latency(link: LinkDef) -> Latency:
    return Latency(link.base_ns, link.jitter_ns, link.distribution, float(link.sigma))


def _add(
    run: Run,
    item: ParticipantDef,
    made: tuple[type[Any], dict[str, Any]],
    accounts: AccountBook,
) -> None:
    """Every instance of a participant, each with its own accounts, parameters and streams."""
    cls, params = made
    link = item.link
    for name in instance_names(item):
        try:
            strategy = cls(build_params(cls, params))
        except Exception as fault:
            message = f"strategy {name!r} failed in __init__: {type(fault).__name__}: {fault}"
            raise StrategyFault(f"{locate(fault)}: {message}") from fault
        run.add_strategy(
            name,
            strategy,
            {venue: accounts.of[name, venue] for venue in item.venues},
            order_entry=_latency(link.order),
            replies=_latency(link.ack),
            market_data=_latency(link.market_data),
            orders_per_s=item.orders_per_s,
            policy=item.on_fault,
            connection=Connection(
                link.conflation_ns,
                link.disconnect_every_ns,
                link.disconnect_for_ns,
                link.cancel_on_disconnect,
            ),
        )
        if item.leak_limit is not None:
            run.host.limit_holdings(name, item.leak_limit)


def _strategies(scenario: Scenario) -> dict[str, tuple[type[Any], dict[str, Any]]]:
    """Class and parameters of every participant; all problems at once."""
    found: dict[str, tuple[type[Any], dict[str, Any]]] = {}
    base = Path(scenario.sources[0].path).resolve().parent if scenario.sources else None
    problems: list[Problem] = []
    for item in scenario.participants:
        where = f"participants.{item.name}"
        try:
            cls = load_class(_absolute(item.class_ref), base)
            params = expand(scenario, item.params, cls.Params, f"{where}.params")
            params = _switches(scenario, item, cls, params)
            made = build_params(cls, params)
            problems.extend(symbol_problems(scenario, f"{where}.params", made))
        except ScenarioError as error:
            problems.extend(error.problems)
            continue
        except StrategyLoadError as error:
            for problem in error.problems:
                at = f"params.{problem.name}" if problem.what == "parameter" else "class"
                problems.append(scenario.problem(f"{where}.{at}", problem.message, problem.hint))
            continue
        found[item.name] = (cls, params)
    if problems:
        raise ScenarioError("the scenario cannot be built", tuple(problems))
    return found


def _absolute(class_ref: str) -> str:
    """Loading has placed a file relative to the working directory, not to the scenario's."""
    file, _, name = class_ref.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if file.endswith(".py") else class_ref


def _switches(
    scenario: Scenario, item: ParticipantDef, cls: type[Any], params: dict[str, Any]
) -> dict[str, Any]:
    """What the mechanisms and outages say to a strategy, where its parameters ask for it."""
    names = {field.name for field in attrs.fields(cls.Params)}
    extra: dict[str, Any] = {}
    if "withdrawal_enabled" in names and not scenario.mechanisms.mm_withdrawal:
        extra["withdrawal_enabled"] = False
    if "outages_ns" in names and "outages_ns" not in params:
        extra["outages_ns"] = [
            [outage.start_ns, outage.end_ns]
            for outage in scenario.outages
            if outage.kind == "transfers" and outage.venue in item.venues
        ]
    return {**params, **extra}
