"""The tear sheet of a strategy: what it gained and from what, how it quoted, how it fared.

``tear_sheet(run, name)`` computes it from the tables of a finished run; ``sections`` turns it into
titled tables of text, which the terminal and the report show alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.pnl import PARTS, Profit, profit_of, rows_of
from exchange_sim.analysis.quoting import OrderFigures, QuoteFigures, Quoting, quoting_of
from exchange_sim.analysis.tear_sheet_text import (
    margin_section,
    market_section,
    order_section,
    overview_section,
    part_section,
    reference_section,
    withdrawal_section,
)
from exchange_sim.errors import UsageError
from exchange_sim.messages.events import (
    AdlExecuted,
    LiquidationEnded,
    LiquidationStarted,
    MarginBandChanged,
    Noted,
    PositionTakenOver,
    Traded,
)
from exchange_sim.messages.gateway import ValueRecorded
from exchange_sim.messages.reasons import (
    LiquidationOutcome,
    MarginBand,
    NoteKind,
    WithdrawalCause,
)
from exchange_sim.units import PPM, format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

REFERENCES_MAX: Final = 5
"""Makers that a strategy is compared with, those with the largest volume."""
MAKER_SHARE: Final = 0.5
"""Who trades at least this share of its volume as a maker is one."""
SAFE: Final = 1_000_000 * PPM
"""A uniMMR from here on says that nothing is at risk."""
POINTS_MAX: Final = 1_000
"""Points of a curve in the JSON form."""

Section = tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Title, columns, rows; everything is text."""


@attrs.frozen
class Drawdown:
    """The deepest fall of the value below its highest point so far, in dollars and of capital."""

    amount: float
    pct: float
    from_ns: int
    to_ns: int


@attrs.frozen
class MarginStep:
    """A change on the way of the margin: a band, or a liquidation that started or ended."""

    time_ns: int
    what: str
    uni_mmr: float | None
    equity: float
    maintenance: float


@attrs.frozen
class MarginPath:
    """Margin of the accounts: lowest uniMMR at a change of band, most leverage, what happened.

    ``leverage_max`` is gross value of all that is not money over equity, second by second.
    """

    worst_uni_mmr: float | None
    leverage_max: float
    steps: tuple[MarginStep, ...]
    liquidations: int
    adl: int
    taken_over: int
    survived: bool


@attrs.frozen
class Reference:
    """One line of the comparison with others of the run."""

    name: str
    profit: float
    pct: float
    spread: float
    inventory: float
    drawdown_pct: float
    both_pct: float
    fall_both_pct: float
    liquidations: int


