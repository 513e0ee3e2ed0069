"""What people see: tables on standard output; progress and errors on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from exchange_sim.errors import ExchangeSimError, ScenarioError
from exchange_sim.units import NANOS_PER_S, format_duration, format_utc

# Without emoji: rich would read the line number in "bot.py:100: ..." as the picture of that name.
output: Final = Console(width=None if sys.stdout.isatty() else 120, emoji=False)
errors: Final = Console(stderr=True, emoji=False)

PLAIN_LINE_EVERY_S: Final = 5.0
"""Wall seconds between progress lines when standard error is not a terminal."""
PROBLEMS_SHOWN: Final = 100
"""Located problems that are printed; nobody reads on."""
REDRAW_EVERY_S: Final = 0.1
"""Wall seconds between updates of the progress bar."""


def error_text(error: ExchangeSimError) -> str:
    """An error as a compiler would print it: every located problem, then the summary."""
    if not isinstance(error, ScenarioError):
        return f"error: {error}"
    lines = [str(problem) for problem in error.problems[:PROBLEMS_SHOWN]]
    if len(error.problems) > PROBLEMS_SHOWN:
        lines.append(f"... and {len(error.problems) - PROBLEMS_SHOWN} more")
    return "\n".join([*lines, error.message])


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; columns whose cells are all numbers are aligned to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    raw = [list(row) for row in cells]
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None)
    for k, column in enumerate(columns):
        numeric = bool(raw) and all(_is_numeric(row[k]) for row in raw)
        justify: JustifyMethod = "right" if numeric else "left"
        table.add_column(column, justify=justify, no_wrap=numeric or k == 0)
    for row in cells:
        table.add_row(*row)
    output.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _is_numeric(cell: str) -> bool:
    return cell.lstrip("+-").replace(",", "").replace(".", "").rstrip("%x").isdigit() or cell == "-"


def show_pairs(title: str, pairs: Mapping[str, Any]) -> None:
    """Names and values, one a line."""
    table = Table(title=title or None, title_justify="left", show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, _cell(value))
    output.print(table)


class RunProgress(AbstractContextManager["RunProgress"]):
    """Progress of a run: a bar on a terminal, a line every few seconds elsewhere, or nothing.

    Call it with the simulated time in nanoseconds as often as you like; it redraws rarely.
    """

    def __init__(self, start_ns: int, end_ns: int, *, quiet: bool = False) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.now_ns = start_ns
        self.commands = 0
        self.quiet = quiet
        self.began = time.monotonic()
        self._next = self.began
        self._bar: Progress | None = None
        if errors.is_terminal and not quiet:
            self._bar = Progress(
                TextColumn("{task.fields[clock]}"),
                BarColumn(bar_width=20),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[speed]}"),
                TextColumn("{task.fields[eta]}"),
                console=errors,
                transient=True,
            )
            total = max(1, end_ns - start_ns)
            self._task = self._bar.add_task("", total=total, **self._fields())

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, now_ns: int, commands: int = 0) -> None:
        """Take the simulated time and the number of commands so far."""
        self.now_ns = now_ns
        self.commands = commands
        now = time.monotonic()
        if self.quiet or now < self._next:
            return
        if self._bar is not None:
            self._next = now + REDRAW_EVERY_S
            self._bar.update(self._task, completed=now_ns - self.start_ns, **self._fields())
            return
        if now - self.began >= PLAIN_LINE_EVERY_S:
            share = 100 * (now_ns - self.start_ns) // max(1, self.end_ns - self.start_ns)
            fields = self._fields()
            line = f"{fields['clock']}  {share:3d}%  {fields['speed']}  {fields['eta']}"
            errors.print(line, highlight=False)
        self._next = now + PLAIN_LINE_EVERY_S

    @property
    def wall_s(self) -> float:
        """Wall seconds since the start."""
        return time.monotonic() - self.began

    @property
    def speed(self) -> float:
        """Simulated seconds per wall second so far."""
        return (self.now_ns - self.start_ns) / NANOS_PER_S / max(1e-9, self.wall_s)

    def _fields(self) -> dict[str, Any]:
        speed = self.speed
        if speed > 0:
            left_s = (self.end_ns - self.now_ns) / NANOS_PER_S / speed
            eta = f"ETA {format_duration(int(left_s) * NANOS_PER_S).removesuffix('.000s')}"
            eta = eta if eta.endswith(("s", "m")) else f"{eta}s"
        else:
            eta = "ETA -"
        clock = format_utc(self.now_ns, 0).replace("T", " ").removesuffix("Z") + " UTC"
        return {"clock": clock, "speed": f"{speed:,.0f} x real time", "eta": eta}
