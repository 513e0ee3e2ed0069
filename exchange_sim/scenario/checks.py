"""What must hold between the tables: references, units, brackets, times.

Each function looks at one table; ``check`` runs all of them.  They record problems and never raise.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from exchange_sim.limits import INT64_MAX, PRICE_TICKS_MAX
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.liabilities import LiabilityTable
from exchange_sim.scenario.checks_rules import (
    check_closing_fee,
    check_mark_sources,
    check_profiles,
    check_rules,
)
from exchange_sim.scenario.kinds import ppm
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.schema import AssetDef, InstrumentDef
from exchange_sim.scenario.tree import NAMED_ARRAYS, Node, identity
from exchange_sim.scenario.venues import VenueDef
from exchange_sim.units import to_units

COLLATERAL_DECIMALS = 8
"""Bounds of tiers and brackets are money: this many decimals are enough to order them."""

MONEY_KEYS = (
    "insurance",
    "liquidation_slice",
    "takeover_limit",
    "impact_margin",
    "auto_exchange",
)
"""Keys of a venue that are amounts of its numeraire."""

REQUIRES = {
    "collateral_sale": "unified_account",
    "own_book_collateral_price": "unified_account",
}
"""Mechanisms that cannot work without another."""


def check(parts: Parts) -> None:
    """Run every check between tables."""
    _check_names(parts)
    _check_mechanisms(parts)
    _check_assets(parts)
    _check_brackets(parts)
    check_profiles(parts)
    for name, (node, venue) in parts.tables.get("venues", {}).items():
        _check_venue(parts, node, name, venue)
    for node, instrument in parts.arrays.get("instruments", []):
        _check_instrument(parts, node, instrument)


def _check_names(parts: Parts) -> None:
    for key in NAMED_ARRAYS:
        array = parts.root.table.get(key)
        seen: dict[str, Node] = {}
        for item in array.items if array is not None else []:
            name = identity(item)
            if name and name in seen:
                first = seen[name].mark
                where = f"{first.path}:{first.line}"
                parts.reader.bad(item.mark, f"{key}: {name!r} exists twice", f"first at {where}")
            seen.setdefault(name, item)


def _check_mechanisms(parts: Parts) -> None:
    node = parts.root.table.get("mechanisms")
    if node is None:
        return
    for name, parent in REQUIRES.items():
        mine, needed = node.table.get(name), node.table.get(parent)
        if mine is None or needed is None or mine.value is not True or needed.value is not False:
            continue
        if needed.mark.line or not mine.mark.line:
            message = f"mechanisms.{name} is on, but {parent}, which it needs, is off"
            parts.reader.bad(mine.mark, message, f"switch {name} off too, or {parent} on")


def _check_assets(parts: Parts) -> None:
    for name, (node, asset) in parts.tables.get("assets", {}).items():
        assert isinstance(asset, AssetDef)
        if asset.collateral:
            at = node.table["collateral"]
            tiers = [
                (None if tier.upto is None else to_scaled(tier.upto), ppm(tier.ratio))
                for tier in asset.collateral
            ]
            _construct(parts, at, CollateralTable, tuple(tiers))
        if asset.liability:
            at = node.table["liability"]
            brackets = [
                (
                    None if bracket.upto is None else to_scaled(bracket.upto),
                    ppm(bracket.initial),
                    ppm(bracket.maintenance),
                )
                for bracket in asset.liability
            ]
            _construct(parts, at, LiabilityTable, tuple(brackets))
        given = {"redemption_asset", "redemption_value"} & set(node.table)
        if len(given) == 1:
            message = f"{node.name} has {given.pop()!r} alone"
            parts.reader.bad(
                node.mark, message, "redemption_asset and redemption_value go together"
            )
        target = node.table.get("redemption_asset")
        if target is not None and asset.redemption_asset == name:
            parts.reader.bad(target.mark, f"{node.name} is redeemed into itself")


def to_scaled(value: Decimal) -> int:
    """A bound as an integer, for comparing and dividing; finer parts are dropped."""
    return int(value.scaleb(COLLATERAL_DECIMALS))


def _check_brackets(parts: Parts) -> None:
    for node, rows in parts.tables.get("brackets", {}).values():
        whole = all(row.floor == row.floor.to_integral_value() for row in rows)
        floors = tuple(int(row.floor) if whole else to_scaled(row.floor) for row in rows)
        columns = (tuple(ppm(row.mmr) for row in rows), tuple(row.leverage for row in rows))
        _construct(parts, node, BracketTable, floors, *columns)


def _construct(parts: Parts, node: Node, cls: Any, *args: Any) -> None:
    """Build a core class and turn the problems that it lists into located ones."""
    try:
        cls(*args)
    except ValueError as error:
        _, _, listed = str(error).partition(": ")
        for problem in listed.split("; "):
            row = re.match(r"(?:bracket|tier) (\d+): ", problem)
            at = node.items[int(row[1]) - 1] if row and int(row[1]) <= len(node.items) else node
            parts.reader.bad(at.mark, f"{node.name}: {problem}")


def check_amounts(parts: Parts, table: Node | None, amounts: dict[str, Decimal]) -> None:
    """Amounts by asset: the assets exist, and the amounts fit their decimals and 64 bits."""
    for name, amount in amounts.items():
        node = table.table.get(name) if table is not None else None
        asset = parts.get("assets", name)
        if asset is not None and node is not None:
            check_amount(parts, node, amount, asset.decimals)


def check_amount(parts: Parts, node: Node, amount: Decimal, decimals: int) -> None:
    """An amount of an asset with ``decimals`` places."""
    try:
        units = to_units(amount, decimals)
    except (ValueError, ArithmeticError):
        message = f"{node.name}: {amount} has more than the {decimals} decimals of its asset"
        parts.reader.bad(node.mark, message)
        return
    if units > INT64_MAX:
        parts.reader.bad(node.mark, f"{node.name}: {amount} does not fit 64 bits")


def _check_venue(parts: Parts, node: Node, name: str, venue: VenueDef) -> None:
    del name
    numeraire = parts.get("assets", venue.numeraire)
    for key in MONEY_KEYS:
        if numeraire is not None and key in node.table:
            check_amount(parts, node.table[key], getattr(venue, key), numeraire.decimals)
    check_amounts(parts, node.table.get("margin_pool"), venue.margin_pool)
    for key in ("transfer_fee", "transfer_max", "transfer_hourly"):
        check_amounts(parts, node.table.get(key), getattr(venue, key))
    if venue.stp_transfer and not venue.trade_groups:
        message = f"{node.name}: stp_transfer moves assets between accounts of a trade group"
        parts.reader.bad(node.table["stp_transfer"].key_mark, message, "add trade_groups = true")
    check_rules(parts, node, venue)


def _check_instrument(parts: Parts, node: Node, item: InstrumentDef) -> None:
    bad = parts.reader.bad
    venue = parts.get("venues", item.venue)
    base = parts.get("assets", item.base)
    quote = parts.get("assets", item.quote)
    if item.base == item.quote:
        bad(node.table["base"].mark, f"{node.name}: base and quote are the same asset")
    if base is not None and quote is not None:
        _check_scales(parts, node, item, base, quote)
    _check_multipliers(parts, node, item)
    if item.kind == "SPOT":
        for key in ("brackets", "index"):
            if key in node.table:
                bad(node.table[key].key_mark, f"{node.name}: {key} is for perpetuals", "remove it")
        return
    if "price_range" in node.table:
        message = f"{node.name}.price_range is for SPOT instruments"
        bad(node.table["price_range"].key_mark, message, "perpetuals have market_take_bound")
    _check_perpetual(parts, node, item)
    if venue is not None and quote is not None and item.quote != venue.numeraire:
        message = f"{node.name} is settled in {item.quote}, but margin is in {venue.numeraire}"
        if item.inverse:
            message = f"{node.name} is priced in {item.quote}, but margin is in {venue.numeraire}"
        bad(node.table["quote"].mark, message, "a perpetual's quote is its venue's numeraire")
    if item.inverse and venue is not None:
        _check_coin(parts, node, item, venue)


def _check_multipliers(parts: Parts, node: Node, item: InstrumentDef) -> None:
    """Percent-price bounds: those for both sides hold 1 between them, those of a side are a range.

    A venue may let buyers bid only below the average, so a bound of one side may lie beyond 1.
    """
    for key, beyond in (("percent_price_up", 1), ("percent_price_down", -1)):
        bound = getattr(item, key)
        if bound is not None and (bound - 1) * beyond <= 0:
            side = "above" if beyond > 0 else "below"
            message = f"{node.name}.{key} must be {side} 1, not {bound}"
            parts.reader.bad(node.table[key].mark, message)
    for side in ("bid", "ask"):
        up, down = f"{side}_multiplier_up", f"{side}_multiplier_down"
        high = getattr(item, up)
        high = item.percent_price_up if high is None else high
        low = getattr(item, down)
        low = item.percent_price_down if low is None else low
        own = node.table.get(down) or node.table.get(up)
        if own is not None and high is not None and low is not None and 0 < high <= low:
            message = f"{node.name}: {down} {low} is not below {up} {high}"
            parts.reader.bad(own.mark, message, "no price would pass; 0 or nothing is no bound")


def _check_scales(
    parts: Parts, node: Node, item: InstrumentDef, base: AssetDef, quote: AssetDef
) -> None:
    lot_key, other = ("contract_size", "lot_size")[:: 1 if item.inverse else -1]
    if other in node.table:
        message = f"{node.name}: {other} is not for {item.kind} instruments"
        parts.reader.bad(node.table[other].key_mark, message, f"use {lot_key}")
    if lot_key not in node.table:
        parts.reader.bad(node.mark, f"{node.name} needs {lot_key!r}")
        return
    kind = InstrumentKind[item.kind]
    first = Asset(0, item.base, base.decimals)
    second = Asset(1, item.quote, quote.decimals)
    try:
        Instrument.make(0, item.name, 0, kind, first, second, item.tick_size, item.lot)
    except (ValueError, ArithmeticError) as error:
        key = "lot_size" if "lot_size" in str(error).partition(" is ")[0] else "tick_size"
        key = "tick_size" if "tick_size" in str(error) else key
        key = "contract_size" if item.inverse else key
        parts.reader.bad(node.table[key].mark, str(error))
    if item.price % item.tick_size:
        message = f"{node.name}.price {item.price} is not a multiple of tick_size {item.tick_size}"
        parts.reader.bad(node.table["price"].mark, message)
    elif item.price / item.tick_size > PRICE_TICKS_MAX:
        message = f"{node.name}.price is more than {PRICE_TICKS_MAX} ticks"
        parts.reader.bad(node.table["price"].mark, message, "use a larger tick_size")
    if item.max_qty is not None and item.max_qty % item.lot:
        message = f"{node.name}.max_qty is not a multiple of {lot_key} {item.lot}"
        parts.reader.bad(node.table["max_qty"].mark, message)
    if "min_notional" in node.table:
        check_amount(parts, node.table["min_notional"], item.min_notional, quote.decimals)


def _check_perpetual(parts: Parts, node: Node, item: InstrumentDef) -> None:
    bad = parts.reader.bad
    if not item.brackets:
        names = ", ".join(parts.names("brackets"))
        bad(node.mark, f"{node.name}: a perpetual needs 'brackets'", f"known: {names}")
    else:
        rows = parts.get("brackets", item.brackets)
        if rows and item.default_leverage > rows[0].leverage:
            at = node.table.get("default_leverage", node.table["brackets"])
            message = f"{node.name}.default_leverage {item.default_leverage} is above the"
            bad(at.mark, f"{message} {rows[0].leverage} of brackets {item.brackets!r}")
    if not item.index:
        hint = 'index = [{instrument = "venue:SYMBOL", weight = 1}]'
        bad(node.mark, f"{node.name}: a perpetual needs at least one index source", hint)
    else:
        _check_index(parts, node.table["index"], item)
    check_mark_sources(parts, node, item)
    check_closing_fee(parts, node, item)


def _check_coin(parts: Parts, node: Node, item: InstrumentDef, venue: VenueDef) -> None:
    """What an inverse perpetual settles in needs a price on its venue."""
    others = [other for _, other in parts.arrays.get("instruments", [])]
    known = any(
        other.venue == item.venue and other.kind == "SPOT" and other.base == item.base
        and other.quote == venue.numeraire
        for other in others
    )  # fmt: skip
    if not known:
        message = f"{node.name} settles in {item.base}, which has no spot market against"
        hint = f"add {item.base}/{venue.numeraire} as a SPOT instrument of {item.venue}"
        parts.reader.bad(node.table["base"].mark, f"{message} {venue.numeraire} there", hint)


def _check_index(parts: Parts, node: Node, item: InstrumentDef) -> None:
    readable = {other.name: other for _, other in parts.arrays.get("instruments", [])}
    seen: set[str] = set()
    for row, source in zip(node.items, item.index, strict=True):
        at = row.table["instrument"].mark
        if source.instrument in seen:
            parts.reader.bad(at, f"{node.name} names {source.instrument!r} twice")
        elif source.instrument in readable and readable[source.instrument].kind != "SPOT":
            parts.reader.bad(at, f"{node.name}: {source.instrument!r} is no spot instrument")
        seen.add(source.instrument)