@attrs.frozen(eq=False)
class TearSheet:
    """Everything about one strategy in one run; money in dollars (numeraire units).

    ``parts`` add up to ``profit`` exactly (see ``pnl``); ``series`` are recorded values by name as
    (time, value) pairs; ``notes`` what it remarked about its quotes.
    """

    strategy: str
    run: str
    start_ns: int
    end_ns: int
    capital: float
    equity: float
    profit: float
    parts: dict[str, float]
    unexplained: float
    drawdown: Drawdown
    margin: MarginPath
    orders: OrderFigures
    markets: tuple[QuoteFigures, ...]
    notes: tuple[tuple[int, str, str, float], ...]
    series: dict[str, tuple[tuple[int, float], ...]]
    references: tuple[Reference, ...]
    exact: Profit
    quoting: Quoting

    def asdict(self) -> dict[str, Any]:
        """For JSON: plain values, times as UTC text, curves of at most ``POINTS_MAX`` points."""
        own = {
            field.name: getattr(self, field.name)
            for field in attrs.fields(type(self))
            if field.name not in {"exact", "quoting"}
        }
        plain: dict[str, Any] = _plain(own)
        times, every = self.exact.times, -(-len(self.exact.times) // POINTS_MAX)
        plain["curve"] = [
            [format_utc(int(t), 0), round(float(v), 6), round(float(b), 2), round(float(a), 2)]
            for t, v, b, a in zip(
                times[::every],
                self.exact.curve[::every],
                self.quoting.bid_depth[::every],
                self.quoting.ask_depth[::every],
                strict=False,
            )
        ]
        return plain

    def _repr_html_(self) -> str:
        from exchange_sim.analysis.notebook import sheet_html

        return sheet_html(self)


def strategies_of(run: RunData) -> dict[str, list[int]]:
    """Account ids by the name of their owner, for all that were not drawn by the thousand."""
    owners: dict[str, list[int]] = {}
    for row in run.accounts:
        if row["notable"]:
            owners.setdefault(row["owner"], []).append(row["account"])
    return owners


def tear_sheet(run: RunData, name: str, *, compare: bool = True) -> TearSheet:
    """The tear sheet of the strategy called ``name``.

    ``compare`` adds the makers of the run.  Raises ``UsageError`` when there is no such strategy,
    ``RunCorrupt`` when the run cannot be read.
    """
    owners = strategies_of(run)
    if name not in owners:
        near = get_close_matches(name, owners, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(list(owners)[:12])}"
        raise UsageError(f"there is no strategy {name!r} in {run.path}; {hint}")
    marks = Marks(run)
    found = _sheet(run, name, owners[name], marks)
    if compare:
        found = attrs.evolve(found, references=_references(run, name, owners, marks))
    return found


def _sheet(run: RunData, name: str, accounts: list[int], marks: Marks) -> TearSheet:
    exact = profit_of(run, accounts, marks)
    quoting = quoting_of(run, accounts, marks)
    return TearSheet(
        strategy=name,
        run=run.path.name,
        start_ns=run.manifest.start_ns,
        end_ns=run.manifest.end_ns,
        capital=float(exact.flows),
        equity=float(exact.equity),
        profit=float(exact.total),
        parts={part: float(exact.parts[part]) for part in PARTS},
        unexplained=float(exact.unexplained),
        drawdown=_drawdown(exact),
        margin=_margin(run, accounts, exact),
        orders=quoting.orders,
        markets=quoting.markets,
        notes=_notes(run, accounts),
        series=_series(run, accounts),
        references=(),
        exact=exact,
        quoting=quoting,
    )


def _drawdown(exact: Profit) -> Drawdown:
    curve = exact.curve
    if not len(curve):
        return Drawdown(0.0, 0.0, 0, 0)
    falls = np.maximum.accumulate(np.maximum(curve, 0.0)) - curve
    low = int(np.argmax(falls))
    high = int(np.argmax(curve[: low + 1]))
    capital = float(exact.capital[low])
    amount = float(falls[low])
    pct = 100.0 * amount / capital if capital > 0 else 0.0
    return Drawdown(amount, pct, int(exact.times[high]), int(exact.times[low]))


def _margin(run: RunData, accounts: list[int], exact: Profit) -> MarginPath:
    steps = [
        *_steps(run, accounts, MarginBandChanged, "band"),
        *_steps(run, accounts, LiquidationStarted, "liquidation started"),
        *_steps(run, accounts, LiquidationEnded, "liquidation ended"),
    ]
    steps.sort(key=lambda step: step.time_ns)
    ratios = [step.uni_mmr for step in steps if step.uni_mmr is not None]
    equity = exact.curve + exact.capital
    safe = np.where(equity > 0, equity, np.nan)
    leverage = exact.exposure / safe
    known = leverage[~np.isnan(leverage)]
    liquidated = rows_of(run.table(LiquidationStarted), ("account",), accounts).num_rows
    taken = rows_of(run.table(PositionTakenOver), ("account",), accounts).num_rows
    return MarginPath(
        worst_uni_mmr=min(ratios) if ratios else None,
        leverage_max=float(known.max()) if len(known) else 0.0,
        steps=tuple(steps),
        liquidations=liquidated,
        adl=rows_of(run.table(AdlExecuted), ("victim_account",), accounts).num_rows,
        taken_over=taken,
        survived=not liquidated and float(exact.equity) > 0.0,
    )


def _steps(run: RunData, accounts: list[int], kind: Any, what: str) -> list[MarginStep]:
    found = []
    for row in rows_of(run.table(kind), ("account",), accounts).to_pylist():
        asset = run.facts.asset_of(row["account"], "account")
        scale = float(run.facts.scale[asset])
        text = what
        if "band" in row:
            text = f"band {_word(MarginBand, row['band'])}"
        elif "outcome" in row:
            text = f"{what}: {_word(LiquidationOutcome, row['outcome'])}"
        ratio = row["uni_mmr_ppm"] / PPM if row.get("uni_mmr_ppm", SAFE) < SAFE else None
        found.append(
            MarginStep(
                row["time_ns"], text, ratio, row["equity"] / scale, row["maintenance"] / scale
            )
        )
    return found


def _word(words: type[Any], value: int) -> str:
    return str(words(value).name).lower().replace("_", " ")


def _notes(run: RunData, accounts: list[int]) -> tuple[tuple[int, str, str, float], ...]:
    """(time, what, cause, remaining scale) of each change of its quotes."""
    quotes = (NoteKind.QUOTES_WITHDRAWN, NoteKind.QUOTES_REDUCED, NoteKind.QUOTES_RESTORED)
    return tuple(
        (
            row["time_ns"],
            _word(NoteKind, row["kind"]),
            _word(WithdrawalCause, row["a"]),
            row["b"] / PPM,
        )
        for row in rows_of(run.table(Noted), ("account",), accounts).to_pylist()
        if row["kind"] in quotes
    )


def _series(run: RunData, accounts: list[int]) -> dict[str, tuple[tuple[int, float], ...]]:
    names = {row["series"]: row["name"] for row in run.series}
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows_of(run.table(ValueRecorded), ("account",), accounts).to_pylist():
        pair = row["time_ns"], row["value_millionths"] / PPM
        found.setdefault(names[row["series"]], []).append(pair)
    return {name: tuple(pairs) for name, pairs in found.items()}


def _references(
    run: RunData, name: str, owners: dict[str, list[int]], marks: Marks
) -> tuple[Reference, ...]:
    rows: list[Reference] = []
    for other in _makers(run, owners):
        if other != name and len(rows) < REFERENCES_MAX:
            rows.append(_reference(_sheet(run, other, owners[other], marks)))
    return tuple(rows)


def _makers(run: RunData, owners: dict[str, list[int]]) -> list[str]:
    """Names of those who trade mostly as makers, largest maker volume first."""
    trades = run.table(Traded)
    quote = run.facts.quote[trades.column("instrument").to_numpy()]
    value = trades.column("quote_amount").to_numpy() / run.facts.scale[quote]
    count = len(run.accounts)
    by_role = [
        np.bincount(trades.column(f"{role}_account").to_numpy(), value, count)
        for role in ("maker", "taker")
    ]
    volumes = []
    for name, accounts in owners.items():
        maker, taker = (float(volume[accounts].sum()) for volume in by_role)
        if maker and maker >= MAKER_SHARE * (maker + taker):
            volumes.append((-maker, name))
    return [name for _, name in sorted(volumes)]


def _reference(sheet: TearSheet) -> Reference:
    markets = sheet.markets

    def mean(figure: str) -> float:
        found = [float(getattr(market, figure)) for market in markets]
        return sum(found) / len(found) if found else 0.0

    return Reference(
        name=sheet.strategy,
        profit=sheet.profit,
        pct=100.0 * sheet.profit / sheet.capital if sheet.capital > 0 else 0.0,
        spread=sheet.parts["spread"],
        inventory=sheet.parts["inventory"],
        drawdown_pct=sheet.drawdown.pct,
        both_pct=mean("both_pct"),
        fall_both_pct=mean("fall_both_pct"),
        liquidations=sheet.margin.liquidations,
    )


def _plain(value: Any) -> Any:
    """Attrs objects, tuples and times as JSON takes them."""
    if attrs.has(type(value)):
        return {f.name: _timed(f.name, getattr(value, f.name)) for f in attrs.fields(type(value))}
    if isinstance(value, dict):
        return {str(key): _timed(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return float(f"{value:.10g}") if isinstance(value, float) else value


def _timed(name: str, value: Any) -> Any:
    if name.endswith("_ns") and isinstance(value, int):
        return format_utc(value) if value else ""
    return _plain(value)


def sections(sheet: TearSheet, others: Sequence[Section] = ()) -> list[Section]:
    """The tear sheet as titled tables of text; ``others`` are appended (see ``impact``)."""
    found = [
        overview_section(sheet),
        part_section(sheet),
        order_section(sheet),
        market_section(sheet),
        margin_section(sheet),
        withdrawal_section(sheet),
        reference_section(sheet, _reference(sheet)),
        *others,
    ]
    return [section for section in found if section[2]]
