"""From a recorded file to a scenario that plays it: ``exchange-sim import FILE``."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
import numpy as np
import pyarrow.compute as pc

from exchange_sim.errors import ScenarioError, UsageError
from exchange_sim.recorded.formats import BOOKS, COLUMNS, FORMATS, format_of, header_of, read_rows
from exchange_sim.recorded.reading import batches
from exchange_sim.recorded.rows import Findings, Grid
from exchange_sim.units import NANOS_PER_S, format_utc

PRICES: Final = ("price", "best_bid_price")
QUANTITIES: Final = ("amount", "qty", "quantity", "size", "best_bid_qty")
LOBSTER_PRICE: Final = Decimal(10_000)
STRATEGY_OPTIONS: Final = "--strategy my_bot.py:MyBot --venue recorded --capital USDT=1000000"
CAPITAL_TURNS: Final = 4
"""The accounts of a tape get this many times what is traded in the file."""


LEAD_NS: Final = 10 * NANOS_PER_S
"""How long before the first row a run begins, so that participants have quoted by then."""
MAKER_TURNS: Final = 100
"""The maker that stands against a file of trades has this many times as much, if that fits."""
MAKER_USDT_MAX: Final = Decimal(10**12)
"""A venue takes no deposit worth twice as much: with 6 decimals it would be near 64 bits."""


@attrs.frozen
class Imported:
    """What a file holds, and the scenario that plays it.

    ``rows`` counts what is played: a row of a touch is two, one a side, and a snapshot one more.
    """

    scenario: str
    findings: Findings
    rows: int
    start_ns: int
    end_ns: int


def import_file(path: Path, form: str = "", symbol: str = "") -> Imported:
    """Look through a file and write a scenario for it.

    Tick and lot are the finest steps that occur.  Raises ``UsageError`` when there is no such file
    or its format is not known, and ``ScenarioError`` for a file that is none of it.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    form = form or format_of(path)
    if form not in FORMATS:
        raise UsageError(f"{path.name} tells no format: give --format, one of {', '.join(FORMATS)}")
    name = symbol or _symbol(path)
    scale = LOBSTER_PRICE if form == "lobster" else Decimal(1)
    tick, lot = _steps(path, form)
    findings = Findings(str(path))
    count, first, last, prices, most = 0, 0, 0, [], 0
    for rows in read_rows(path, form, Grid(float(tick), float(lot)), findings):
        first = first or int(rows.time_ns[0])
        last = int(rows.time_ns[-1])
        count += len(rows)
        priced = rows.price[rows.price > 0]
        if len(priced):
            prices.append(int(np.median(priced)))
            most = max(most, int(rows.qty.max()))
    if not count or not prices:
        raise ScenarioError(f"{path}: has no usable row", tuple(findings.problems))
    text = _scenario(
        path,
        form,
        name,
        tick / scale,
        lot,
        scale,
        int(np.median(prices)),
        most * count,
        first,
        last,
    )
    return Imported(text, findings, count, first, last)


def _symbol(path: Path) -> str:
    """The instrument that the file's name tells; ``RECORDED`` when it tells none."""
    found = re.findall(r"[A-Z0-9]{5,}", path.name)
    return max(found, key=len) if found else "RECORDED"


def _steps(path: Path, form: str) -> tuple[Decimal, Decimal]:
    """The finest steps of prices and quantities, from the decimals that are written."""
    places = [0, 0]
    for batch in batches(path, COLUMNS[form], header_of(form)):
        for at, names in enumerate((PRICES, QUANTITIES)):
            name = next(name for name in names if name in batch.columns)
            trimmed = pc.utf8_rtrim(batch.columns[name], "0")
            has_point = pc.match_substring(trimmed, ".")
            after = pc.subtract(pc.utf8_length(trimmed), pc.add(pc.find_substring(trimmed, "."), 1))
            most = pc.max(pc.if_else(has_point, after, 0)).as_py() or 0
            places[at] = max(places[at], min(12, int(most)))
    return Decimal(1).scaleb(-places[0]), Decimal(1).scaleb(-places[1])


def _scenario(
    path: Path,
    form: str,
    symbol: str,
    tick: Decimal,
    lot: Decimal,
    scale: Decimal,
    price_ticks: int,
    lots: int,
    first: int,
    last: int,
) -> str:
    """The text of the scenario."""
    start = first // NANOS_PER_S * NANOS_PER_S - LEAD_NS
    seconds = (last - start) // NANOS_PER_S + 1
    base = symbol.removesuffix("USDT") or symbol
    price = price_ticks * tick
    coins = min(Decimal(10) ** 9, CAPITAL_TURNS * lots * lot + 1)
    money = min(Decimal(10) ** 12, coins * price)
    coins = min(coins, Decimal(10) ** 12 / price)
    lines = [
        f"# {path.name} as exogenous flow.  Add a strategy, and see what it would have met:",
        f"# exchange-sim run THIS_FILE {STRATEGY_OPTIONS}",
        "",
        "[scenario]",
        f'name = "{re.sub(r"[^A-Za-z0-9_-]", "_", path.name.split(".")[0])}"',
        f'description = "Recorded market data: {path.name}"',
        f"start = {format_utc(start, 0)}",
        f'duration = "{seconds}s"',
        "seed = 1",
        f'exogenous = ["every row of {path.name}"]',
        "",
        '[assets.USDT]\ndecimals = 6\nkind = "quote"\ncollateral = 1',
        "",
        f'[assets.{base}]\ndecimals = 8\nkind = "major"',
        "",
        '[venues.recorded]\nprofile = "binance"\nnumeraire = "USDT"',
        "fees = [{ maker = 0.0002, taker = 0.0005 }]",
        "",
        "[[instruments]]",
        f'symbol = "{symbol}"\nvenue = "recorded"\nkind = "SPOT"',
        f'base = "{base}"\nquote = "USDT"',
        f"tick_size = {tick:f}\nlot_size = {lot:f}\nprice = {price:f}",
        f"depth_usd = {max(1, round(price * lot * 1000))}",
        "",
        "[[recorded]]",
        f'name = "tape"\nfile = "{path.resolve()}"\nformat = "{form}"',
        f'instrument = "recorded:{symbol}"',
        f'trades = "{"limit" if form in BOOKS else "market"}"',
        *([f"price_scale = {scale:f}"] if scale != 1 else []),
        f"capital = {{ USDT = {money:.0f}, {base} = {coins:.0f} }}",
    ]
    if form not in BOOKS:
        lines += ["", *_maker(symbol, base, price, money, coins)]
    return "\n".join(lines) + "\n"


def _maker(symbol: str, base: str, price: Decimal, money: Decimal, coins: Decimal) -> list[str]:
    """Trades alone need somebody to trade with."""
    money = min(MAKER_TURNS * money, MAKER_USDT_MAX)
    coins = min(MAKER_TURNS * coins, MAKER_USDT_MAX / price)
    return [
        "# The file tells trades only: a ladder stands on the other side of them.",
        "[[participants]]",
        'name = "maker"',
        'class = "strategies.ladder:LadderMaker"',
        'venue = "recorded"',
        f"capital = {{ USDT = {money:.0f}, {base} = {coins:.0f} }}",
        "",
        "[participants.params]",
        f'pairs = [{{ symbol = "recorded:{symbol}", share = 0.5, half_spread_bp = 2 }}]',
    ]
