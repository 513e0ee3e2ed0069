"""The command line: ``exchange-sim run | scenarios | verify | replay | diff | score | ...``.

Results go to standard output; progress and errors go to standard error.  The exit code is the kind
of failure (see ``exchange_sim.errors``); a traceback is never shown, not even for our own bugs: it
is written to a file that the message names.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from exchange_sim.cli import (
    check,
    explain,
    export,
    importing,
    new,
    read,
    report,
    run,
    score,
    tearsheet,
    watch,
)
from exchange_sim.cli.render import error_text, errors
from exchange_sim.errors import ExchangeSimError, StorageError

EXIT_INTERRUPTED: Final = 130
EXIT_BUG: Final = 1
EXIT_USAGE: Final = 2

EPILOG = """[bold]Examples[/bold]

exchange-sim run oct10_article --out runs

exchange-sim run oct10_article --without mm_withdrawal --set scenario.duration=30m

exchange-sim verify runs/oct10_article-1-0001
"""

app = typer.Typer(
    name="exchange-sim",
    help="Emulate a crypto market order by order: liquidations are ordinary orders.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for module in (
    run, new, importing, report, watch, explain, tearsheet, score, read, export, check
):  # fmt: skip
    module.register(app)

PANELS: Final = {
    "Make a run": {
        "run": "Run a scenario and write everything that happened.",
        "scenarios": "List the shipped scenarios, or show one.",
        "new": "Write a strategy with its test, or a scenario, to start from.",
        "import": "Check recorded market data and write a scenario for it.",
    },
    "Look at it": {
        "report": "Write a run as one HTML page.",
        "watch": "Play a run again: ladder, tape and events; pause, step.",
        "explain": "Tell why: a liquidation, an order's fills, the cascade.",
        "tearsheet": "Show what a strategy gained, from what, and its margin.",
        "score": "Measure runs against the record of 10-11 October 2025.",
        "compare": "Show runs side by side.",
        "export": "Write a run for Tardis, LOBSTER, hftbacktest, or as tables.",
    },
    "Trust it": {
        "verify": "Check a run: files, journal, replay, tables, every balance.",
        "replay": "Apply the recorded commands again; show books and events.",
        "diff": "Show the first command in which two runs differ.",
        "check": "Run files of published cases.",
    },
}
"""All commands in the order of ``--help``, each with its one line."""


def _arrange() -> None:
    """Put the commands into their panels, in order."""
    places = {
        name: (panel, line) for panel, lines in PANELS.items() for name, line in lines.items()
    }
    known: list[Any] = [*app.registered_commands, *app.registered_groups]
    for info in known:
        info.rich_help_panel, info.short_help = places[_name_of(info)]
    order = list(places)
    app.registered_commands.sort(key=lambda info: order.index(_name_of(info)))


def _name_of(info: Any) -> str:
    return str(info.name or info.callback.__name__)


_arrange()


def _show_version(value: bool) -> None:
    if value:
        from exchange_sim import __version__

        typer.echo(f"exchange-sim {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Emulate a crypto market order by order: liquidations are ordinary orders."""
    del version


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    if not __debug__:
        errors.print("error: python -O switches the emulator's own checks off; run without it")
        return EXIT_USAGE
    try:
        return _run(arguments)
    except ExchangeSimError as error:
        errors.print(error_text(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        errors.print("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone.
        _mute()
        return 0
    except OSError as error:
        # Our files raise StorageError: this is the output itself, a full device for instance.
        _mute()
        reason = error.strerror or str(error)
        where = f"{error.filename}: " if error.filename else ""
        errors.print(f"error: {where}{reason}", markup=False, highlight=False, soft_wrap=True)
        return StorageError.exit_code
    except Exception as error:  # noqa: BLE001 whatever it is, its trace belongs in a file
        errors.print(_bug_text(error), markup=False, highlight=False, soft_wrap=True)
        return EXIT_BUG


def _mute() -> None:
    """Nobody takes our output any more: nothing is left to say, not even at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_CLICK_ERROR: Final[Any] = next(
    cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException"
)
"""Base of click's errors; Typer carries its own copy of click since 0.16."""


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = app(
            args=None if arguments is None else list(arguments),
            prog_name="exchange-sim",
            standalone_mode=False,
        )
    except typer.Exit as leave:
        return leave.exit_code
    except _CLICK_ERROR as error:
        error.show()
        return int(error.exit_code)
    return code if isinstance(code, int) else 0


def _bug_text(error: Exception) -> str:
    """A short message for a defect of ours; the trace goes to a file."""
    summary = f"error: unexpected {type(error).__name__}: {error}".splitlines()[0]
    try:
        handle, name = tempfile.mkstemp(prefix="exchange-sim-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    except OSError:
        return f"{summary}\n{''.join(traceback.format_exception(error))}"
    return f"{summary}\nThis is a defect of exchange-sim. The full trace is in {Path(name)}"
