"""Checks between tables that concern who trades and what happens when."""

from __future__ import annotations

from pathlib import Path

from exchange_sim.scenario.checks import check_amounts
from exchange_sim.scenario.checks_faults import check_halts, check_span, inside, window
from exchange_sim.scenario.faults import OUTAGE_KEYS, OutageDef
from exchange_sim.scenario.participants import ParticipantDef, instance_names
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.schema import About, ShockDef
from exchange_sim.scenario.tree import Node, nearest
from exchange_sim.units import format_utc


def check_people(parts: Parts) -> None:
    """Run the checks of participants, shocks and outages."""
    for node, item in parts.arrays.get("participants", []):
        _check_participant(parts, node, item)
    _check_instances(parts)
    for node, item in parts.arrays.get("shocks", []):
        _check_shock(parts, node, item)
    for node, item in parts.arrays.get("outages", []):
        _check_outage(parts, node, item)
    check_halts(parts)


def _check_participant(parts: Parts, node: Node, item: ParticipantDef) -> None:
    check_amounts(parts, node.table.get("capital"), item.capital)
    at_venues = node.table.get("capital_at")
    for venue, amounts in item.capital_at.items():
        assert at_venues is not None
        where = at_venues.table[venue]
        if venue not in item.venues and venue in parts.names("venues"):
            message = f"{node.name} has capital at {venue!r}, where it has no account"
            parts.reader.bad(where.key_mark, message, nearest(venue, item.venues))
        check_amounts(parts, where, amounts)
    for name in item.venues:
        venue = parts.get("venues", name)
        if venue is not None and item.fee_tier >= len(venue.fees):
            message = f"{node.name}: venue {name!r} has no fee tier {item.fee_tier}"
            at = node.table.get("fee_tier", node)
            parts.reader.bad(at.mark, message, f"tiers: 0 to {len(venue.fees) - 1}")
    _check_modes(parts, node, item)
    _check_class_file(parts, node.table["class"], item.class_ref)


def _check_instances(parts: Parts) -> None:
    """``mm`` three times is ``mm-1`` to ``mm-3``: nobody else may have one of these names."""
    taken: dict[str, tuple[Node, ParticipantDef]] = {}
    for node, item in parts.arrays.get("participants", []):
        for name in instance_names(item) if item.enabled else ():
            other = taken.setdefault(name, (node, item))
            if other[1] is item or other[1].name == item.name:
                continue
            where = node.table.get("name", node)
            message = f"the name {name!r} is taken by participant {other[1].name!r}"
            if other[1].count > 1:
                message += f", of which there are {other[1].count}"
            parts.reader.bad(where.mark, message, "choose another one")


def _check_modes(parts: Parts, node: Node, item: ParticipantDef) -> None:
    """Margin modes: what is margined alone is a linear perpetual of a venue with an account."""
    if "isolated" not in node.table:
        return
    at = node.table["isolated"]
    if item.account not in {"cash", "cross"}:
        message = f"{node.name}.isolated is for cash and cross accounts, not {item.account!r}"
        hint = 'account = "isolated" isolates every perpetual' if item.account == "unified" else ""
        parts.reader.bad(at.mark, message, hint or "remove it: all positions are isolated already")
    kinds = {other.name: other.kind for _, other in parts.arrays.get("instruments", [])}
    for symbol in item.isolated:
        kind = kinds.get(symbol)
        if kind not in {None, "PERPETUAL"}:
            message = f"{node.name}.isolated: {symbol!r} is {kind}, not PERPETUAL"
            parts.reader.bad(at.mark, message)
        elif symbol.partition(":")[0] not in item.venues:
            message = f"{node.name}.isolated: {symbol!r} is on a venue where it has no account"
            parts.reader.bad(at.mark, message)


def _check_class_file(parts: Parts, node: Node, reference: str) -> None:
    """A class in a file is looked for beside the scenario file that names it."""
    file, _, _ = reference.rpartition(":")
    if not file.endswith(".py"):
        return
    path = class_file(file, node.mark.path)
    if not path.is_file():
        siblings = [item.name for item in path.parent.glob("*.py")] if path.parent.is_dir() else []
        parts.reader.bad(node.mark, f"there is no file {path}", nearest(path.name, siblings))


def class_file(file: str, scenario_file: str) -> Path:
    """Where ``file.py`` of a class reference is: beside the scenario that names it."""
    folder = Path() if scenario_file.startswith("--") else Path(scenario_file).parent
    return folder / file


def _check_shock(parts: Parts, node: Node, item: ShockDef) -> None:
    about = parts.values.get("about")
    if isinstance(about, About) and not inside(item.at_ns, about):
        message = f"{node.name} happens at {format_utc(item.at_ns, 0)}, outside the run"
        parts.reader.bad(node.table["at"].mark, message, window(about))


def _check_outage(parts: Parts, node: Node, item: OutageDef) -> None:
    for key, kinds in OUTAGE_KEYS.items():
        if key in node.table and item.kind not in kinds:
            message = f"{node.name}: an outage of kind {item.kind!r} has no {key!r}"
            parts.reader.bad(node.table[key].key_mark, message, f"kinds: {', '.join(kinds)}")
    known = parts.names("participants")
    for name in item.strategies:
        if name not in known:
            message = f"there is no participant {name!r}"
            parts.reader.bad(node.table["strategies"].mark, message, nearest(name, known))
    check_span(parts, node, item)
