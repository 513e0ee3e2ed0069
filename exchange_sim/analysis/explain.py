"""Why was I liquidated?  A chain of causes with numbers, from the first mark to the last unit.

For each liquidation of an account: what it had, which prices and which of its own doings cost it
how much (the shares add up to the whole loss), which bands it crossed, who was selling (or buying,
against a short) when the last straw broke, what the engine did at which price against the mark, and
who paid in the end.

Simplifications: the pushers of the last minute are those in the books that feed the mark of the
largest loss; a minute is a convention.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.account_state import MarginPoint, margin_points, rows_of
from exchange_sim.analysis.timeline import figure
from exchange_sim.errors import JournalCorrupt
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import LiquidationAction, LiquidationOutcome, MarginBand
from exchange_sim.model.enums import BUY, FLAG_FORCED, FLAG_LIQUIDATION, SELL, InstrumentKind
from exchange_sim.units import NANOS_PER_MINUTE, PPM, format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

FORCED_FLAGS: Final = FLAG_LIQUIDATION | FLAG_FORCED
_CAUSES_SHOWN: Final = 8
_STEPS_SHOWN: Final = 10
Row = dict[str, Any]


@attrs.frozen
class Pusher:
    """A population that moved the price as aggressor: in quote, and how much of it was forced."""

    population: str
    value: float
    forced: float


@attrs.frozen
class LiquidationChain:
    """One liquidation with everything that led to it; money in whole numeraire units.

    ``first`` is the margin at the run's first mark update, ``last`` at the one that started the
    liquidation.  ``causes`` are ``(name, change of equity)``, the worst first; they add up to
    ``last - first``.  ``pushers`` moved the books ``pushed_in`` in the minute before, by buying if
    ``bought`` (a short was liquidated).  ``steps`` are
    ``(time_ns, action, instrument, quantity, price, mark)``.
    """

    account: int
    owner: str
    numeraire: str
    first_ns: int
    start_ns: int
    seq: int
    first_equity: float
    equity: float
    maintenance: float
    uni_mmr: float
    lowest_uni_mmr: float
    causes: tuple[tuple[str, float], ...]
    bands: tuple[tuple[int, str, float], ...]
    notices: tuple[tuple[int, str], ...]
    pushers: tuple[Pusher, ...]
    pushed_in: tuple[str, ...]
    bought: bool
    steps: tuple[tuple[int, str, str, float, float, float], ...]
    end_ns: int
    outcome: str
    insurance: float
    bad_debt: float
    adl: tuple[tuple[str, float], ...]

    @property
    def forced_share(self) -> float:
        """Share of the last minute's pushing that was forced, 0 to 1."""
        total = sum(pusher.value for pusher in self.pushers)
        return sum(pusher.forced for pusher in self.pushers) / total if total else 0.0

    def lines(self) -> list[str]:
        """The chain for a terminal, one cause a line."""
        unit = self.numeraire
        found = [
            f"{self.owner} (account {self.account})",
            f"{_clock(self.first_ns)}  equity {figure(self.first_equity)} {unit}",
        ]
        shown, rest = self.causes[:_CAUSES_SHOWN], self.causes[_CAUSES_SHOWN:]
        found += [f"    {figure(change):>18} {unit}  {name}" for name, change in shown]
        if rest:
            total = sum(change for _, change in rest)
            found.append(f"    {figure(total):>18} {unit}  {len(rest)} smaller causes")
        found += [f"{_clock(at)}  {text}" for at, text in self.notices]
        found += [
            f"{_clock(at)}  margin band {band}, uniMMR {ratio:.3f}"
            for at, band, ratio in self.bands
        ]
        if self.pushers:
            sold = figure(round(sum(pusher.value for pusher in self.pushers)))
            since = _clock(self.start_ns - NANOS_PER_MINUTE)
            parts = ", ".join(f"{s.population} {figure(round(s.value))}" for s in self.pushers[:4])
            found.append(
                f"{since}  in the minute before, {sold} {unit} were"
                f" {'bought from' if self.bought else 'sold into'} {' and '.join(self.pushed_in)}, "
                f"{100 * self.forced_share:.0f} % of it forced: {parts}"
            )
        found.append(
            f"{_clock(self.start_ns)}  liquidation started by command {self.seq:,}: equity"
            f" {figure(self.equity)}, maintenance {figure(self.maintenance)},"
            f" uniMMR {self.uni_mmr:.3f}"
        )
        found += self._ending(unit)
        return found

    def _ending(self, unit: str) -> list[str]:
        found = []
        for at, action, what, qty, price, mark in self.steps[:_STEPS_SHOWN]:
            against = f", {100 * (price / mark - 1):+.2f} % against the mark" if mark else ""
            text = f"{figure(qty)} {what} at {figure(price)}{against}" if what else ""
            found.append(f"{_clock(at)}  {action} {text}".rstrip())
        if len(self.steps) > _STEPS_SHOWN:
            found.append(f"              and {len(self.steps) - _STEPS_SHOWN} more steps")
        if not self.outcome:
            return [*found, "              still under liquidation when the run ended"]
        found.append(f"{_clock(self.end_ns)}  ended: {self.outcome}")
        if self.insurance:
            found.append(f"    {figure(self.insurance):>18} {unit}  paid by the insurance fund")
        found += [
            f"    {figure(qty):>18}       closed against {victim}" for victim, qty in self.adl[:4]
        ]
        if self.bad_debt:
            found.append(f"    {figure(self.bad_debt):>18} {unit}  bad debt, paid by nobody")
        return found


