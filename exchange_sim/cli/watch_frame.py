"""One frame of ``watch``: ladders, tapes and news as Rich renderables, sized to the terminal."""

from __future__ import annotations

from itertools import islice
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from exchange_sim.analysis.watching import NewsLine, Screen, TapeLine, Watch
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.units import format_utc

KEYS: Final = "space pause · n/→ step · +/- speed · q quit"
_WIDE: Final = 110
"""Columns from which the news stand beside the books, not below them."""
_BOOKS_MIN: Final = 74
_NEWS_BELOW: Final = 8
_DEPTH_MAX: Final = 12
_BAR: Final = 8
_LEVEL_STYLE: Final = {"error": "bold red", "warning": "yellow"}


def frame(watch: Watch, width: int, height: int, status: str) -> RenderableType:
    """What there is to see now, at most ``width`` by ``height`` characters.

    Instruments that do not fit (each needs six lines) are counted in the heading.
    """
    wide = width >= _WIDE
    news_lines = max(3, height - 3 if wide else _NEWS_BELOW)
    room = max(6, height - 1 - (0 if wide else news_lines + 2))
    shown = watch.screens[: max(1, room // 6)]
    each = room // len(shown)
    left = max(_BOOKS_MIN, width * 3 // 5) if wide else width
    books = Group(*(_book(screen, left, each) for screen in shown))
    news = _news(watch, width - left if wide else width, news_lines)
    hidden = len(watch.screens) - len(shown)
    head = _head(watch, status, f"  (+{hidden} hidden)" if hidden else "")
    if not wide:
        return Group(head, books, news)
    side = Table.grid(padding=0)
    side.add_column(width=left)
    side.add_column(width=width - left)
    side.add_row(books, news)
    return Group(head, side)


def _head(watch: Watch, status: str, more: str) -> Text:
    share = (watch.now_ns - watch.start_ns) / max(1, watch.end_ns - watch.start_ns)
    clock = format_utc(watch.now_ns).replace("T", " ").removesuffix("Z")
    text = Text(f" {clock} UTC  {share:4.0%}  {status}{more}", no_wrap=True, overflow="ellipsis")
    text.stylize("reverse")
    return text


def _book(screen: Screen, width: int, height: int) -> Panel:
    """Ladder and tape of one instrument side by side."""
    depth = max(1, min(_DEPTH_MAX, (height - 3) // 2))
    body = Table.grid(padding=(0, 2))
    body.add_row(_ladder(screen, depth), _tape(list(screen.tape)[-(2 * depth + 1) :]))
    return Panel(
        body,
        title=_title(screen),
        title_align="left",
        subtitle=f"1 %: {short(screen.depth(BUY))} bid, {short(screen.depth(SELL))} ask",
        subtitle_align="left",
        width=width,
        height=2 * depth + 3,
    )


def _title(screen: Screen) -> str:
    spread = screen.spread_bp()
    moved = f" {screen.last / screen.first - 1:+.1%}" if screen.first else ""
    last = f"  last {number(screen.last)}{moved}" if screen.last else ""
    wide = "one side empty" if spread is None else f"spread {spread:.1f} bp"
    return f"[bold]{screen.symbol}[/]{last}  {wide}"


def _ladder(screen: Screen, depth: int) -> Table:
    """Asks above bids, the best ones in the middle; missing levels are empty rows."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right", no_wrap=True, min_width=9)
    table.add_column(justify="right", no_wrap=True, min_width=9)
    table.add_column(no_wrap=True, min_width=_BAR)
    asks = list(islice(screen.asks.items(), depth))
    bids = list(islice(((p, screen.bids[p]) for p in reversed(screen.bids)), depth))
    most = max((lots for _, lots in [*asks, *bids]), default=1)
    for _ in range(depth - len(asks)):
        table.add_row("", Text("-", "dim"), "")
    for ticks, lots in reversed(asks):
        table.add_row(*_level(screen, ticks, lots, most, "red"))
    table.add_row("", Text("─" * _BAR, "dim"), "")
    for ticks, lots in bids:
        table.add_row(*_level(screen, ticks, lots, most, "green"))
    for _ in range(depth - len(bids)):
        table.add_row("", Text("-", "dim"), "")
    return table


def _level(screen: Screen, ticks: int, lots: int, most: int, style: str) -> tuple[Text, ...]:
    bar = "█" * max(1, round(_BAR * lots / most))
    return (
        Text(number(screen.price(ticks)), style),
        Text(number(screen.qty(lots))),
        Text(bar, style),
    )


def _tape(lines: list[TapeLine]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for line in lines:
        style = "green" if line.buy else "red"
        mark = Text("forced", "bold magenta") if line.forced else Text("")
        clock = Text(format_utc(line.time_ns)[11:21], "dim")
        table.add_row(clock, Text(number(line.price), style), number(line.qty), mark)
    return table


def _news(watch: Watch, width: int, lines: int) -> Panel:
    """The latest lines, newest last, cut to the panel."""
    rows = [_line(line) for line in list(watch.news)[-lines:]]
    blank = [Text("") for _ in range(lines - len(rows))]
    return Panel(Group(*blank, *rows), title="events", width=width, height=lines + 2)


def _line(line: NewsLine) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{format_utc(line.time_ns)[11:19]} ", "dim")
    text.append(line.event, _LEVEL_STYLE.get(line.level, ""))
    text.append(f"  {line.details}", "dim")
    return text


def number(value: float) -> str:
    """A price or quantity: thousands apart, up to eight significant digits."""
    digits = 8 - len(str(int(abs(value))))
    text = f"{value:,.{max(0, min(8, digits))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float) -> str:
    """A sum of money in a few characters."""
    for size, unit in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
