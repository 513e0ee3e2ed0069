"""What happens to borrowers on the chain, counted and told once a minute."""

from __future__ import annotations

from typing import Final

from exchange_sim.eventlog.line import Line
from exchange_sim.eventlog.names import Names
from exchange_sim.messages import chain_events as ce

ON_CHAIN: Final = frozenset(
    kind.type_id for kind in (ce.PoolLiquidation, ce.DeficitRecorded, ce.MarketLiquidation)
)
"""Events that are only counted."""
PLACES: Final = 1 << 16
"""Keys of counts hold a pool (or market) and an asset: ``asset * PLACES + pool``."""


def on_chain(event: tuple[int, ...]) -> tuple[int, int]:
    """Key and amount of an event: debt that was repaid, or written off."""
    if event[0] == ce.PoolLiquidation.type_id:
        return event[4] * PLACES + event[1], event[6]
    if event[0] == ce.DeficitRecorded.type_id:
        return event[2] * PLACES + event[1], event[4]
    return event[1], event[4]


def chain_line(kind: int, key: int, count: int, total: int, names: Names) -> Line:
    """The line of one pool or market."""
    asset, place = divmod(key, PLACES)
    if kind == ce.MarketLiquidation.type_id:
        market, asset = names.market(place), names.loan_asset(place)
        fields = {"market": market, "count": count, "repaid": names.amount(asset, total)}
        return Line("liquidations on the chain of this minute", fields, notable=True)
    fields = {"pool": names.pool(place), "count": count}
    if kind == ce.DeficitRecorded.type_id:
        fields["written_off"] = names.amount(asset, total)
        return Line("deficits of lending pools of this minute", fields, severe=True)
    fields["repaid"] = names.amount(asset, total)
    return Line("liquidations on the chain of this minute", fields, notable=True)
