"""``watch``: what is shown is what was, at every instant; keys work on a real (pseudo) terminal."""

from __future__ import annotations

import os
import random
import re
import select
import shutil
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pyarrow.compute as pc
import pytest
from rich.console import Console

from exchange_sim.analysis.run_dir import RunCorrupt, RunData, open_run
from exchange_sim.analysis.watching import NEWS_LINES, TAPE_LINES, Watch, busiest
from exchange_sim.cli import main
from exchange_sim.cli.watch import Player, split_keys
from exchange_sim.cli.watch_frame import frame, number, short
from exchange_sim.model.enums import BUY, FLAG_FORCED, FLAG_LIQUIDATION, SELL
from exchange_sim.units import NANOS_PER_S, format_utc
from tests.e2e.harness import ROOT, environment_with

FORCED = FLAG_FORCED | FLAG_LIQUIDATION
BOOKS = ("leading:ALTUSDT-PERP", "leading:ALTUSDT")


@pytest.fixture(scope="module")
def run(small_run: Path) -> RunData:
    """The small crash, opened."""
    return open_run(small_run)


def text_of(watch: Watch, width: int, height: int) -> str:
    """A frame as plain text."""
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(frame(watch, width, height, "60 x"))
    return capture.get()


def test_books_and_tape_are_those_of_the_run(run: RunData) -> None:
    """At random instants every level equals the snapshot, and the tape the newest trades."""
    draw = random.Random(5)
    span = run.manifest.end_ns - run.manifest.start_ns
    instants = sorted(run.manifest.start_ns + draw.randrange(span) for _ in range(25))
    watch = Watch(run, BOOKS)
    traded = run.view("traded")
    forced: list[bool] = []

    for instant in instants:
        watch.advance(instant)
        for screen in watch.screens:
            snapshot = run.book_of(screen.symbol).at(instant)
            assert list(screen.bids.items())[::-1] == snapshot.levels(BUY)
            assert list(screen.asks.items()) == snapshot.levels(SELL)
            mine = traded.filter(
                pc.and_(
                    pc.equal(traded.column("instrument"), screen.symbol),
                    pc.less_equal(traded.column("time_ns"), instant),
                )
            )
            last = mine.slice(max(0, mine.num_rows - TAPE_LINES)).to_pylist()
            assert screen.trades == mine.num_rows
            assert [(t.time_ns, t.price, t.qty) for t in screen.tape] == [
                (row["time_ns"], row["price"], row["qty"]) for row in last
            ]
            assert [t.buy for t in screen.tape] == [row["aggressor"] == "BUY" for row in last]
            forced += [
                t.forced == bool(row["taker_flags"] & FORCED)
                for t, row in zip(screen.tape, last, strict=True)
            ]
    assert forced
    assert all(forced)


def test_starting_late_is_the_same_as_watching_until_then(run: RunData) -> None:
    """The book of ``--from`` and the news before it are there."""
    late = run.manifest.start_ns + 100 * NANOS_PER_S
    whole, part = Watch(run, BOOKS), Watch(run, BOOKS, late)
    for watch in (whole, part):
        watch.advance(late + 10 * NANOS_PER_S)

    for one, other in zip(whole.screens, part.screens, strict=True):
        assert (one.bids, one.asks) == (other.bids, other.asks)
    assert list(whole.news) == list(part.news)
    assert 3 < len(whole.news) <= NEWS_LINES


def test_a_step_is_the_next_instant_at_which_anything_happens(run: RunData) -> None:
    """No instant of the chosen book or its trades is stepped over, and every step moves on."""
    start = run.manifest.start_ns + 60 * NANOS_PER_S
    end = start + 2 * NANOS_PER_S
    watch = Watch(run, BOOKS[:1], start)
    seen = []
    while watch.now_ns < end:
        watch.step()
        seen.append(watch.now_ns)

    deltas = run.book_of(BOOKS[0]).deltas.column("time_ns").to_pylist()
    traded = run.table("traded")
    mine = pc.equal(traded.column("instrument"), run.instrument_id(BOOKS[0]))
    trades = traded.filter(mine).column("time_ns").to_pylist()
    happened = {when for when in [*deltas, *trades] if start <= when < end}
    assert len(happened) > 20
    assert seen == sorted(set(seen))
    assert happened <= set(seen)


def test_the_end_is_reached_and_stays(run: RunData) -> None:
    """Beyond the end nothing moves."""
    watch = Watch(run)
    assert watch.screens[0].instrument == busiest(run)
    watch.advance(run.manifest.end_ns + NANOS_PER_S)
    assert watch.done
    watch.step()
    assert watch.now_ns == run.manifest.end_ns


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 24), (160, 50), (60, 16)])
def test_frames_fit_the_terminal(run: RunData, width: int, height: int) -> None:
    """No line is too long, no frame too high, and what does not fit is counted."""
    watch = Watch(run, [row["symbol"] for row in run.instruments])
    watch.advance(run.manifest.start_ns + 110 * NANOS_PER_S)
    lines = text_of(watch, width, height).splitlines()

    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert any("events" in line for line in lines)
    titles = [f"╭─ {row['symbol']} " for row in run.instruments]
    shown = sum(line.startswith(title) for title in titles for line in lines)
    assert shown >= 1
    if shown < len(run.instruments):
        assert f"(+{len(run.instruments) - shown} hidden)" in lines[0]


