"""Who trades: participants one by one, populations by the thousand, and their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import attrs

from exchange_sim.scenario.chain import OpeningDef
from exchange_sim.scenario.kinds import (
    ASSET,
    MONEY,
    NAME_TEXT,
    VENUE,
    Flag,
    Free,
    Items,
    Number,
    Of,
    Reader,
    Ref,
    Table,
    Text,
    Whole,
    entry,
)
from exchange_sim.scenario.lending import PledgeDef, PositionDef
from exchange_sim.scenario.mechanisms import MECHANISM
from exchange_sim.scenario.times import Duration
from exchange_sim.scenario.tree import Node
from exchange_sim.strategy.choices import DISTRIBUTIONS, FAULT_POLICIES
from exchange_sim.units import NANOS_PER_MS, NANOS_PER_S

ACCOUNTS: Final = (
    "cash",
    "unified",
    "cross",
    "isolated",
    "margin_3x",
    "margin_5x",
    "margin_pro",
    "isolated_margin_3x",
    "isolated_margin_5x",
    "isolated_margin_10x",
)
"""Ways to margin an account."""

POPULATION_KINDS: Final = ("borrowers", "leveraged_crowd", "loopers", "stale_bids")
"""Populations that exist."""

_CLASS: Final = re.compile(
    r"(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|[^:\0]+\.py):[A-Za-z_]\w*|[a-z][a-z0-9_-]*", re.ASCII
)
CLASS_REFERENCE: Final = Text(
    (), _CLASS, '"package.module:Class", "file.py:Class" or an entry point in small letters'
)


@attrs.frozen(kw_only=True)
class LinkDef:
    """Delay of one direction of one link: ``base`` plus a random part.

    ``jitter`` is the mean of the random part (``lognormal``: its median), or all of it
    (``constant``).
    """

    base_ns: int = entry(
        Duration(), key="base", default=5 * NANOS_PER_MS, unit="ns", doc="Least delay."
    )
    jitter_ns: int = entry(
        Duration(), key="jitter", default=NANOS_PER_MS, unit="ns", doc="Mean of the random part."
    )
    distribution: str = entry(
        Text(DISTRIBUTIONS), default="exponential", doc="Distribution of the random part."
    )
    sigma: Decimal = entry(
        Number(Decimal(0), Decimal(5)),
        default=Decimal("0.5"),
        doc="`lognormal`: standard deviation of the logarithm.",
    )


@attrs.frozen(kw_only=True)
class LatencyDef:
    """``[latency.NAME]``: the three links of a session, its feed, and how often it breaks.

    With ``disconnect_every`` the sessions are lost at random: connected for an exponential time of
    that mean, then away for one of mean ``disconnect_for``.
    """

    order: LinkDef = entry(Of(LinkDef), default=LinkDef(), doc="Commands to the venue.")
    ack: LinkDef = entry(Of(LinkDef), default=LinkDef(), doc="Order updates from the venue.")
    market_data: LinkDef = entry(Of(LinkDef), default=LinkDef(), doc="Book and trades.")
    conflation_ns: int = entry(
        Duration(),
        key="conflation",
        default=0,
        unit="ns",
        doc="Books are seen at most once per so long; 0: as published.",
    )
    disconnect_every_ns: int = entry(
        Duration(),
        key="disconnect_every",
        default=0,
        unit="ns",
        doc="Mean time between losses of the connection; 0: never.",
    )
    disconnect_for_ns: int = entry(
        Duration(low=1),
        key="disconnect_for",
        default=5 * NANOS_PER_S,
        unit="ns",
        doc="Mean time until it is back.",
    )
    cancel_on_disconnect: bool = entry(
        Flag(), default=False, doc="The venue cancels the orders of a lost session."
    )


@attrs.frozen
class Latency:
    """A profile's name, or its table written in place."""

    def read(self, node: Node, reader: Reader) -> Any:
        """The name or the profile; names are resolved after all profiles have been read."""
        if isinstance(node.value, str):
            return Ref("latency", "latency profile").read(node, reader)
        return Of(LatencyDef).read(node, reader)

    def describe(self) -> str:
        """Both forms."""
        return "a name in [latency], or a table with order, ack, market_data"


@attrs.frozen(kw_only=True)
class StockDef:
    """Coins held at the start, in D1 of books; with ``against`` long positions."""

    select: tuple[str, ...] = entry(
        Items(Text(), single=True), doc="Tags of the books, all of which must match."
    )
    d1: Decimal = entry(MONEY, doc="Value in D1 of each book, on the book's venue.")
    against: str = entry(
        NAME_TEXT,
        default="",
        doc="Perpetuals only: a participant that holds the other side; none if it is switched off.",
    )


