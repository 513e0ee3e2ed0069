"""Checks of what is scheduled: outages and halts lie in the run, halts do not overlap."""

from __future__ import annotations

from exchange_sim.scenario.faults import HaltDef, OutageDef
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.schema import About
from exchange_sim.scenario.tree import Node
from exchange_sim.units import format_utc


def check_span(parts: Parts, node: Node, item: OutageDef | HaltDef) -> None:
    """It ends after it starts, and starts in the run."""
    about = parts.values.get("about")
    if not isinstance(about, About):
        return
    if item.end_ns <= item.start_ns:
        message = f"{node.name} ends at {format_utc(item.end_ns, 0)}, not after its start"
        parts.reader.bad(node.table["end"].mark, message)
    if not inside(item.start_ns, about):
        message = f"{node.name} starts at {format_utc(item.start_ns, 0)}, outside the run"
        parts.reader.bad(node.table["start"].mark, message, window(about))


def check_halts(parts: Parts) -> None:
    """Each halt concerns something, has room for its auction, and is alone on its instruments."""
    taken: dict[str, list[tuple[int, int, Node]]] = {}
    for node, item in parts.arrays.get("halts", []):
        assert isinstance(item, HaltDef)
        check_span(parts, node, item)
        if not item.instruments and not item.venue:
            parts.reader.bad(
                node.mark, f"{node.name} concerns nothing", "give instruments or venue"
            )
        if item.end_ns > item.start_ns and item.auction_ns >= item.end_ns - item.start_ns:
            message = f"{node.name}: the auction is as long as the halt"
            hint = 'shorter, or mode = "AUCTION" for the whole of it'
            parts.reader.bad(node.table["auction"].mark, message, hint)
        for name in _concerned(parts, item) if item.enabled else ():
            for start, end, other in taken.setdefault(name, []):
                if item.start_ns < end and start < item.end_ns:
                    message = f"{node.name}: {name} is halted by {other.name} at the same time"
                    parts.reader.bad(node.mark, message, f"that is line {other.mark.line}")
            taken[name].append((item.start_ns, item.end_ns, node))


def _concerned(parts: Parts, item: HaltDef) -> list[str]:
    """Names of the instruments of a halt."""
    of_venue = [
        instrument.name
        for _, instrument in parts.arrays.get("instruments", [])
        if instrument.venue == item.venue
    ]
    return list(dict.fromkeys([*item.instruments, *of_venue]))


def inside(time_ns: int, about: About) -> bool:
    """Whether an instant lies in the run."""
    return about.start_ns <= time_ns <= about.start_ns + about.duration_ns


def window(about: About) -> str:
    """From when till when the run goes, as a hint."""
    end = about.start_ns + about.duration_ns
    return f"the run goes from {format_utc(about.start_ns, 0)} to {format_utc(end, 0)}"
