"""``replay --at``: the book of any instrument at any instant, against the tables of the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from exchange_sim.units import NANOS_PER_S
from tests.e2e.harness import Done, here, manifest, prints

PERP = "leading:ALTUSDT-PERP"


def at(run: Path, time: str, *options: object) -> Done:
    """Show the books of an instant."""
    return here("replay", run, "--at", time, *options)


def number(cell: str) -> Decimal:
    """A cell as it is read."""
    return Decimal(cell.replace(",", ""))


def pairs(done: Done) -> dict[str, str]:
    """The facts above a ladder."""
    lines = [line.strip() for line in done.out.splitlines()]
    found = {}
    for name in ("instrument", "time", "after command", "last", "mark", "resting orders"):
        (line,) = [line for line in lines if line.startswith(f"{name} ")]
        found[name] = line.removeprefix(name).strip()
    return found


def test_ladder(small_run: Path) -> None:
    """Levels best first, values adding up, prices on the grid."""
    done = at(small_run, "20:50:30", "--instrument", PERP, "--depth", 4)
    assert done.code == 0
    facts = pairs(done)
    assert facts["instrument"] == PERP
    assert facts["time"] == "2025-10-10T20:50:30.000000000Z"

    header = next(k for k, line in enumerate(done.out.splitlines()) if "total value" in line)
    rows = [[number(cell) for cell in line.split()] for line in done.out.splitlines()[header + 1 :]]
    assert len(rows) == 4
    bids, asks = [row[2] for row in rows], [row[3] for row in rows]
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert bids[0] < asks[0]
    assert rows[0][0] == round(rows[0][1] * rows[0][2], 2)
    assert rows[-1][5] == round(sum(row[3] * row[4] for row in rows), 2)


@pytest.mark.parametrize("second", [1, 44, 62, 120, 179])
def test_touch_is_the_recorded_one(second: int, small_run: Path) -> None:
    """At every whole second it is what the run itself has written down."""
    start_ns = manifest(small_run)["start_ns"]
    recorded = pq.read_table(small_run / "book_1s.parquet").to_pylist()
    wanted = {
        row["instrument"]: (row["bid"], row["ask"])
        for row in recorded
        if row["time_ns"] == start_ns + second * NANOS_PER_S
    }
    ticks = [Decimal("0.001"), Decimal("0.001"), Decimal("0.0001"), Decimal("0.001")]

    # The sample is taken before the commands of its instant: look a nanosecond earlier.
    start = datetime(2025, 10, 10, 20, 50, tzinfo=UTC)
    before = start + timedelta(seconds=second - 1)
    done = at(small_run, f"{before:%H:%M:%S}.999999999")

    rows = [line.split() for line in done.out.splitlines()[2:]]
    assert len(rows) == 4
    shown = {}
    for instrument, row in enumerate(rows):
        bid, ask = (None if cell == "-" else number(cell) for cell in (row[2], row[3]))
        tick = ticks[instrument]
        shown[instrument] = (int((bid or 0) / tick), int((ask or 0) / tick))
    assert shown == wanted


def test_last_price_is_the_last_trade(small_run: Path) -> None:
    """Up to and including the instant that is asked for, to the nanosecond."""
    trades: list[dict[str, Any]] = [row for row in prints(small_run) if row["instrument"] == 1]
    at_ns = trades[400]["time_ns"]
    same_instant = [row for row in trades if row["time_ns"] == at_ns]
    earlier = [row for row in trades if row["time_ns"] < at_ns]
    seconds, nanos = divmod(at_ns, NANOS_PER_S)
    clock = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"

    now = at(small_run, f"{clock}.{nanos:09d}Z", "--instrument", PERP)
    before = at(small_run, f"{clock}.{nanos - 1:09d}Z", "--instrument", PERP)

    tick = Decimal("0.001")
    assert number(pairs(now)["last"]) == same_instant[-1]["price"] * tick
    assert number(pairs(before)["last"]) == earlier[-1]["price"] * tick


def test_end_and_start(small_run: Path) -> None:
    """Without a time: the end.  At the start: what was there before anybody traded."""
    end = here("replay", small_run, "--instrument", "PEGUSDT")
    start = at(small_run, "0s", "--instrument", "second:ALTUSDT")

    assert pairs(end)["after command"] == f"{manifest(small_run)['commands']:,}"
    assert number(pairs(start)["last"]) == 10
    assert pairs(start)["resting orders"] == "40"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--at", "yesterday"), "neither a UTC time nor a duration"),
        (("--at", "4m"), "lies outside the scenario"),
        (("--at", "20:49"), "lies outside the scenario"),
        (("--at", "1m", "--until", "1m"), "give one of them"),
        (("--at", "1m", "--from", "1m"), "give one of them"),
        (("--from", "2m", "--to", "1m"), "--to 1m lies before --from 2m"),
        (("--from", "9h"), "lies outside the scenario"),
        (("--at", "1m", "--instrument", "ALTUSDT"), "leading:ALTUSDT, second:ALTUSDT"),
        (("--instrument", "PEGUSD"), "no instrument is called 'PEGUSD'"),
        (("--instrument", "PEGUSDT", "--depth", "0"), "depth"),
    ],
)
def test_wrong_question(options: tuple[str, ...], told: str, small_run: Path) -> None:
    """Exit code 2 and what may be asked instead."""
    done = here("replay", small_run, *options)

    assert done.code == 2
    assert told in done.err


def test_commands_between_two_instants(small_run: Path) -> None:
    """Every command of the stretch with its events, and nothing outside of it."""
    done = here("replay", small_run, "--from", "20:50:30", "--to", "20:50:30.5")
    assert done.code == 0
    head = [line for line in done.out.splitlines() if line[:1].isdigit()]
    commands, (total,) = head[:-1], head[-1:]
    assert commands
    assert all("T20:50:30." in line.split()[1] for line in commands)
    numbers = [int(line.split()[0]) for line in commands]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert total == f"{numbers[-1]:,} commands up to 2025-10-10T20:50:30.500000000Z"
    shown = done.out.count("    Traded(")
    start = manifest(small_run)["start_ns"] + 30 * NANOS_PER_S
    inside = [r for r in prints(small_run) if start <= r["time_ns"] <= start + NANOS_PER_S // 2]
    assert shown == len(inside)


def test_commands_of_one_instrument(small_run: Path) -> None:
    """What does not name the instrument is left out."""
    done = here(
        "replay", small_run, "--from", "30s", "--to", "32s", "--instrument", "PEGUSDT"
    )  # fmt: skip

    assert done.code == 0
    told = [line for line in done.out.splitlines() if line.startswith("    ")]
    assert told
    assert all("instrument=2" in line for line in told)
