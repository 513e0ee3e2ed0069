"""A digest of the whole state, independent of data structures and of how the state was reached.

Left out is what follows from the rest: cached margins, the mirror, budgets of the current slot.

Simplifications
---------------
The best price that a trailing stop has seen is inside the matching engine and not part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from exchange_sim.model.order import Order

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
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
        positions = sorted(
            (i, *((part.qty, part.entry_notional, part.leverage) for part in p.parts))
            for i, p in account.positions.items()
        )
        yield (
            "account", account.id, account.venue, account.owner, account.mode, account.band,
            account.liquidating, account.order_margin, sorted(account.loans.items()),
            sorted(account.auto_loans.items()), positions,
        )  # fmt: skip
        if account.modes is not None:
            modes = account.modes
            yield "modes", modes.isolated, modes.hedge, sorted(modes.chosen.items())
            yield "margin", repr(modes.margin)
    yield from _windows(w)
    for wallet_id, wallet in w.wallets.items():
        yield "wallet", wallet_id, wallet.parent, wallet.instrument, wallet.position_side
        yield "assigned", wallet.assigned, wallet.qty, wallet.entry
    for instrument, engine in enumerate(w.engines):
        yield "prices", instrument, w.marks[instrument], w.indexes[instrument]
        yield "market", instrument, w.last_prices[instrument], w.open_interest[instrument]
        yield "status", instrument, w.status[instrument], engine.auction, w.touched_ns[instrument]
        for order in engine.book:
            yield "order", *_order(order), order.shown, order.reserved
        for order_id in sorted(engine.stops.orders):
            order = engine.stops.orders[order_id]
            yield "armed", *_order(order), order.order_type, order.trigger, order.trailing_ppm
    for venue in w.venues:
        yield from _venue(venue)
    yield "transfers", sorted(w.transfers.items())
    if w.chain is not None:
        yield from w.chain.parts()
    if w.wrappers or w.issuers:
        yield "unwraps", w.next_unwrap, sorted(w.unwraps.items())
        yield "wrappers", [w.wrappers[asset].numbers() for asset in sorted(w.wrappers)]
        yield "issuers", [issuer.numbers() for issuer in w.issuers]
    if w.lenders:
        yield "loans", w.next_loan, [w.loans[i].numbers() for i in sorted(w.loans)]
        for lender in w.lenders:
            yield "lender", lender.funded, lender.lent, lender.lost
            yield "lender work", list(lender.queue), list(lender.calls)


def _windows(w: World) -> Iterator[tuple[object, ...]]:
    for name, windows in (("range", w.ranges), ("average", w.averages)):
        for instrument, window in windows.items():
            yield name, instrument, [tuple(bucket) for bucket in window.buckets]
    for venue, rate in w.order_rates.items():
        yield "rate", venue, rate.interval, sorted(rate.counts.items())


def _order(order: Order) -> tuple[int, ...]:
    return (
        order.order_id, order.account, order.client_order_id, order.side, order.time_in_force,
        order.price, order.qty, order.leaves, order.display, order.flags, order.stp_mode,
        order.expire_ns,
    )  # fmt: skip


def _venue(venue: VenueState) -> Iterator[tuple[object, ...]]:
    yield "venue", venue.id, list(venue.queue), venue.asset_prices, venue.lent
    yield "debtors", list(venue.debtors)
    yield "liquidation", sorted(venue.steps.items()), sorted(venue.judged.items())
    yield "takeover", venue.takeover_busy, venue.bad_debt_total, venue.mark_epoch
    yield "funding", sorted(venue.last_funding_ppb.items()), venue.last_interest_ns
    for instrument in venue.perps:
        premium = venue.premiums[instrument]
        yield "premium", instrument, premium.count, premium.weighted
        yield "basis", instrument, venue.basis[instrument].state()
    yield (
        "switches",
        venue.transfers_enabled,
        venue.outflow.hour,
        sorted(venue.outflow.amounts.items()),
    )
    yield "ladder", sorted(venue.partial_ns.items()), venue.rounds, list(venue.adl_running)
    yield "fund", venue.fund_history.balance, venue.fund_history.state()
    for instrument in venue.perps:
        result = venue.symbol_results[instrument]
        yield "result", instrument, result.balance, result.state()
        yield "previous", instrument, venue.previous_marks[instrument]
    yield "samples", sorted(venue.next_sample_ns.items())
    for instrument, oracle in venue.oracles.items():
        yield "oracle", instrument, oracle.state()
