"""What a run did, in two small tables: one row per instrument, and totals of the forced flow.

Everything is computed from the run's tables, never from the emulator's state.

Simplifications: quote assets count as dollars, one for one, so totals in dollars ignore a depeg of
a quote asset; lows are those of trades, spreads and depths those of whole seconds; the first tenth
of the run, in which books fill up, is the baseline and cannot be the worst.  Start and end are mids
of books whose spread is at most ``SPREAD_MAX_PERCENT``: the middle between a bid and a forgotten
order far above it is no price.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.analysis.marks_of_run import SPREAD_MAX_PERCENT
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.eventlog.schema import event_schema
from exchange_sim.messages.events import (
    AdlExecuted,
    BadDebtRecorded,
    InsuranceChanged,
    LiquidationEnded,
    LiquidationStarted,
    LiquidationStep,
    Traded,
)
from exchange_sim.messages.reasons import REDUCTIONS, LiquidationAction, LiquidationOutcome
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.units import PPM, format_utc

_Array = npt.NDArray[Any]

BASELINE_SHARE: Final = 10
"""What is normal is measured in the first tenth of the run, what is worst in the rest."""

_OF_TRADES: Final = ("time_ns", "instrument", "price", "quote_amount")
_OF_BOOKS: Final = ("instrument", "bid", "ask", "mid", "spread", "bid_depth_100bp")

_MARKET_ACTIONS: Final = (
    LiquidationAction.SELL_ASSET,
    LiquidationAction.BUY_LIABILITY,
    *sorted(REDUCTIONS),
)


@attrs.frozen
class InstrumentSummary:
    """One instrument.  Prices are in quote per base; percentages are 0 to 100.

    ``recovery_pct`` is how much of the fall was made good at the end, above 100 when the end is
    above the start; ``depth_lost_pct`` compares
    the thinnest second of the bids within 1 % of the mid with the median of the run's first tenth;
    ``one_sided_s`` counts the later seconds in which a side was empty.
    """

    instrument: int
    symbol: str
    venue: str
    trades: int
    volume_usd: float
    start: float
    low: float
    low_ns: int
    end: float
    drawdown_pct: float
    recovery_pct: float
    worst_spread_bp: float
    depth_lost_pct: float
    one_sided_s: int


@attrs.frozen
class Totals:
    """Forced flow of the whole run, in dollars where the name says so.

    ``liquidated_usd`` was traded through the books, ``adl_usd`` against winners; ``insurance_usd``
    is what the funds paid out, ``insurance_left_usd`` what they held at the end.
    """

    trades: int
    volume_usd: float
    liquidations: int
    liquidated_accounts: int
    liquidated_usd: float
    bankrupt: int
    insurance_usd: float
    insurance_left_usd: float
    adl: int
    adl_usd: float
    bad_debt_usd: float


@attrs.frozen
class RunSummary:
    """Both tables."""

    instruments: tuple[InstrumentSummary, ...]
    totals: Totals

    def asdict(self) -> dict[str, Any]:
        """For ``summary.json``: rounded figures, times as UTC text."""
        rows = [_rounded(attrs.asdict(row)) for row in self.instruments]
        for row in rows:
            low_ns = row.pop("low_ns")
            row["low_time"] = format_utc(low_ns) if low_ns else ""
        return {"instruments": rows, "totals": _rounded(attrs.asdict(self.totals))}


def summarise(run: RunData) -> RunSummary:
    """Summarise a finished run.  Raises ``RunCorrupt`` when a table cannot be read.

    Only the columns that are used are sorted: of 730,000 trades that takes 240 MiB instead of
    450 to 580 beside the run, which is still in memory, and a quarter of the time (0.24 s).
    """
    schema = event_schema(Traded)
    used = pa.schema([schema.field(name) for name in _OF_TRADES])
    trades_read = pa.Table.from_batches(run.batches(Traded, _OF_TRADES), used)
    trades = _by_instrument(trades_read, len(run.instruments))
    books = _by_instrument(run.book.select(_OF_BOOKS), len(run.instruments))
    rows = tuple(
        _instrument_summary(run, at, trades[at], books[at]) for at in range(len(run.instruments))
    )
    return RunSummary(rows, _totals(run, rows))


def _instrument_summary(
    run: RunData, at: int, trades: dict[str, _Array], book: dict[str, _Array]
) -> InstrumentSummary:
    facts = run.instruments[at]
    tick = float(facts["tick_size"])
    prices = trades["price"]
    both = (book["bid"] > 0) & (book["ask"] > 0)
    mids = book["mid"][both & (book["spread"] * 100 <= SPREAD_MAX_PERCENT * book["mid"])]
    start, end = _first(mids, prices), _last(mids, prices)
    low, low_ns = start, 0
    if len(prices):
        lowest = int(prices.argmin())
        if prices[lowest] <= start:
            low, low_ns = float(prices[lowest]), int(trades["time_ns"][lowest])
    fall = start - low
    rest = slice(len(both) // BASELINE_SHARE, None)
    spreads = book["spread"][rest][both[rest]] / book["mid"][rest][both[rest]]
    volume = float(trades["quote_amount"].sum(dtype=np.float64))
    return InstrumentSummary(
        instrument=at,
        symbol=facts["symbol"],
        venue=facts["venue_name"],
        trades=len(prices),
        volume_usd=volume / _scale(run, facts["quote_asset"]),
        start=start * tick,
        low=low * tick,
        low_ns=low_ns,
        end=end * tick,
        drawdown_pct=100.0 * fall / start if start else 0.0,
        recovery_pct=100.0 * (end - low) / fall if fall else 100.0,
        worst_spread_bp=float(spreads.max(initial=0.0)) * 10_000,
        depth_lost_pct=_depth_lost_pct(book["bid_depth_100bp"]),
        one_sided_s=int((~both[rest]).sum()),
    )


def _first(mids: _Array, prices: _Array) -> float:
    """The opening price in ticks: the first narrow mid, else the first trade, else 0."""
    return float(mids[0] if len(mids) else prices[0] if len(prices) else 0.0)


def _last(mids: _Array, prices: _Array) -> float:
    return float(mids[-1] if len(mids) else prices[-1] if len(prices) else 0.0)


def _depth_lost_pct(depths: _Array) -> float:
    first = max(1, len(depths) // BASELINE_SHARE)
    if len(depths) <= first:
        return 0.0
    before = float(np.median(depths[:first]))
    return 100.0 * (1.0 - float(depths[first:].min()) / before) if before else 0.0


def _totals(run: RunData, rows: tuple[InstrumentSummary, ...]) -> Totals:
    started = run.table(LiquidationStarted)
    ended = _columns(run.table(LiquidationEnded))
    steps = _columns(run.table(LiquidationStep))
    quotes = [row["quote_asset"] for row in run.instruments]
    # Cancelled orders are steps without an instrument; their value is zero.
    assets = np.array([*quotes, quotes[0] if quotes else 0])[steps["instrument"]]
    values = steps["value"] / _scales(run)[assets]
    insurance = _columns(run.table(InsuranceChanged))
    changes = insurance["change"] / _scales(run)[insurance["asset"]]
    left = {
        (venue, asset): balance / _scale(run, asset)
        for venue, asset, balance in zip(
            insurance["venue"].tolist(),
            insurance["asset"].tolist(),
            insurance["balance"].tolist(),
            strict=True,
        )
    }
    debts = _columns(run.table(BadDebtRecorded))
    return Totals(
        trades=sum(row.trades for row in rows),
        volume_usd=sum(row.volume_usd for row in rows),
        liquidations=started.num_rows,
        liquidated_accounts=len(np.unique(started.column("account").to_numpy())),
        liquidated_usd=float(values[np.isin(steps["action"], _MARKET_ACTIONS)].sum()),
        bankrupt=int((ended["outcome"] == LiquidationOutcome.BANKRUPT).sum()),
        insurance_usd=float(0.0 - changes[changes < 0].sum()),
        insurance_left_usd=sum(left.values()),
        adl=run.table(AdlExecuted).num_rows,
        adl_usd=_adl_usd(run),
        bad_debt_usd=float((debts["amount"] / _scales(run)[debts["asset"]]).sum()),
    )


def _adl_usd(run: RunData) -> float:
    """Value of what was closed by ADL, at the ADL prices (micro-ticks)."""
    closed = _columns(run.table(AdlExecuted))
    inverse = [row["kind"] == InstrumentKind.INVERSE_PERPETUAL for row in run.instruments]
    lots = np.array([float(row["lot_size"]) for row in run.instruments] or [0])
    sizes = np.array([float(row["tick_size"]) for row in run.instruments] or [0])
    at = closed["instrument"]
    prices = closed["price"].astype(np.float64) / PPM * sizes[at]
    # A contract of a coin is worth its lot at any price.
    prices = np.where(np.array(inverse or [False])[at], 1.0, prices)
    return float((prices * closed["qty"] * lots[at]).sum())


def _scales(run: RunData) -> _Array:
    """Smallest units per whole asset, by asset."""
    return np.array([10.0 ** row["decimals"] for row in run.assets] or [1.0])


def _scale(run: RunData, asset: int) -> float:
    return float(10.0 ** run.assets[asset]["decimals"])


def _columns(table: pa.Table) -> dict[str, _Array]:
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _by_instrument(table: pa.Table, count: int) -> list[dict[str, _Array]]:
    """The columns of a table, split by instrument; the order of rows is kept."""
    columns = _columns(table)
    order = np.argsort(columns["instrument"], kind="stable")
    cuts = np.searchsorted(columns["instrument"][order], np.arange(1, count))
    parts = {name: np.split(values[order], cuts) for name, values in columns.items()}
    return [{name: part[at] for name, part in parts.items()} for at in range(count)]


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Figures for people: ten significant digits hide nothing and survive a JSON reader."""
    return {
        key: float(f"{value:.10g}") if isinstance(value, float) else value
        for key, value in row.items()
    }
