"""A digest of the whole state, independent of data structures and of how the state was reached."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange_sim.world.world import World


def state_digest(w: World) -> str:
    """Hex blake2b-128 over a canonical list of every number of the state.  O(state)."""
    digest = blake2b(digest_size=16)
    for part in _parts(w):
        digest.update(repr(part).encode())
    return digest.hexdigest()


def _parts(w: World) -> Iterator[tuple[object, ...]]:
    yield "clock", w.seq, w.time_ns, w.next_order_id, w.next_trade_id, w.next_transfer
    for account_id, (posted, reserved) in enumerate(
        zip(w.ledger.posted, w.ledger.reserved, strict=True)
    ):
        yield "balance", account_id, posted, reserved
    for account in w.accounts:
        positions = sorted((i, p.qty, p.entry_notional) for i, p in account.positions.items())
        yield (
            "account", account.id, account.venue, account.owner, account.mode, account.band,
            account.liquidating, account.order_margin, sorted(account.loans.items()), positions,
        )  # fmt: skip
    for instrument, engine in enumerate(w.engines):
        yield (
            "prices",
            instrument,
            w.marks[instrument],
            w.indexes[instrument],
            w.last_prices[instrument],
        )
        yield "status", instrument, w.status[instrument], w.open_interest[instrument]
        for order in engine.book:
            yield (
                "order", order.order_id, order.account, order.side, order.price, order.leaves,
                order.shown, order.reserved,
            )  # fmt: skip
        for order_id in sorted(engine.stops.orders):
            order = engine.stops.orders[order_id]
            yield "armed", order_id, order.account, order.side, order.trigger, order.leaves
    for venue in w.venues:
        yield "venue", venue.id, list(venue.queue), venue.asset_prices, venue.lent
        yield "funding", sorted(venue.last_funding_ppb.items()), venue.transfers_enabled
    yield "transfers", sorted(w.transfers.items())
