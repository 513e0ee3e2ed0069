"""A recorded run of random commands on the real world, with the truth about its books beside it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from exchange_sim.eventlog import (
    BookSummary,
    EventLog,
    Manifest,
    write_accounts,
    write_assets,
    write_balances,
    write_instruments,
    write_manifest,
)
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.world import World
from tests.world.soup import Soup, soup_config

Orders = list[tuple[int, int, int, int, int]]


class Truth(NamedTuple):
    """The books of a world after a command: by instrument and side, first to trade first."""

    seq: int
    time_ns: int
    orders: list[tuple[Orders, Orders]]


def books_of(world: World) -> list[tuple[Orders, Orders]]:
    """(order id, account, price, shown, leaves) of everything that rests."""
    found = []
    for engine in world.engines:
        bids, asks = (
            [(o.order_id, o.account, o.price, o.shown, o.leaves) for o in engine.book.orders_of(s)]
            for s in (BUY, SELL)
        )
        found.append((bids, asks))
    return found


def write_soup(folder: Path, seed: int, count: int, every: int, crash: bool = False) -> list[Truth]:
    """Record ``count`` random commands; the truth is kept after each ``every``-th of them."""
    world = World(soup_config(seed))
    soup = Soup(world, seed, hostile=0.0, crash=crash)
    log, truths = EventLog(folder), []
    books = BookSummary(folder, [inst.unit_value for inst in world.instruments])
    for number in range(1, count + 1):
        command = soup.next()
        log.record(number, command[1], world.apply(command))
        if number % every == 0:
            truths.append(Truth(number, command[1], books_of(world)))
    counts, events = log.counts, log.digest()
    log.close()
    books.close()
    write_names(folder, world)
    write_manifest(folder, Manifest(
        scenario="soup", seed=seed, package_version="0", python_version="0",
        start_ns=world.config.start_ns, end_ns=world.time_ns, commands=count,
        state_digest=world.state_digest(), event_digest=events, journal_digest="",
        counts=counts, complete=True,
    ))  # fmt: skip
    return truths


def write_names(folder: Path, world: World) -> None:
    """The side tables of a world."""
    venues = world.config.venues
    write_assets(folder, (
        {"asset": s.asset.id, "symbol": s.asset.name, "decimals": s.asset.decimals}
        for s in world.config.assets
    ))  # fmt: skip
    write_instruments(folder, (
        {
            "instrument": inst.id, "symbol": inst.symbol, "venue": inst.venue,
            "venue_name": venues[inst.venue].name, "kind": int(inst.kind),
            "base_asset": inst.base, "quote_asset": inst.quote,
            "tick_size": str(inst.tick_size), "lot_size": str(inst.lot_size),
            "clearing_account": world.clearing[inst.id], "fee_account": world.system[inst.venue][0],
        }
        for inst in world.instruments
    ))  # fmt: skip
    write_accounts(folder, (
        {
            "account": account.id, "venue": account.venue,
            "venue_name": venues[account.venue].name if account.venue >= 0 else "",
            "owner": f"owner-{account.owner}", "population": "soup",
            "unified": int(account.mode == 1), "notable": 1,
        }
        for account in world.accounts
    ))  # fmt: skip
    rows = [
        (account.id, asset, amount, account.loans.get(asset, 0))
        for account in world.accounts
        for asset, amount in enumerate(world.ledger.posted[account.id])
        if amount or account.loans.get(asset, 0)
    ]
    write_balances(folder, rows)
