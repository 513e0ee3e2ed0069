"""What must hold of profiles and of the rules that venues change."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exchange_sim.risk.profile import PARTS, Numbers, Profile
from exchange_sim.risk.profiles import BINANCE, PROFILES
from exchange_sim.scenario.rules import ProfileDef, RulesDef, make_rule, overlay
from exchange_sim.scenario.tree import Node, nearest
from exchange_sim.scenario.venues import figures

if TYPE_CHECKING:
    from exchange_sim.scenario.parts import Parts
    from exchange_sim.scenario.schema import InstrumentDef
    from exchange_sim.scenario.venues import VenueDef

BANDS = ("reminder", "reduce_only", "liquidation", "claim")


def check_profiles(parts: Parts) -> None:
    """Profiles of the scenario: complete, their rules possible, their names free."""
    for name, (node, own) in parts.tables.get("profiles", {}).items():
        assert isinstance(own, ProfileDef)
        if name in PROFILES:
            hint = f"write [venues.NAME.rules], or call it another name with base = {name!r}"
            parts.reader.bad(node.key_mark, f"the profile {name!r} exists already", hint)
        _overlaid(parts, node, PROFILES.get(own.base), own)


def check_rules(parts: Parts, node: Node, venue: VenueDef) -> None:
    """Profile, rules and figures of a venue."""
    base = _base(parts, node, venue)
    if base is None:
        return
    table = node.table.get("rules")
    if table is not None and venue.rules is not None:
        _overlaid(parts, table, base, venue.rules)
    prices = node.table.get("collateral_prices")
    for asset, rule in venue.collateral_prices.items():
        at = prices.table.get(asset, node) if prices is not None else node
        try:
            made = make_rule("collateral_price", rule, base.collateral_price)
        except ValueError as error:
            parts.reader.bad(at.mark, f"{at.name}: {error}")
            continue
        known = parts.get("assets", asset)
        unredeemed = known and known.redemption_value is None and not known.redemption_asset
        if made.kind in {"redemption", "weighted"} and unredeemed:
            hint = f"give assets.{asset} a redemption_asset and a redemption_value"
            parts.reader.bad(at.mark, f"{at.name}: nobody redeems {asset}", hint)
    _check_figures(parts, node, venue, base.numbers)


def check_closing_fee(parts: Parts, node: Node, item: InstrumentDef) -> None:
    """Where the fee of closing is part of the maintenance margin, both stay below the initial one.

    Whoever opened at the highest leverage would be liquidated at once.
    """
    venue = parts.get("venues", item.venue)
    rows = parts.get("brackets", item.brackets) if item.brackets else None
    own = parts.get("profiles", venue.profile) if venue is not None else None
    if venue is None or not rows or not venue.fees:
        return
    base = PROFILES.get(own.base if own is not None else venue.profile)
    counted = base is not None and base.margin.closing_fee
    for rules in (own, venue.rules):
        given = getattr(rules, "margin", None)
        if given is not None and given.closing_fee is not None:
            counted = given.closing_fee
    fee = max(venue.fees[0].taker, 0)
    for row in rows if counted else ():
        if row.leverage * row.mmr <= 1 < row.leverage * (row.mmr + fee):
            message = f"{node.name}: the bracket from {row.floor} of {item.brackets!r} has"
            message += f" maintenance {row.mmr} and a closing fee of {fee}, more than the initial"
            hint = f"at most {Decimal(1) / row.leverage - fee:f} at leverage {row.leverage}"
            at = node.table.get("brackets", node)
            parts.reader.bad(at.mark, f"{message} margin of leverage {row.leverage}", hint)


def check_mark_sources(parts: Parts, node: Node, item: InstrumentDef) -> None:
    """Sources of an oracle mark are other venues' perpetuals, each once."""
    table = node.table.get("mark_sources")
    if table is None:
        return
    readable = {other.name: other for _, other in parts.arrays.get("instruments", [])}
    seen: set[str] = set()
    for row, source in zip(table.items, item.mark_sources, strict=True):
        at, other = row.table["instrument"].mark, readable.get(source.instrument)
        if source.instrument in seen:
            parts.reader.bad(at, f"{table.name} names {source.instrument!r} twice")
        elif other is not None and (other.kind == "SPOT" or other.venue == item.venue):
            message = f"{table.name}: {source.instrument!r} is no perpetual of another venue"
            parts.reader.bad(at, message)
        seen.add(source.instrument)


def _base(parts: Parts, node: Node, venue: VenueDef) -> Profile | None:
    """The profile that a venue names, as far as it can be made; a problem if there is none."""
    if venue.profile in PROFILES:
        return PROFILES[venue.profile]
    known = [*PROFILES, *parts.names("profiles")]
    if venue.profile not in known:
        at = node.table["profile"]
        names = ", ".join(f'"{name}"' for name in known)
        message = f'{at.name} must be one of {names}, not "{venue.profile}"'
        parts.reader.bad(at.mark, message, nearest(venue.profile, known))
        return None
    own = parts.get("profiles", venue.profile)
    if own is None:
        return None
    base = PROFILES.get(own.base, BINANCE)
    rules: dict[str, Any] = overlay(PROFILES.get(own.base), own, lambda *_: None)
    whole = {part: rules.get(part, getattr(base, part)) for part in PARTS}
    return Profile(name=venue.profile, numbers=base.numbers, **whole)


def _overlaid(parts: Parts, node: Node, base: Profile | None, rules: RulesDef) -> None:
    def bad(part: str, problem: str) -> None:
        at = node.table.get(part, node)
        hint = ""
        if at is node:
            hint = 'base = "binance" takes over what is not given'
        parts.reader.bad(at.mark, f"{at.name}: {problem}", hint)

    overlay(base, rules, bad)


def _check_figures(parts: Parts, node: Node, venue: VenueDef, usual: Numbers) -> None:
    figure = figures(venue, usual)
    if not all(upper > lower > 0 for upper, lower in pairwise(figure.bands)):
        message = f"{node.name}.bands must fall: {' > '.join(BANDS)} > 0"
        parts.reader.bad(node.table["bands"].mark, message)
    if figure.loan_imr_ppm < figure.loan_mmr_ppm:
        at = node.table.get("loan_imr") or node.table["loan_mmr"]
        imr = venue.loan_imr if venue.loan_imr is not None else figure.loan_imr_ppm / 10**6
        parts.reader.bad(at.mark, f"{node.name}: loan_imr {imr} is below loan_mmr")