def _clock(time_ns: int) -> str:
    return format_utc(time_ns, 3)[11:]


def liquidation_chains(run: RunData, account: int) -> list[LiquidationChain]:
    """Every liquidation of an account, explained.  Raises as ``margin_points``."""
    starts = rows_of(run, e.LiquidationStarted, ("account",), account)
    if not starts:
        return []
    points = list(margin_points(run, account))
    ends = rows_of(run, e.LiquidationEnded, ("account",), account)
    tables = {
        kind: rows_of(run, kind, columns, account)
        for kind, columns in (
            (e.LiquidationStep, ("account",)),
            (e.MarginBandChanged, ("account",)),
            (e.Noted, ("account",)),
            (e.BadDebtRecorded, ("account",)),
            (e.AdlExecuted, ("bankrupt_account",)),
        )
    }
    found = []
    after = 0
    for start in starts:
        end = next((row for row in ends if row["seq"] >= start["seq"]), None)
        found.append(_chain(run, account, start, end, points, tables, after))
        after = end["seq"] if end else start["seq"]
    return found


def _chain(
    run: RunData,
    account: int,
    start: Row,
    end: Row | None,
    points: list[MarginPoint],
    tables: dict[type[Any], list[Row]],
    after: int,
) -> LiquidationChain:
    """``after`` is the command that ended the liquidation before this one."""
    venue = run.accounts[account]["venue"]
    asset = int(run.facts.numeraires[venue])
    scale = float(run.facts.scale[asset])
    until = end["seq"] if end else run.manifest.commands
    lead = [point for point in points if point.seq <= start["seq"]]
    lead = lead[max(0, sum(point.seq <= after for point in lead) - 1) :]
    causes = _summed(run, lead[1:], scale)
    inside = {
        kind: [row for row in rows if start["seq"] <= row["seq"] <= until]
        for kind, rows in tables.items()
    }
    before = [row for row in tables[e.MarginBandChanged] if after < row["seq"] <= start["seq"]]
    side = _side(run, account, start["seq"], until)
    pushed_in, pushers = _pushers(run, start, side)
    names = run.facts.names["account"]
    return LiquidationChain(
        account=account,
        owner=run.accounts[account]["owner"],
        numeraire=run.assets[asset]["symbol"],
        first_ns=lead[0].time_ns,
        start_ns=start["time_ns"],
        seq=start["seq"],
        first_equity=lead[0].equity / scale,
        equity=start["equity"] / scale,
        maintenance=start["maintenance"] / scale,
        uni_mmr=start["uni_mmr_ppm"] / PPM,
        lowest_uni_mmr=min(point.uni_mmr for point in lead),
        causes=tuple(sorted(causes.items(), key=lambda pair: pair[1])),
        bands=tuple(
            (row["time_ns"], MarginBand(row["band"]).name.lower().replace("_", " "),
             row["uni_mmr_ppm"] / PPM)
            for row in before
        ),
        notices=_notices(run, account, start),
        pushers=pushers,
        pushed_in=pushed_in,
        bought=side == BUY,
        steps=tuple(_step(run, row) for row in inside[e.LiquidationStep]),
        end_ns=end["time_ns"] if end else 0,
        outcome=_outcome(end),
        insurance=_insurance(run, venue, end, scale),
        bad_debt=sum(row["amount"] for row in inside[e.BadDebtRecorded]) / scale,
        adl=tuple(
            (str(names[row["victim_account"]]),
             float(run.facts.quantities(row["qty"], row["instrument"])))
            for row in inside[e.AdlExecuted]
        ),
    )  # fmt: skip


def _summed(run: RunData, points: Iterable[MarginPoint], scale: float) -> dict[str, float]:
    """Changes of equity by cause, in words."""
    total: dict[tuple[str, int | str], int] = {}
    for point in points:
        for cause, change in point.causes.items():
            total[cause] = total.get(cause, 0) + change
    names = run.facts.names
    words: dict[str, Callable[[Any], str]] = {
        "mark": lambda key: f"mark price of {names['instrument'][key]}",
        "price": lambda key: f"price of {names['asset'][key]} as collateral",
        "own": str,
    }
    return {words[kind](key): change / scale for (kind, key), change in total.items() if change}


def _notices(run: RunData, account: int, start: Row) -> tuple[tuple[int, str], ...]:
    """Loan notices and remarks of the owner up to the start, as the log words them."""
    from exchange_sim.analysis.timeline import account_timeline

    kinds = ("noted", "loan_notice", "margin_call")
    found = [
        (entry.time_ns, entry.text)
        for entry in account_timeline(run, account)
        if entry.kind.startswith(kinds) and entry.seq <= start["seq"]
    ]
    return tuple(found[-_CAUSES_SHOWN:])


