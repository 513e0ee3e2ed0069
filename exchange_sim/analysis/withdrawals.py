"""When makers left, why, and when they came back; what pushed pegged assets down.

Pure functions of a run's tables.  A maker's reason is its own word (``WithdrawalCause``); beside it
stands what the log shows of that moment: how far the market had moved in the minute before, the
maker's last known uniMMR, and whether it had just been deleveraged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from exchange_sim.analysis.human import timestamps
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import NoteKind, WithdrawalCause
from exchange_sim.model.enums import FLAG_FORCED, FLAG_LIQUIDATION
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_S, PPM

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

_WORST_WINDOW: Final = NANOS_PER_MINUTE
_ADL_WINDOW: Final = 5 * NANOS_PER_S

SCHEMA: Final = pa.schema(
    [
        ("time_ns", pa.int64()), ("time", timestamps([]).type), ("account", pa.string()),
        ("account_id", pa.int64()), ("cause", pa.string()), ("scale", pa.float64()),
        ("returned_ns", pa.int64()), ("away_s", pa.float64()), ("worst_instrument", pa.string()),
        ("worst_move", pa.float64()), ("uni_mmr", pa.float64()), ("adl", pa.bool_()),
    ]
)  # fmt: skip


def withdrawals(run: RunData) -> pa.Table:
    """One row per withdrawal of a maker, in order.

    ``scale`` is what is left of its quotes (0 to 1); ``returned_ns`` and ``away_s`` are null when
    it never came back; ``worst_move`` is the largest fall of a mark in the minute before, relative,
    in ``worst_instrument``; ``uni_mmr`` is null when no band change was logged before; ``adl`` says
    that it was deleveraged within the five seconds before.
    """
    notes = run.table(e.Noted).to_pylist()
    bands = run.table(e.MarginBandChanged).to_pylist()
    closed = run.table(e.AdlExecuted)
    marks = _marks(run)
    rows = []
    for at, note in enumerate(notes):
        if note["kind"] != NoteKind.QUOTES_WITHDRAWN:
            continue
        account, time_ns = note["account"], note["time_ns"]
        back = next(
            (later["time_ns"] for later in notes[at + 1 :] if later["account"] == account
             and later["kind"] in _BACK), None,
        )  # fmt: skip
        ratio = [
            row["uni_mmr_ppm"]
            for row in bands
            if row["account"] == account and row["seq"] <= note["seq"]
        ]
        instrument, move = _worst(marks, time_ns)
        rows.append(
            {
                "time_ns": time_ns,
                "account": run.accounts[account]["owner"],
                "account_id": account,
                "cause": _word(note["a"]),
                "scale": note["b"] / PPM,
                "returned_ns": back,
                "away_s": None if back is None else (back - time_ns) / NANOS_PER_S,
                "worst_instrument": run.instruments[instrument]["symbol"] if move < 0 else None,
                "worst_move": move,
                "uni_mmr": ratio[-1] / PPM if ratio else None,
                "adl": _deleveraged(closed, account, time_ns),
            }
        )
    times = timestamps([row["time_ns"] for row in rows])
    columns = {f.name: pa.array([r.get(f.name) for r in rows], f.type) for f in SCHEMA}
    return pa.table({**columns, "time": times}, schema=SCHEMA)


_BACK: Final = (NoteKind.QUOTES_RESTORED, NoteKind.QUOTES_REDUCED)


def _word(cause: int) -> str:
    names = {int(member): member.name for member in WithdrawalCause}
    return names.get(cause, str(cause)).lower().replace("_", " ")


def _marks(run: RunData) -> list[tuple[Any, Any]]:
    """Times and marks by instrument."""
    table = run.table(e.MarkPriceUpdated)
    col = {n: table.column(n).to_numpy() for n in ("time_ns", "instrument", "mark")}
    chosen = (col["instrument"] == k for k in range(len(run.instruments)))
    return [(col["time_ns"][mine], col["mark"][mine]) for mine in chosen]


def _worst(marks: list[tuple[Any, Any]], time_ns: int) -> tuple[int, float]:
    """The instrument whose mark fell most from its highest in the window before, and how far."""
    worst, at = 0.0, 0
    for instrument, (times, values) in enumerate(marks):
        first, last = np.searchsorted(times, [time_ns - _WORST_WINDOW, time_ns], side="right")
        window = values[first:last]
        if len(window):
            move = float(window[-1]) / float(window.max()) - 1
            if move < worst:
                worst, at = move, instrument
    return at, worst


def _deleveraged(closed: pa.Table, account: int, time_ns: int) -> bool:
    mine = closed.filter(pc.equal(closed.column("victim_account"), account))
    times = mine.column("time_ns").to_numpy()
    return bool(((times > time_ns - _ADL_WINDOW) & (times <= time_ns)).any())


def depeg_sales(run: RunData, every_ns: int = NANOS_PER_MINUTE) -> pa.Table:
    """Aggressive selling of pegged assets by what caused it, by interval.

    Columns ``time_ns, instrument, cause, value`` (quote).  ``cause`` is ``liquidation`` (sent by a
    liquidation engine), ``forced`` (by a loan desk or a margin call) or ``own choice``.  Pegged are
    the assets of kind ``pegged`` or ``wrapper`` of the scenario.
    """
    pegged = [
        row["symbol"]
        for row in run.instruments
        if row.get("asset_kind", "") in {"pegged", "wrapper"}
    ]
    traded = run.view(e.Traded)
    mine = pc.and_(
        pc.is_in(traded.column("instrument"), pa.array(pegged, pa.string())),
        pc.equal(traded.column("aggressor"), "SELL"),
    )
    rows = traded.filter(mine)
    flags = rows.column("taker_flags").to_numpy()
    cause = np.where(
        flags & FLAG_LIQUIDATION,
        "liquidation",
        np.where(flags & FLAG_FORCED, "forced", "own choice"),
    )
    table = pa.table(
        {
            "time_ns": rows.column("time_ns").to_numpy() // every_ns * every_ns,
            "instrument": rows.column("instrument"),
            "cause": pa.array(cause.tolist(), pa.string()),
            "value": rows.column("quote_amount"),
        }
    )
    keys = ["time_ns", "instrument", "cause"]
    sums = table.group_by(keys).aggregate([("value", "sum")])
    return sums.rename_columns([*keys, "value"]).sort_by([(key, "ascending") for key in keys])
