"""From ``[[recorded]]`` tables to tapes: files are checked before the run and played in it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.messages import commands as c
from exchange_sim.model.account import AccountMode
from exchange_sim.recorded.formats import FORMATS, format_of, read_rows
from exchange_sim.recorded.rows import Findings, Grid, Rows
from exchange_sim.scenario.genesis import Genesis
from exchange_sim.scenario.recorded_def import RecordedDef
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.sim.run import Run
from exchange_sim.sim.tape import Tape

SUFFIXES: Final = ("resting", "taking")
"""Names of the two accounts of a recording."""


def check_recorded(scenario: Scenario) -> dict[str, int]:
    """Read every file once; returns the time of each first row, by name.

    Raises ``ScenarioError`` with the bad rows of all files that may not have any.
    """
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for item in scenario.recorded:
        try:
            findings, starts = scan(scenario, item)
        except ScenarioError as error:
            problems.extend(error.problems)
            continue
        if findings.bad_rows and item.bad_rows == "stop":
            problems.extend(findings.problems)
            message = f"{findings.bad_rows:,} bad rows, {findings.gaps:,} gaps in {item.file}"
            hint = 'mend the file, or write bad_rows = "skip"'
            problems.append(scenario.problem(f"recorded.{item.name}.file", message, hint))
        elif starts is None:
            at = f"recorded.{item.name}.file"
            problems.append(scenario.problem(at, f"{item.file} has no usable row"))
        else:
            first[item.name] = starts
    if problems:
        raise ScenarioError("the scenario cannot be built", tuple(problems))
    return first


def recorded_digests(scenario: Scenario) -> dict[str, str]:
    """SHA-256 of every recorded file by its name, for the manifest."""
    found = {}
    for item in scenario.recorded:
        with Path(item.file).open("rb") as file:
            found[Path(item.file).name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def scan(scenario: Scenario, item: RecordedDef) -> tuple[Findings, int | None]:
    """What is wrong with a file, and the time of its first usable row.  O(rows)."""
    findings, starts = Findings(item.file), None
    for rows in rows_of(scenario, item, findings):
        if starts is None:
            starts = int(rows.time_ns[0])
    return findings, starts


def rows_of(scenario: Scenario, item: RecordedDef, findings: Findings) -> Iterator[Rows]:
    """The rows of a file on the grid of its instrument."""
    book = next(one for one in scenario.instruments if one.name == item.instrument)
    path = Path(item.file)
    form = item.format or format_of(path)
    if not form:
        at = scenario.problem(
            f"recorded.{item.name}.file",
            f"the name of {path.name} tells no format",
            f"write format = one of {', '.join(FORMATS)}",
        )
        raise ScenarioError("the scenario cannot be built", (at,))
    grid = Grid(float(book.tick_size * item.price_scale), float(book.lot * item.qty_scale))
    return read_rows(path, form, grid, findings)


def add_tapes(scenario: Scenario, genesis: Genesis, run: Run, first: dict[str, int]) -> list[Tape]:
    """Open the accounts of every recording and put its first row on the clock."""
    tapes = []
    numbers = {item.name: number for number, item in enumerate(scenario.instruments)}
    for item in scenario.recorded:
        venue = item.instrument.partition(":")[0]
        accounts = []
        for suffix in SUFFIXES:
            owner = genesis.accounts.owner(f"{item.name}/{suffix}")
            account = genesis.open(venue, owner, AccountMode.PORTFOLIO)
            for asset, amount in sorted(item.capital.items()):
                units = genesis.names.amount(asset, amount)
                genesis.send(c.Deposit, account, genesis.names.assets[asset], units)
            accounts.append(account)
        shift = 0 if item.at_ns is None else item.at_ns - first[item.name]
        rows = rows_of(scenario, item, Findings(item.file))
        pair = (accounts[0], accounts[1])
        market = item.trades == "market"
        number = numbers[item.instrument]
        tape = Tape(run.kernel, run.exchange, number, pair, rows, shift, market)
        tape.start()
        tapes.append(tape)
    return tapes