def feeding_books(run: RunData, instrument: int, asset: int, venue: int) -> list[int]:
    """The books whose trades move a mark or a collateral price: itself and its index sources."""
    if instrument >= 0:
        return [instrument, *_index_sources(run, instrument)]
    return [
        row["instrument"]
        for row in run.instruments
        if row["kind"] == InstrumentKind.SPOT
        and (row["venue"], row["base_asset"]) == (venue, asset)
    ]


def _index_sources(run: RunData, instrument: int) -> list[int]:
    """Books behind the index of a perpetual; a partially opened run may not know them."""
    try:
        sources = run.world_config.instruments[instrument].index_sources
    except JournalCorrupt as damage:
        loss = f"{run.journal_path}: {damage}; index sources are unknown"
        if not run.partial:
            raise
        if loss not in run.losses:
            run.losses.append(loss)
        return []
    return [source for source, _ in sources]


def _side(run: RunData, account: int, first: int, last: int) -> int:
    """The side on which a liquidation traded first; selling when it never traded."""
    rows = rows_of(run, e.OrderAccepted, ("account",), account)
    sides = [r["side"] for r in rows if first <= r["seq"] <= last and r["flags"] & FLAG_LIQUIDATION]
    return int(sides[0]) if sides else SELL


def _pushers(run: RunData, start: Row, side: int) -> tuple[tuple[str, ...], tuple[Pusher, ...]]:
    """Who was aggressor on this side in the books of the largest loss in the minute before."""
    venue = run.accounts[start["account"]]["venue"]
    books = feeding_books(run, start["cause_instrument"], start["cause_asset"], venue)
    table = run.table(e.Traded)
    time_ns = table.column("time_ns").to_numpy()
    first, last = np.searchsorted(
        time_ns, [start["time_ns"] - NANOS_PER_MINUTE, start["time_ns"]], side="right"
    )
    part = table.slice(first, last - first)
    col = {name: part.column(name).to_numpy() for name in _PUSHER_COLUMNS}
    chosen = (col["aggressor"] == side) & np.isin(col["instrument"], books)
    quote = run.facts.quote[col["instrument"][chosen]]
    value = run.facts.amounts(col["quote_amount"][chosen], quote)
    forced = np.where(col["taker_flags"][chosen] & FORCED_FLAGS, value, 0.0)
    groups: dict[str, list[float]] = {}
    for owner, amount, pressed in zip(
        col["taker_account"][chosen].tolist(), value.tolist(), forced.tolist(), strict=True
    ):
        sums = groups.setdefault(run.accounts[owner]["population"], [0.0, 0.0])
        sums[0] += amount
        sums[1] += pressed
    ranked = sorted(groups.items(), key=lambda pair: -pair[1][0])
    names = tuple(run.instruments[book]["symbol"] for book in books)
    return names, tuple(Pusher(group, *sums) for group, sums in ranked)


_PUSHER_COLUMNS: Final = (
    "instrument", "aggressor", "quote_amount", "taker_flags", "taker_account",
)  # fmt: skip


def _step(run: RunData, row: Row) -> tuple[int, str, str, float, float, float]:
    action = LiquidationAction(row["action"]).name.lower().replace("_", " ")
    instrument = row["instrument"]
    if instrument < 0 or not row["qty"]:
        return row["time_ns"], action, "", 0.0, 0.0, 0.0
    facts = run.facts
    qty = float(facts.quantities(row["qty"], instrument))
    value = float(facts.amounts(row["value"], facts.quote[instrument]))
    mark = _mark_before(run, instrument, row["seq"])
    name = run.instruments[instrument]["symbol"]
    return row["time_ns"], action, name, qty, value / qty, mark


def _mark_before(run: RunData, instrument: int, seq: int) -> float:
    """The mark price that was valid when a command began; 0 for spot and before the first."""
    table = run.table(e.MarkPriceUpdated)
    seqs, owners = (table.column(name).to_numpy() for name in ("seq", "instrument"))
    end = int(np.searchsorted(seqs, seq))
    found = np.flatnonzero(owners[:end] == instrument)
    if not len(found):
        return 0.0
    mark = table.column("mark")[int(found[-1])].as_py()
    return float(run.facts.prices(mark, instrument)) / PPM


def _outcome(end: Row | None) -> str:
    return LiquidationOutcome(end["outcome"]).name.lower().replace("_", " ") if end else ""


def _insurance(run: RunData, venue: int, end: Row | None, scale: float) -> float:
    """What the fund paid in the command that ended the liquidation."""
    if end is None:
        return 0.0
    rows = rows_of(run, e.InsuranceChanged, ("venue",), venue)
    changes: list[int] = [row["change"] for row in rows if row["seq"] == end["seq"]]
    return sum(-change for change in changes if change < 0) / scale
