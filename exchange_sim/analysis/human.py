"""Event tables as people read them: prices and amounts in decimals, names, UTC timestamps.

The stored integers stay the truth.  A view holds the nearest double of each decimal, a name beside
each id (``account`` and ``account_id``) and a timestamp beside each time; amounts and prices that
belong to no instrument or asset (a step that only cancelled orders) are null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from exchange_sim.analysis import columns as c
from exchange_sim.analysis.facts import Facts
from exchange_sim.eventlog.book_summary import DEPTH_COLUMNS
from exchange_sim.eventlog.schema import enum_of
from exchange_sim.messages.registry import Message
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

UTC: Final = pa.timestamp("us", tz="UTC")
"""Microseconds, because Python's datetime has no more; the nanoseconds stand beside it."""
_PPB: Final = 1_000_000_000


def human_view(kind: type[Message], table: pa.Table | pa.RecordBatch, facts: Facts) -> pa.Table:
    """The human view of (a part of) the table of one event kind."""
    names = table.schema.names
    stored = {name: table.column(name).to_numpy(zero_copy_only=False) for name in names}
    shown: dict[str, Any] = {}
    for name, meaning in c.meanings(kind).items():
        if name not in stored:
            continue
        values = stored[name]
        first, *more = meaning.shown_as(name)
        if meaning.kind == c.TIME:
            shown["time_ns"], shown["time"] = values, timestamps(values)
        elif meaning.kind == c.NAME:
            labels = pa.DictionaryArray.from_arrays(
                pa.array(np.where(values < 0, 0, values), pa.int32(), mask=values < 0),
                pa.array(facts.names[meaning.of][:-1], pa.string()),
            )
            shown[first], shown[more[0]] = labels.cast(pa.string()), values
        elif meaning.kind == c.ENUM:
            shown[first] = _members(kind, name, values)
        else:
            shown[first] = _number(meaning, values, stored, facts)
    return pa.table(shown)


def human_batches(run: RunData, kind: type[Message] | str) -> Iterator[pa.Table]:
    """The human view of a table, row group by row group: memory stays bounded.

    Raises as ``RunData.batches``.
    """
    cls = c.event_kind(kind)
    return (human_view(cls, batch, run.facts) for batch in run.batches(cls))


def timestamps(time_ns: Any) -> pa.Array:
    """Nanoseconds since the epoch as UTC timestamps, cut to microseconds."""
    return pa.array(np.asarray(time_ns, np.int64) // 1_000).cast(UTC)


def _number(
    meaning: c.Meaning, values: Any, stored: dict[str, Any], facts: Facts
) -> pa.Array | np.ndarray[Any, Any]:
    """A number in the unit that people use; the stored one where its unit is unknown."""
    by = stored.get(meaning.by)
    if meaning.kind == c.PPM_SHARE:
        return values / PPM
    if meaning.kind == c.PPB_SHARE:
        return values / _PPB
    if meaning.kind == c.PLAIN or by is None:
        return np.asarray(values)
    if meaning.kind == c.PRICE:
        found = facts.prices(values, by)
    elif meaning.kind == c.MICRO_PRICE:
        found = facts.prices(values, by) / PPM
    elif meaning.kind == c.QTY:
        found = facts.quantities(values, by)
    elif meaning.kind == c.ASSET_PRICE:
        found = facts.amounts(values, facts.asset_of(by, "venue")) / PPM
    else:
        found = facts.amounts(values, facts.asset_of(by, meaning.of))
    return pa.array(found, from_pandas=True)


def _members(kind: type[Message], name: str, values: Any) -> pa.Array:
    """Enumeration members by name, numbers that have none as text."""
    members = enum_of(kind.field_types[kind.field_names.index(name)])
    assert members is not None
    known, where = np.unique(values, return_inverse=True)
    labels = {int(member): member.name for member in members}
    texts = [labels.get(value, str(value)) for value in known.tolist()]
    names = pa.array(texts, pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(where, pa.int32()), names).cast(pa.string())


def human_book(table: pa.Table, facts: Facts) -> pa.Table:
    """The human view of ``book_1s``: prices in quote, depths in whole quote units.

    Prices are null while their side is empty.
    """
    stored = {name: table.column(name).to_numpy() for name in table.column_names}
    ids = stored["instrument"]
    shown: dict[str, Any] = {
        "time_ns": stored["time_ns"],
        "time": timestamps(stored["time_ns"]),
        "instrument": pa.array(facts.names["instrument"][ids], pa.string()),
        "instrument_id": ids,
    }
    for name in ("bid", "ask", "mid", "spread"):
        prices = facts.prices(stored[name], ids)
        both = (stored["bid"] > 0) & (stored["ask"] > 0)
        known = both if name in {"mid", "spread"} else stored[name] > 0
        shown[name] = pa.array(np.where(known, prices, np.nan), from_pandas=True)
    for name in DEPTH_COLUMNS:
        shown[name] = facts.amounts(stored[name], facts.quote[ids])
    return pa.table(shown)
