"""What every column of an event table means: the one description behind views, SQL and docs.

A column is stored as an integer; its unit says how it is read.  A price needs the tick of an
instrument, a quantity its lot, an amount the decimals of an asset: ``Meaning.by`` names the column
of the same row that says which one.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Final

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.eventlog.schema import enum_of, kind_of_table, table_name, unit_name
from exchange_sim.messages.registry import EVENTS, Message

PRICE, MICRO_PRICE, ASSET_PRICE = "price", "micro price", "asset price"
QTY, AMOUNT, PPM_SHARE, PPB_SHARE = "quantity", "amount", "ppm", "ppb"
NAME, ENUM, TIME, PLAIN = "name", "enumeration", "time", "number"


@attrs.frozen
class Meaning:
    """How a stored column is read.

    ``kind`` is one of the constants of this module.  ``by`` is the column that names the
    instrument, asset, account or venue; ``of`` says what is looked up there: ``base``, ``quote``
    or ``settle`` (profit, fees) of an instrument, the ``asset`` itself, the numeraire of an
    ``account`` or a ``venue``; for names it is the table of names.
    """

    kind: str
    by: str = ""
    of: str = ""

    def shown_as(self, column: str) -> tuple[str, ...]:
        """Names of the human columns: ids keep theirs beside the name, ratios lose the suffix."""
        if self.kind == TIME:
            return ("time_ns", "time")
        if self.kind == NAME:
            return (column, f"{column}_id")
        if self.kind in {PPM_SHARE, PPB_SHARE}:
            return (column.rpartition("_")[0],)
        return (column,)

    def describe(self) -> str:
        """What a person reads in the human view."""
        words = {
            TIME: "UTC timestamp, beside the integer",
            PRICE: f"price in quote per base of `{self.by}`",
            MICRO_PRICE: f"price in quote per base of `{self.by}`",
            ASSET_PRICE: "price of one whole asset in the venue's numeraire",
            QTY: f"quantity in base of `{self.by}`",
            AMOUNT: _AMOUNTS.get(self.of, "").format(by=self.by),
            PPM_SHARE: "ratio, 1 is 1",
            PPB_SHARE: "ratio, 1 is 1",
            NAME: f"name, with `{self.by}_id` beside it",
            ENUM: "name of the member",
        }
        return words.get(self.kind, "as stored")


_AMOUNTS: Final = {
    "asset": "whole units of `{by}`",
    "quote": "whole units of the quote asset of `{by}`",
    "base": "whole units of the base asset of `{by}`",
    "settle": "whole units of what `{by}` is settled in: quote, the coin if inverse",
    "account": "whole units of the numeraire of the venue of `{by}`",
    "venue": "whole units of the numeraire of `{by}`",
}

_NAMES: Final = {
    "AccountId": "account",
    "InstrumentId": "instrument",
    "AssetId": "asset",
    "VenueId": "venue",
}

_SPECIAL: Final = {
    ("mark_price_updated", "mark"): Meaning(MICRO_PRICE, "instrument"),
    ("mark_price_updated", "index"): Meaning(MICRO_PRICE, "instrument"),
    ("adl_executed", "price"): Meaning(MICRO_PRICE, "instrument"),
    ("position_taken_over", "price"): Meaning(MICRO_PRICE, "instrument"),
    ("asset_price_updated", "price"): Meaning(ASSET_PRICE, "venue"),
    ("traded", "base_amount"): Meaning(AMOUNT, "instrument", "base"),
    **{
        (table, column): Meaning(AMOUNT, "instrument", "settle")
        for table, columns in {
            "traded": ("maker_fee", "taker_fee", "maker_pnl", "taker_pnl"),
            "funding_rate_set": ("paid",),
            "adl_executed": ("victim_pnl", "bankrupt_pnl"),
            "position_taken_over": ("pnl",),
            "legs_offset": ("pnl",),
        }.items()
        for column in columns
    },
}
"""Columns whose type alone does not say what they are."""


def meaning(kind: type[Message], column: str) -> Meaning:
    """The meaning of a column of an event table."""
    if column == "time_ns":
        return Meaning(TIME)
    if column == "seq":
        return Meaning(PLAIN)
    special = _SPECIAL.get((table_name(kind), column))
    if special is not None:
        return special
    field_type = kind.field_types[kind.field_names.index(column)]
    return _by_type(kind, column, field_type)


def _by_type(kind: type[Message], column: str, field_type: Any) -> Meaning:
    unit = unit_name(field_type)
    if unit in _NAMES:
        return Meaning(NAME, column, _NAMES[unit])
    if enum_of(field_type) is not None:
        return Meaning(ENUM)
    has_instrument = "instrument" in kind.field_names
    if unit == "Ticks" and has_instrument:
        return Meaning(PRICE, "instrument")
    if unit == "Lots" and has_instrument:
        return Meaning(QTY, "instrument")
    if unit == "Amount":
        return _amount(kind)
    if column.endswith("_ppm"):
        return Meaning(PPM_SHARE)
    return Meaning(PPB_SHARE) if column.endswith("_ppb") else Meaning(PLAIN)


def _amount(kind: type[Message]) -> Meaning:
    """An amount is in the asset that its row names, else in quote, else in the numeraire."""
    for by, of in (("asset", "asset"), ("instrument", "quote"), ("account", "account")):
        if by in kind.field_names:
            return Meaning(AMOUNT, by, of)
    return Meaning(AMOUNT, "venue", "venue") if "venue" in kind.field_names else Meaning(PLAIN)


def meanings(kind: type[Message]) -> dict[str, Meaning]:
    """Meanings of all columns of a table, in order."""
    return {name: meaning(kind, name) for name in ("seq", "time_ns", *kind.field_names)}


def event_kind(kind: type[Message] | str) -> type[Message]:
    """The event class of a table name.  Raises ``UsageError`` that names the nearest ones."""
    if not isinstance(kind, str):
        return kind
    cls = kind_of_table(kind)
    if cls is None:
        names = [table_name(known) for known in EVENTS.values()]
        near = get_close_matches(kind, names, 3) or sorted(names)
        raise UsageError(f"there is no event table {kind!r}; there are {', '.join(near)}")
    return cls
