"""``new strategy`` and ``new scenario``: files to start from, which work as they are."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from exchange_sim.cli.render import output
from exchange_sim.errors import StorageError, UsageError

app = typer.Typer(help="Write files to start from: a strategy with its test, or a scenario.")

STRATEGY: Final = Template('''"""$title: quotes both sides of one market around the mid."""

from __future__ import annotations

import attrs
from exchange_sim.strategy import Fill, LiquidationNotice, Strategy


class $cls(Strategy):
    """Quotes ``qty`` at half of ``spread_bps`` from the mid on both sides, once per ``interval_s``.

    The further the position from flat, the further both quotes move against it; beyond
    ``max_qty`` only the side that brings it back is quoted.
    """

    @attrs.frozen
    class Params(Strategy.Params):
        """What ``--param NAME=VALUE`` and ``[participants.params]`` set."""

        symbol: str = "leading:BTCUSDT-PERP"
        qty: float = 0.05
        spread_bps: float = 1.5
        max_qty: float = 1.0
        interval_s: float = 1.0

    def on_start(self) -> None:
        """Subscribe, and start the clock."""
        self.subscribe_book(self.params.symbol, depth=5)
        self.set_timer("quote", self.params.interval_s)

    def on_timer(self, name: str) -> None:
        """Replace both quotes."""
        p = self.params
        mid = self.book(p.symbol).mid
        if mid is None:
            return
        held = self.position(p.symbol).qty
        half = mid * p.spread_bps / 20_000.0
        centre = mid - half * held / p.max_qty
        bid_qty, ask_qty = self.sizes(held)
        self.cancel_all_orders(p.symbol)
        if bid_qty:
            self.buy(p.symbol, bid_qty, centre - half, post_only=True)
        if ask_qty:
            self.sell(p.symbol, ask_qty, centre + half, post_only=True)
        self.record(mid=mid, position=held)

    def sizes(self, held: float) -> tuple[float, float]:
        """Bid and ask quantities while holding so much."""
        p = self.params
        return p.qty * (held < p.max_qty), p.qty * (held > -p.max_qty)

    def on_fill(self, fill: Fill) -> None:
        """Say so when a fill is a forced one."""
        if fill.is_liquidation:
            self.log("the venue sold for us", price=fill.price, qty=fill.qty)

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """Say what the venue's liquidation engine does with the account."""
        self.log("liquidation", stage=event.stage)
''')

TEST: Final = Template('''"""Tests of $cls, without a scenario: the bench plays the venue."""

from __future__ import annotations

from exchange_sim.testing import Bench, assert_orders

from $module import $cls

SYMBOL = "leading:BTCUSDT-PERP"
BOOK = f"0.0 book {SYMBOL} 99990x1 | 100010x1"


def test_quotes_both_sides() -> None:
    """Half the spread below and above the mid, after the first second."""
    bench = Bench.single(SYMBOL, auto=True)
    bench.run($cls($cls.Params(qty=0.1, spread_bps=20.0)))
    bench.play(BOOK)
    bench.advance(1.0)

    assert_orders(bench.live(), "BUY 0.1 @ 99900 GTX", "SELL 0.1 @ 100100 GTX")


def test_skews_against_its_position() -> None:
    """Long: both quotes move down, and at the limit only the ask is left."""
    bench = Bench.single(SYMBOL, auto=True)
    bench.run($cls($cls.Params(qty=0.1, spread_bps=20.0, max_qty=0.2)))
    bench.play(BOOK)
    bench.set_position(SYMBOL, lots=100)
    bench.advance(1.0)
    assert_orders(bench.live(), "BUY 0.1 @ 99850 GTX", "SELL 0.1 @ 100050 GTX")

    bench.set_position(SYMBOL, lots=200)
    bench.advance(1.0)
    assert_orders(bench.live(), "SELL 0.1 @ 100000 GTX")
''')

SCENARIO: Final = Template("""# $title: what it asks, and what is different from its base.

extends = "calm"

[scenario]
name = "$name"
description = "Calm, with a sudden sale of the market's leader and a venue that slows down."
duration = "5m"
seed = 1
exogenous = ["20:32:00 the leading venue's engine is 20 times slower for 30 s"]

# Everything can be changed by name: tables key by key, items by their name or symbol.
[venues.leading]
orders_per_s = 200

[latency.home]
order = { base = "20ms", jitter = "10ms", distribution = "lognormal" }
ack = { base = "20ms", jitter = "10ms", distribution = "lognormal" }
market_data = { base = "30ms", jitter = "10ms" }
conflation = "100ms"

[[outages]]
name = "slow-engine"
kind = "slow"
venue = "leading"
start = "2m"
end = "2m30s"
factor = 20

# A trader of your own; write its file with: exchange-sim new strategy my_bot
# [[participants]]
# name = "my-bot"
# class = "my_bot.py:MyBot"
# venue = "leading"
# capital = { USDT = 100000 }
# latency = "home"
# on_fault = "cancel_and_disable"
""")

Name = Annotated[str, typer.Argument(help="Name of the file, without its suffix.")]
Folder = Annotated[Path, typer.Option("--dir", help="Where the files are written.")]


def register(parent: typer.Typer) -> None:
    """Add the commands of this module to the application."""
    parent.add_typer(app, name="new", no_args_is_help=True)


@app.command("strategy")
def new_strategy(name: Name, folder: Folder = Path()) -> None:
    """Write NAME.py with a working market maker, and test_NAME.py with its tests."""
    module = name.removesuffix(".py")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", module) or keyword.iskeyword(module):
        better = re.sub(r"\W+|(?<=[a-z0-9])(?=[A-Z])", "_", module).strip("_").lower() or "my"
        if keyword.iskeyword(better) or not re.match(r"[a-z]", better):
            better = f"{better}_bot" if re.match(r"[a-z]", better) else "my_bot"
        raise UsageError(f"{name!r} is no name for a Python file; try {better!r}")
    words = {"module": module, "cls": "".join(part.title() for part in module.split("_"))}
    words["title"] = words["cls"]
    _write(folder / f"{module}.py", STRATEGY.substitute(words))
    _write(folder / f"test_{module}.py", TEST.substitute(words))
    bot = f"{folder / module}.py:{words['cls']}"
    options = "--venue leading --capital USDT=100000"
    _say(f"run it:   exchange-sim run calm --until 5m --strategy {bot} {options}")
    _say(f"test it:  pytest {folder / f'test_{module}.py'}")


@app.command("scenario")
def new_scenario(name: Name, folder: Folder = Path()) -> None:
    """Write NAME.toml: a small change of a shipped scenario."""
    stem = name.removesuffix(".toml")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", stem):
        raise UsageError(f"{name!r}: a name has letters, digits, '_' and '-' only")
    _write(folder / f"{stem}.toml", SCENARIO.substitute(name=stem, title=stem))
    _say(f"run it:  exchange-sim run {folder / stem}.toml")


def _write(path: Path, text: str) -> None:
    """Write a new file; what exists is never replaced."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already; choose another name or --dir") from None
    except OSError as cause:
        raise StorageError(f"{path}: cannot be written: {cause.strerror}") from cause
    _say(f"wrote {path}")


def _say(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)