def test_a_frame_shows_the_touch_the_newest_trade_and_the_newest_event(run: RunData) -> None:
    """What the eye looks for first."""
    watch = Watch(run, BOOKS[1:])
    watch.advance(run.manifest.start_ns + 100 * NANOS_PER_S)
    screen, text = watch.screens[0], text_of(watch, 140, 40)

    for ticks in (screen.bids.peekitem(-1)[0], screen.asks.peekitem(0)[0]):
        assert number(screen.price(ticks)) in text
    assert number(screen.tape[-1].price) in text
    assert watch.news[-1].event in text


def test_numbers_are_short() -> None:
    """Prices keep their digits, sums lose theirs."""
    assert [number(v) for v in (116_909.1, 0.000123, 10.0, 0.0)] == [
        "116,909.1",
        "0.000123",
        "10",
        "0",
    ]
    assert [short(v) for v in (1.5e9, 303_000.0, 82.31, 0.0)] == ["1.5bn", "303k", "82.3", "0"]


def test_keys(run: RunData) -> None:
    """Pause holds time, steps pause, speed doubles and halves."""
    player = Player(Watch(run, BOOKS[:1]), 8.0)
    player.play(0.5)
    assert player.watch.now_ns == run.manifest.start_ns + 4 * NANOS_PER_S
    player.press(" ")
    player.play(5.0)
    assert player.watch.now_ns == run.manifest.start_ns + 4 * NANOS_PER_S
    assert player.status() == "paused"
    player.press(" ")
    for key in split_keys("+\x1b[Cx-"):
        player.press(key)
    assert player.paused
    assert player.speed == 8.0
    player.press("q")
    assert player.left
    assert split_keys("a\x1b[C\x1b") == ["a", "\x1b[C", "\x1b"]


def test_plain_frames(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal: as many frames as asked for, a second of the viewer apart."""
    words = ["watch", str(small_run), "--speed", "20", "--instrument", "ALTUSDT-PERP"]
    assert main([*words, "--frames", "3"]) == 0
    clocks = re.findall(r"(\d\d:\d\d:\d\d)\.\d{3} UTC", capsys.readouterr().out)
    assert len(clocks) == 3
    seconds = [int(c[3:5]) * 60 + int(c[6:]) for c in clocks]
    assert [b - a for a, b in pairwise(seconds)] == [20, 20]
    assert clocks[0] == format_utc(open_run(small_run).manifest.start_ns)[11:19]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--instrument", "leading:ALTUSD"], "leading:ALTUSDT"),
        (["--from", "9h"], "--from 9h lies outside the run"),
        (["--from", "soon"], "'soon' is neither"),
        (["--speed", "0"], "--speed"),
    ],
)
def test_mistakes_are_told(
    small_run: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage errors with what to write instead."""
    assert main(["watch", str(small_run), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_damaged_narrative_is_located(small_run: Path, tmp_path: Path) -> None:
    """File and line of what is no line; a missing narrative is no news."""
    copy = tmp_path / "run"
    shutil.copytree(small_run, copy)
    narrative = copy / "narrative.jsonl"
    lines = narrative.read_text().splitlines()
    narrative.write_text("\n".join([*lines[:2], '{"time": "half', *lines[2:]]) + "\n")
    with pytest.raises(RunCorrupt, match=r"narrative\.jsonl:3: is not a line"):
        Watch(open_run(copy), BOOKS[:1]).advance(open_run(copy).manifest.end_ns)
    narrative.unlink()
    watch = Watch(open_run(copy), BOOKS[:1])
    watch.advance(watch.end_ns)
    assert not watch.news


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_on_a_terminal(small_run: Path) -> None:
    """Space pauses, n steps, q leaves with the terminal restored."""
    import pty
    import termios

    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (30, 120))
    before = termios.tcgetattr(slave)
    words = ["watch", str(small_run), "--speed", "4", "--from", "60s"]
    child = subprocess.Popen(
        [sys.executable, "-m", "exchange_sim", *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=ROOT,
        env=environment_with(TERM="xterm-256color"),
    )
    seen = ""

    def until(wanted: str, seconds: float = 60.0) -> str:
        nonlocal seen
        seen, deadline = "", time.monotonic() + seconds
        while not re.search(wanted, seen):
            assert time.monotonic() < deadline, f"no {wanted!r} in {seen[-500:]!r}"
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65_536).decode(errors="replace")
        return seen

    try:
        until("4 x")
        os.write(master, b" ")
        until("paused")
        held = re.findall(r"\d\d:\d\d:\d\d\.\d{3}", until(r"UTC.*paused"))[0]
        os.write(master, b"nnnnnnnnnnnn")
        until(r"UTC.*paused")
        moved = re.findall(r"(\d\d:\d\d:\d\d\.\d{3}) UTC", until(r"UTC.*paused"))[-1]
        assert moved > held
        os.write(master, b"+ ")
        until("8 x")
        os.write(master, b"q")
        until(re.escape("\x1b[?1049l"))
        assert child.wait(timeout=30) == 0
        assert termios.tcgetattr(slave) == before
    finally:
        child.kill()
        child.wait()
        os.close(master)
        os.close(slave)
