"""``watch``: a finished run played again on the terminal, with pause and step."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer

from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output
from exchange_sim.errors import UsageError
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.analysis.watching import Watch

WATCH_EPILOG = """[bold]Keys[/bold]  space: pause and go on; n or right: the next thing that
happens; + and -: faster, slower; q: quit

[bold]Examples[/bold]

exchange-sim watch runs/small_crash-11-0001

exchange-sim watch runs/small_crash-11-0001 --instrument leading:ALTUSDT --from 20:50:40 --speed 5
"""

FRAME_S: Final = 0.1
"""Wall seconds between frames on a terminal."""
LAG_MAX_S: Final = 0.5
"""A slow machine shows less speed rather than jumps."""
SPEED_MAX: Final = 1_000_000.0
PLAIN_FRAMES: Final = 10
"""Frames when standard output is not a terminal and ``--frames`` does not say."""
PLAIN_HEIGHT: Final = 24
_HAS_TERMIOS: Final = find_spec("termios") is not None
"""Single keys can be read; on other systems frames are printed."""
_STEP_KEYS: Final = ("n", "\x1b[C", "\x1bOC")

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.", show_default=False)]
Speed = Annotated[
    float, typer.Option(min=0.001, max=SPEED_MAX, help="Simulated seconds per second.")
]
Instruments = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument",
        metavar="SYMBOL",
        help="A book to show; repeatable. Default: the one with most trades.",
    ),
]
From = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Start at a UTC time, or after a duration.")
]
Frames = Annotated[
    int,
    typer.Option(
        min=0, help=f"Stop after so many frames; 0: at the end, {PLAIN_FRAMES} without a terminal."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command(epilog=WATCH_EPILOG)(watch)


def watch(
    run: Run,
    speed: Speed = 60.0,
    instrument: Instruments = None,
    since: From = "",
    frames: Frames = 0,
) -> None:
    """Play a run again on the terminal: ladder, tape and events, with pause and step."""
    from exchange_sim.analysis.run_dir import open_run
    from exchange_sim.analysis.watching import Watch

    data = open_run(run, partial=True)
    start = data.instant(since) if since else data.manifest.start_ns
    if not data.manifest.start_ns <= start <= data.manifest.end_ns:
        raise UsageError(f"--from {since} lies outside the run")
    player = Player(Watch(data, instrument or (), start), speed)
    keys = _keyboard()
    if keys is None or not output.is_terminal:
        _plain(player, frames or PLAIN_FRAMES)
    else:
        _live(player, keys, frames)
    tell_losses([data])


class Player:
    """Speed, pause and keys over a ``Watch``; time comes from outside."""

    def __init__(self, watch: Watch, speed: float) -> None:
        self.watch = watch
        self.speed = speed
        self.paused = False
        self.left = False

    def press(self, key: str) -> None:
        """Take a key; unknown ones do nothing."""
        if key == " ":
            self.paused = not self.paused
        elif key in _STEP_KEYS:
            self.paused = True
            self.watch.step()
        elif key in {"+", "="}:
            self.speed = min(SPEED_MAX, self.speed * 2)
        elif key == "-":
            self.speed = max(0.001, self.speed / 2)
        elif key in {"q", "Q", "\x03"}:
            self.left = True

    def play(self, wall_s: float) -> None:
        """Let so many seconds of the viewer's time pass."""
        if not self.paused:
            self.watch.advance(self.watch.now_ns + round(wall_s * self.speed * NANOS_PER_S))

    def status(self) -> str:
        """What the heading says beside the clock."""
        if self.watch.done:
            return "the end"
        return "paused" if self.paused else f"{self.speed:g} x"


def _plain(player: Player, frames: int) -> None:
    """Frames one below the other, the first at the start, a second of the viewer apart."""
    from exchange_sim.cli.watch_frame import frame

    for number in range(frames):
        player.play(1.0 if number else 0.0)
        output.print(frame(player.watch, output.width, PLAIN_HEIGHT, player.status()))
        if player.watch.done:
            break


def _live(player: Player, keys: Keyboard, frames: int) -> None:
    """The whole terminal, until the viewer leaves."""
    from rich.live import Live

    from exchange_sim.cli.watch_frame import KEYS, frame

    shown, before = 0, time.monotonic()
    with keys, Live(console=output, screen=True, auto_refresh=False) as live:
        while not player.left:
            width, height = output.size
            status = f"{player.status()}   {KEYS}"
            live.update(frame(player.watch, width, height, status), refresh=True)
            shown += 1
            if shown == frames:
                break
            for key in keys.wait(FRAME_S):
                player.press(key)
            now = time.monotonic()
            player.play(min(LAG_MAX_S, now - before))
            before = now


class Keyboard(AbstractContextManager["Keyboard"]):
    """Single keys from a terminal; the terminal is as it was afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._saved: list[Any] = []

    def __enter__(self) -> Self:
        import termios
        import tty

        self._saved = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        import termios

        termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._saved)

    def wait(self, seconds: float) -> list[str]:
        """Keys pressed within so many seconds, at once when there are some.

        A terminal that has gone away counts as the key to quit.
        """
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return []
        try:
            text = os.read(self._descriptor, 1024).decode(errors="replace")
        except OSError:
            text = ""
        return split_keys(text) if text else ["q"]


def split_keys(text: str) -> list[str]:
    """What a terminal sent as single keys: arrows are three characters that begin with escape."""
    found: list[str] = []
    at = 0
    while at < len(text):
        size = 3 if text[at] == "\x1b" and text[at + 1 : at + 2] in {"[", "O"} else 1
        found.append(text[at : at + size])
        at += size
    return found


def _keyboard() -> Keyboard | None:
    """The keyboard, if standard input is a terminal of a system that knows them."""
    try:
        return Keyboard(sys.stdin.fileno()) if _HAS_TERMIOS and sys.stdin.isatty() else None
    except (OSError, ValueError):
        return None
