"""What goes wrong on purpose: outages of the infrastructure, halts of trading."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import attrs

from exchange_sim.scenario.kinds import (
    NAME_TEXT,
    RATIO,
    VENUE,
    Flag,
    Items,
    Ref,
    Text,
    Whole,
    entry,
)
from exchange_sim.scenario.mechanisms import MECHANISM
from exchange_sim.scenario.times import Duration, Instant

OUTAGE_KINDS: Final = {
    "venue": "down",
    "feed": "feed_frozen",
    "transfers": "transfers",
    "api": "api_errors",
    "stall": "stall",
    "slow": "slow",
    "feed_delayed": "feed_delayed",
    "latency": "latency",
    "disconnect": "disconnect",
}
"""Kinds of outage in a scenario, and what the shell calls them."""
OUTAGE_KEYS: Final = {
    "share": ("api",),
    "factor": ("slow",),
    "delay": ("feed_delayed", "latency"),
    "strategies": ("disconnect",),
    "cancel_on_disconnect": ("disconnect",),
}
"""Keys that only some kinds take."""
API_ERROR_SHARE: Final = Decimal("0.5")
"""Share of commands that a failing API refuses unless the scenario says otherwise."""
HALT_MODES: Final = ("HALT", "CANCEL_ONLY", "AUCTION")


@attrs.frozen(kw_only=True)
class OutageDef:
    """``[[outages]]``: something of a venue that fails for a while.

    ``venue``: commands are refused.  ``stall``: they wait.  ``slow``: the engine takes ``factor``
    times as long.  ``feed``: no market data.  ``feed_delayed``: market data ``delay`` late.
    ``latency``: ``delay`` more on every link.  ``api``: a ``share`` of the commands is refused.
    ``disconnect``: sessions of ``strategies`` are lost.  ``transfers``: no transfers out.
    """

    name: str = entry(NAME_TEXT, default="", doc="Addresses it in --set.")
    kind: str = entry(Text(tuple(OUTAGE_KINDS)), doc="What fails.")
    venue: str = entry(VENUE, doc="Where.")
    start_ns: int = entry(Instant(), key="start", unit="ns", doc="First instant.")
    end_ns: int = entry(Instant(), key="end", unit="ns", doc="First instant after it.")
    share: Decimal = entry(RATIO, default=API_ERROR_SHARE, doc="`api`: part that is refused.")
    factor: int = entry(Whole(2, 1_000_000), default=10, doc="`slow`: times the service time.")
    delay_ns: int = entry(
        Duration(low=1), key="delay", default=1_000_000_000, unit="ns", doc="How late."
    )
    strategies: tuple[str, ...] = entry(
        Items(NAME_TEXT, single=True),
        default=(),
        doc="`disconnect`: participants that lose their sessions; none: all.",
    )
    cancel_on_disconnect: bool = entry(
        Flag(), default=False, doc="`disconnect`: the venue cancels their orders."
    )
    enabled_by: str = entry(
        MECHANISM, default="", doc="Mechanism that switches it; transfers: transfer_suspension."
    )
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")


@attrs.frozen(kw_only=True)
class HaltDef:
    """``[[halts]]``: trading of instruments is suspended, as a schedule that was announced.

    From ``start`` on the instruments are in ``mode``; the last ``auction`` of the time orders are
    collected; at ``end`` they are uncrossed at one price and trading goes on.
    """

    name: str = entry(NAME_TEXT, default="", doc="Addresses it in --set.")
    instruments: tuple[str, ...] = entry(
        Items(Ref("instruments", "instrument"), single=True),
        default=(),
        doc="Which, as venue:SYMBOL; none: all of `venue`.",
    )
    venue: str = entry(VENUE, default="", doc="All instruments of this venue.")
    start_ns: int = entry(Instant(), key="start", unit="ns", doc="First instant.")
    end_ns: int = entry(Instant(), key="end", unit="ns", doc="When trading goes on.")
    mode: str = entry(Text(HALT_MODES), default="HALT", doc="What is possible meanwhile.")
    auction_ns: int = entry(
        Duration(), key="auction", default=0, unit="ns", doc="Call auction before the end."
    )
    enabled_by: str = entry(
        MECHANISM, default="", doc="Mechanism that switches it; none: always on."
    )
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")
