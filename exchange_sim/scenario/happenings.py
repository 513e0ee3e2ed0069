"""What a scenario schedules: shocks, outages, halts."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import InstrumentStatus
from exchange_sim.scenario.faults import OUTAGE_KINDS, HaltDef, OutageDef
from exchange_sim.scenario.participants import instance_names
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.sim.kernel import SYSTEM
from exchange_sim.sim.outages import Outage
from exchange_sim.sim.run import Run


def schedule(run: Run, scenario: Scenario) -> None:
    """Put everything that the scenario announces on the clock of the run."""
    for index, shock in enumerate(scenario.shocks):
        if shock.enabled:
            note = (40, shock.at_ns, -1, int(NoteKind.SHOCK), index, 0)
            run.kernel.at(shock.at_ns, run.exchange.apply, note, SYSTEM)
    for outage in scenario.outages:
        run.add_outage(_outage(run, scenario, outage))
    numbers = {item.name: number for number, item in enumerate(scenario.instruments)}
    for halt in scenario.halts:
        for name in halted(scenario, halt):
            for at_ns, status in changes(halt):
                command = (15, at_ns, numbers[name], int(status))
                run.kernel.at(at_ns, run.exchange.apply, command, SYSTEM)


def halted(scenario: Scenario, halt: HaltDef) -> list[str]:
    """Names of the instruments that a halt concerns."""
    chosen = list(halt.instruments)
    if halt.venue:
        chosen += [item.name for item in scenario.instruments if item.venue == halt.venue]
    return list(dict.fromkeys(chosen))


def changes(halt: HaltDef) -> Iterator[tuple[int, InstrumentStatus]]:
    """When a halt sets which status."""
    yield halt.start_ns, InstrumentStatus[halt.mode]
    if halt.auction_ns:
        yield halt.end_ns - halt.auction_ns, InstrumentStatus.AUCTION
    yield halt.end_ns, InstrumentStatus.TRADING


def _outage(run: Run, scenario: Scenario, outage: OutageDef) -> Outage:
    kind = OUTAGE_KINDS[outage.kind]
    concerned = [
        name
        for item in scenario.participants
        if item.name in outage.strategies
        for name in instance_names(item)
    ]
    return Outage(
        kind,
        run.names.venue(outage.venue),
        outage.start_ns,
        outage.end_ns,
        delay_ns=outage.delay_ns if outage.kind in ("feed_delayed", "latency") else 0,
        factor=outage.factor if outage.kind == "slow" else 1,
        share=float(outage.share) if outage.kind == "api" else 0.0,
        strategies=tuple(concerned),
        cancel_on_disconnect=outage.cancel_on_disconnect,
    )
