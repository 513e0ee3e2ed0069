"""The narrative: few lines, in simulated time, in order, never more than a person can read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.errors import StorageError
from exchange_sim.eventlog import EventLog, Names, Narrator
from exchange_sim.eventlog.sentences import narrate
from exchange_sim.messages.registry import EVENTS
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_S
from tests.doubles.storage import START_NS, FaultyDisk, Row

USD = 10**6
NAMES = Names(
    assets=["USDT", "BTC"],
    decimals=[6, 8],
    venues=["leading"],
    numeraires=[0],
    instruments=["leading:BTCUSDT"],
    ticks=["0.1"],
    accounts=["system/external", "mm-1", "crowd/2"],
    account_venues=[-1, 0, 0],
    notable={1},
    shocks=["news"],
    outages=["down", "feed_frozen"],
)


def told(folder: Path, *happenings: tuple[int, Row]) -> list[dict[str, Any]]:
    """Lines about events at seconds after the start."""
    narrator = Narrator(folder / "narrative.jsonl", NAMES)
    for seq, (second, event) in enumerate(happenings, start=1):
        narrator.observe(seq, START_NS + second * NANOS_PER_S, event)
    narrator.close()
    text = (folder / "narrative.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def started(account: int, maintenance: int) -> Row:
    return (31, account, 5 * USD, maintenance, 990_000, 0, -1)


def step(account: int, value: int) -> Row:
    return (32, account, 3, 0, 7, value)


def ended(account: int) -> Row:
    return (33, account, 1, 5 * USD, 4 * USD)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ((23, 0, 1), "trading halted instrument=leading:BTCUSDT status=halt"),
        ((23, 0, 0), "trading resumed instrument=leading:BTCUSDT status=trading"),
        ((25, 0, 0), "transfers suspended venue=leading"),
        ((25, 0, 1), "transfers resumed venue=leading"),
        (
            (30, 1, 2, 1_040_000, 5 * USD, 4 * USD),
            (
                "margin band changed account=mm-1 band=reduce only uni_mmr=1.040"
                " equity=5.00 USDT maintenance=4.00 USDT"
            ),
        ),
        (
            started(1, 50_000 * USD),
            (
                "liquidation started account=mm-1 equity=5.00 USDT maintenance=50000.00 USDT"
                " uni_mmr=0.990 cause=leading:BTCUSDT"
            ),
        ),
        (
            (34, 0, 0, -7 * USD, 0),
            "insurance fund exhausted venue=leading last_payout=7.00 USDT balance=0.00 USDT",
        ),
        (
            (36, 0, 2, 0, 3_000_000 * USD),
            "bad debt venue=leading account=crowd/2 amount=3000000.00 USDT",
        ),
        ((40, 1, 1, 3, 0), "quotes withdrawn account=mm-1 cause=margin scale=0.000"),
        ((40, 1, 2, 0, 10**6), "quotes restored account=mm-1 cause=none scale=1.000"),
        ((40, -1, 4, 0, 9), "shock name=news"),
        ((40, 1, 4, 2, 9_000), "shock account=mm-1 pulse=2 d1_per_s=0.009"),
        ((40, -1, 5, 0, 1), "outage started venue=leading what=feed frozen"),
        ((40, -1, 6, 0, 0), "outage ended venue=leading what=down"),
        ((40, 1, 7, 6, 1), "strategy fault account=mm-1 about=6 value=1"),
        ((40, 1, 99, 6, 1), "99 account=mm-1 about=6 value=1"),
    ],
)
def test_what_each_event_says(tmp_path: Path, event: Row, line: str) -> None:
    first = told(tmp_path, (1, event))[0]

    assert first.pop("time") == "2025-10-10T20:50:01.000Z"
    assert first.pop("seq") == 1
    del first["level"]
    message = first.pop("event")
    assert " ".join([message, *(f"{key}={value}" for key, value in first.items())]) == line


def test_liquidation_that_was_told_is_told_to_its_end(tmp_path: Path) -> None:
    """Even when little had to be sold: a story that began is finished."""
    lines = told(tmp_path, (1, started(1, 20_000 * USD)), (2, step(1, USD)), (3, ended(1)))

    assert [line["event"] for line in lines][:2] == ["liquidation started", "liquidation ended"]


def test_small_liquidations_are_counted(tmp_path: Path) -> None:
    """Thousands of small ones are one line a minute; a large one has its own lines too."""
    small = [(i % 50, event) for i in range(50) for event in (started(2, 5), step(2, 90 * USD))]
    large = [(55, started(1, 20_000 * USD)), (56, step(1, 2_000_000 * USD)), (57, ended(1))]
    lines = told(tmp_path, *small, *large, (70, started(2, 5)))

    assert [line["event"] for line in lines] == [
        "liquidation started",
        "liquidation ended",
        "liquidations of this minute",
        "liquidations of this minute",
    ]
    assert lines[1]["value"] == "2000000.00 USDT"
    first, second = lines[2:]
    assert (first["started"], first["ended"], first["steps"]) == (51, 1, 51)
    assert (first["value"], first["time"]) == ("2004500.00 USDT", "2025-10-10T20:51:00.000Z")
    assert (second["started"], second["time"]) == (1, "2025-10-10T20:52:00.000Z")


def test_adl_and_small_bad_debt_are_counted_per_minute(tmp_path: Path) -> None:
    adl, debt = (35, 0, 100, 5, 1, 2, 0, 0, 0), (36, 0, 2, 0, 3 * USD)
    lines = told(tmp_path, (1, adl), (2, adl), (3, debt), (4, debt))

    assert [line["event"] for line in lines] == [
        "auto-deleveraging of this minute",
        "bad debt of this minute",
    ]
    assert (lines[0]["count"], lines[0]["lots"], lines[0]["level"]) == (2, 10, "warning")
    assert (lines[1]["count"], lines[1]["amount"]) == (2, "6.00 USDT")


def test_repeated_remarks_are_told_once_a_minute(tmp_path: Path) -> None:
    lines = told(tmp_path, *((i, (40, 1, 1, 3, i)) for i in range(30)), (61, (40, 1, 1, 3, 5)))

    assert [line["event"] for line in lines] == [
        "quotes withdrawn",
        "quotes withdrawn, repeatedly",
        "quotes withdrawn",
    ]
    assert lines[1]["times"] == 30


def test_only_notable_accounts_have_bands(tmp_path: Path) -> None:
    assert told(tmp_path, (1, (30, 2, 2, 1_040_000, 5, 4))) == []


def test_insurance_is_exhausted_once_until_it_is_filled(tmp_path: Path) -> None:
    """Opening at zero is no exhaustion, staying at zero no news."""
    changes = [(0, 0), (9, 9), (-9, 0), (-1, 0), (5, 5), (-5, 0)]
    lines = told(tmp_path, *((i, (34, 0, 0, *change)) for i, change in enumerate(changes)))

    assert [line["seq"] for line in lines] == [3, 6]


def test_lines_are_in_order_and_in_simulated_time(tmp_path: Path) -> None:
    """What the shell says comes between the events, although those arrive in batches."""
    log = EventLog(None)
    narrator = Narrator(tmp_path / "n", NAMES)
    log.listen(narrator)
    for i in range(1, 200):
        now = START_NS + i * NANOS_PER_S
        log.record(i, now, [(40, 1, 9, i, 0), step(2, USD)])
        if i % 50 == 0:
            narrator(now, "mm-1", "hello", {"i": i, "time": "mine", "event": 3})
    log.close()
    narrator.close()
    lines = [json.loads(line) for line in (tmp_path / "n").read_text().splitlines()]
    times = [line["time"] for line in lines]

    assert times == sorted(times)
    said = [line for line in lines if line["event"] == "hello"]
    assert [(line["i"], line["who"], line["time_"], line["event_"]) for line in said] == [
        (i, "mm-1", "mine", 3) for i in (50, 100, 150)
    ]
    assert said[0]["time"] == "2025-10-10T20:50:50.000Z"


def test_console_shows_the_same_lines() -> None:
    console = io.StringIO()
    narrator = Narrator(None, NAMES, console=console)
    narrator.observe(1, START_NS, (23, 0, 1))
    narrator.close()

    assert "2025-10-10T20:50:00.000Z [warning  ] trading halted" in console.getvalue()
    assert "instrument=leading:BTCUSDT" in console.getvalue()


def test_a_closed_console_is_nobodys_problem(tmp_path: Path) -> None:
    """F19: the terminal goes away; the file and the run go on."""
    console = io.StringIO()
    narrator = Narrator(tmp_path / "n", NAMES, console=console)
    console.close()
    narrator.observe(1, START_NS, (23, 0, 1))
    narrator.close()

    assert (tmp_path / "n").read_text().count("\n") == 1


def test_every_event_of_any_kind_can_be_told() -> None:
    """Unknown ids and members become numbers, never an error."""
    for type_id, kind in EVENTS.items():
        for value in (-1, 0, 10**12):
            narrate((type_id, *(value for _ in kind.field_names)), NAMES)


@pytest.mark.parametrize("number", range(1, 6))
def test_failing_disk(tmp_path: Path, number: int) -> None:
    """F10: StorageError, and the file ends in a whole line."""
    path = tmp_path / "n"
    with pytest.raises(StorageError):
        tell_until_failure(FaultyDisk(number.__eq__), path)
    text = path.read_text() if path.exists() else ""

    assert [json.loads(line)["event"] for line in text.splitlines()] == ["trading halted"] * max(
        0, min(number - 2, 3)
    )


def tell_until_failure(disk: FaultyDisk, path: Path) -> None:
    """Three lines, then the end; aborts as a run does."""
    narrator = Narrator(path, NAMES, open_file=disk.open)
    try:
        for i in range(3):
            narrator.observe(i + 1, START_NS + i * NANOS_PER_MINUTE, (23, 0, 1))
        narrator.close()
    except StorageError:
        narrator.abort()
        raise