@attrs.frozen(kw_only=True)
class ParticipantDef:
    """``[[participants]]``: ``count`` instances of one strategy class."""

    name: str = entry(NAME_TEXT, doc="Names the accounts and the random streams.")
    class_ref: str = entry(CLASS_REFERENCE, key="class", doc="The strategy class.")
    count: int = entry(Whole(1, 100_000), default=1, doc="How many of them.")
    venues: tuple[str, ...] = entry(
        Items(VENUE, single=True, least=1), doc="Where it has accounts (also written `venue`)."
    )
    account: str = entry(
        Text(ACCOUNTS),
        default="unified",
        doc="How its accounts are margined.",
    )
    position_mode: str = entry(
        Text(("one_way", "hedge")),
        default="one_way",
        doc="One position per perpetual, or a long and a short one side by side.",
    )
    isolated: tuple[str, ...] = entry(
        Items(Ref("instruments", "instrument"), single=True),
        default=(),
        doc="Perpetuals that a `cash` or `cross` account margins by wallets of their own.",
    )
    fee_tier: int = entry(Whole(0, 100), default=0, doc="Index into the venue's fees.")
    capital: dict[str, Decimal] = entry(
        Table(MONEY, ASSET),
        default={},
        doc="What it holds on each venue at the start, borrowed money included.",
    )
    capital_at: dict[str, dict[str, Decimal]] = entry(
        Table(Table(MONEY, ASSET), VENUE), default={}, doc="By venue: replaces `capital` there."
    )
    stock: tuple[StockDef, ...] = entry(
        Items(Of(StockDef)),
        default=(),
        doc="Base assets of selected books, added to the capital on their venues.",
    )
    loans: dict[str, Decimal] = entry(
        Table(MONEY),
        default={},
        doc="Margin loans that it owes on its first venue at the start, by asset.",
    )
    pledges: tuple[PledgeDef, ...] = entry(
        Items(Of(PledgeDef)),
        default=(),
        doc="Loans against pledged coins that it owes at the start.",
    )
    positions: tuple[PositionDef, ...] = entry(
        Items(Of(PositionDef)),
        default=(),
        doc="Perpetual positions that it holds at the start, at the initial price.",
    )
    opening: tuple[OpeningDef, ...] = entry(
        Items(Of(OpeningDef)), default=(), doc="Positions on the chain that it has at the start."
    )
    latency: str | LatencyDef = entry(Latency(), default=LatencyDef(), doc="Delays of its links.")
    orders_per_s: int | None = entry(
        Whole(0, 1_000_000),
        default=None,
        doc="Commands of one of its sessions in a second, 0: any number; none: as the venue says.",
    )
    on_fault: str = entry(
        Text(FAULT_POLICIES), default="stop", doc="What happens when the strategy raises or hangs."
    )
    leak_limit: int | None = entry(
        Whole(1_000, 1_000_000_000),
        default=None,
        doc="Cells (references, or 64 bytes of text and buffers) that it may hold before it is at"
        " fault; none: 4,000,000.",
    )
    enabled_by: str = entry(
        MECHANISM, default="", doc="Mechanism that switches it; none: always on."
    )
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")
    params: dict[str, Any] = entry(Free(), default={}, doc="Parameters of the class.")
    template: str = entry(
        NAME_TEXT, default="", doc="A name in [templates] that fills in the rest."
    )

    @property
    def link(self) -> LatencyDef:
        """The latency profile, after names were resolved."""
        assert isinstance(self.latency, LatencyDef)
        return self.latency


@attrs.frozen(kw_only=True)
class PopulationDef:
    """``[[populations]]``: many simple accounts of one kind, drawn from distributions."""

    name: str = entry(NAME_TEXT, doc="Names the accounts and the random streams.")
    kind: str = entry(Text(POPULATION_KINDS), doc="Which population.")
    enabled_by: str = entry(
        MECHANISM, default="", doc="Mechanism that switches it; none: always on."
    )
    enabled: bool = entry(Flag(), default=True, doc="False drops one that a base file has.")
    params: dict[str, Any] = entry(Free(), default={}, doc="Parameters of the population.")
    template: str = entry(
        NAME_TEXT, default="", doc="A name in [templates] that fills in the rest."
    )


def instance_names(item: ParticipantDef) -> Iterator[str]:
    """``mm`` alone, or ``mm-1`` ... ``mm-8``: names of accounts, sessions and random streams."""
    if item.count == 1:
        yield item.name
    else:
        for k in range(1, item.count + 1):
            yield f"{item.name}-{k}"
