"""A world of two traders in one file, and a recorder that writes its runs as the product does.

The world is wrong in every way but one: its balances follow from its events.  What is tested with
it are the readers of runs, which must not care.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

from exchange_sim.eventlog import (
    BookSummary,
    EventLog,
    Manifest,
    write_accounts,
    write_assets,
    write_balances,
    write_instruments,
    write_manifest,
    write_positions,
)
from exchange_sim.journal import JournalFooter, JournalHeader, JournalWriter
from tests.doubles.storage import START_NS, Row, header

EXTERNAL, FEES, CLEARING, POOL, ALICE, BOB = range(6)
USDT, BTC = 0, 1
SPOT, PERP = 0, 1
SECOND = 10**9
OWNERS = ("system/external", "lead/fees", "clearing", "lead/pool", "alice", "bob")

Balances = dict[tuple[int, int], int]


class TinyWorld:
    """Deposits, loans and trades between Alice and Bob.  ``flaw`` changes what is applied."""

    def __init__(self, flaw: str = "") -> None:
        self.seq = 0
        self.flaw = flaw
        self.balances: Balances = {}
        self.loans: Balances = {}
        self.out: list[Row] = []

    def apply(self, command: Row, /) -> list[Row]:
        """Apply a command; its list of events is used again for the next one."""
        self.seq += 1
        self.out.clear()
        kind, _, *fields = command
        handlers: dict[int, Callable[..., None]] = {
            1: self.trade,
            2: self.refuse,
            13: self.crash,
            21: self.deposit,
            23: self.borrow,
        }
        handlers[kind](*fields)
        return self.out

    def state_digest(self) -> str:
        """Digest of balances and loans."""
        state = (self.seq, sorted(self.balances.items()), sorted(self.loans.items()))
        return blake2b(repr(state).encode(), digest_size=16).hexdigest()

    def move(self, asset: int, source: int, target: int, amount: int) -> None:
        """Change two balances."""
        for account, change in ((source, -amount), (target, amount)):
            key = (account, asset)
            self.balances[key] = self.balances.get(key, 0) + change

    def deposit(self, account: int, asset: int, amount: int) -> None:
        """Bring money in."""
        self.move(asset, EXTERNAL, account, amount)
        self.out.append((10, asset, EXTERNAL, account, amount, 1))

    def borrow(self, account: int, asset: int, amount: int) -> None:
        """Lend from the pool; a negative amount is a repayment."""
        self.move(asset, POOL, account, amount)
        loan = self.loans[account, asset] = self.loans.get((account, asset), 0) + amount
        self.out.append((10, asset, POOL, account, amount, 7))
        self.out.append((11, account, asset, loan, amount, 7))

    def refuse(self, account: int, client_order_id: int) -> None:
        """Every cancel is refused."""
        self.out.append((2, account, SPOT, client_order_id, 402, 2))

    def trade(self, taker: int, instrument: int, order: int, side: int, *more: int) -> None:
        """The other trader takes the whole order; perpetuals realize some PnL."""
        _, _, price, qty, *_ = more
        maker = ALICE + BOB - taker
        quote, base = price * qty, 1_000 * qty
        maker_fee, taker_fee, pnl = quote // 5_000, quote // 2_000, (0, 0)
        if self.flaw == "fee" and self.seq == 7:
            taker_fee += 1
        if instrument == SPOT:
            buyer, seller = (taker, maker) if side == 0 else (maker, taker)
            self.move(BTC, seller, buyer, base)
            self.move(USDT, buyer, seller, quote)
        else:
            base, pnl = 0, (qty, -2 * qty)
            self.move(USDT, CLEARING, maker, pnl[0])
            self.move(USDT, CLEARING, taker, pnl[1])
        self.move(USDT, maker, FEES, maker_fee)
        self.move(USDT, taker, FEES, taker_fee)
        self.out.append((1, order, taker, instrument, order, side, 0, 0, price, qty, 0, 0, 0))
        ids = (order, instrument, price, qty, side, order - 1, order, maker, taker)
        amounts = (base, quote, maker_fee, taker_fee, *pnl)
        self.out.append((6, *ids, *amounts, 0, order - 1, order, 0, 0))

    def crash(self, venue: int) -> None:
        """One account is sold out, the fund pays, somebody is deleveraged, something is lost."""
        self.out += [
            (31, ALICE, 5 * 10**6, 6 * 10**6, 900_000, PERP, -1),
            (32, ALICE, 1, -1, 3, 0),
            (32, ALICE, 3, PERP, 5, 250 * 10**6),
            (34, venue, USDT, -30 * 10**6, 70 * 10**6),
            (35, PERP, 90_000 * 10**6, 20, ALICE, BOB, 5, -5, 0),
            (32, ALICE, 6, PERP, 20, 180 * 10**6),
            (36, venue, ALICE, USDT, 4 * 10**6),
            (33, ALICE, 4, 0, 0),
        ]


def tiny_world(_: JournalHeader) -> TinyWorld:
    """What a header's scenario leads to."""
    return TinyWorld()


def order(i: int, instrument: int, side: int, price: int, qty: int = 10) -> Row:
    """A new order at second ``i``; Alice and Bob take turns."""
    head = (1, START_NS + i * SECOND, ALICE + i % 2, instrument, 100 + 2 * i, side)
    return (*head, 0, 0, price, qty, 0, 0, 0, 0, 0, 0)


def commands() -> list[Row]:
    """Money in, a loan, trades that fall by a tenth and half recover, a crash, a refusal."""
    money = [
        (21, START_NS, ALICE, USDT, 10**12),
        (21, START_NS, BOB, BTC, 10**10),
        (21, START_NS, BOB, USDT, 10**12),
        (23, START_NS, ALICE, BTC, 5_000_000),
    ]
    prices = [100_000, 99_000, 95_000, 90_000, 92_000, 95_000]
    trades = [order(i, i % 2, i // 2 % 2, prices[i // 2]) for i in range(12)]
    now = START_NS + 12 * SECOND
    end = [(13, now, 0), (2, now, ALICE, 4), (23, now, ALICE, BTC, -2_000_000)]
    return [*money, *trades, *end]


def write_run(
    folder: Path, rows: list[Row] | None = None, flaw: str = "", **facts: Any
) -> TinyWorld:
    """Record a run of the tiny world as ``Recording`` records one of the real world."""
    rows = commands() if rows is None else rows
    world, log, said = TinyWorld(flaw), EventLog(folder), header(**facts)
    journal, books = JournalWriter(folder / "journal.bin", said), BookSummary(folder, [1, 1])
    for i, row in enumerate(rows):
        journal.append(row)
        log.record(i + 1, row[1], world.apply(row))
        if i % 8 == 7:
            journal.flush()
    for second in range(20):
        mid = 100_000 if second < 10 else 90_000
        depth = 50 if second < 10 else 5
        for instrument in (SPOT, PERP):
            bids = [(mid - 10 - second, depth)]
            books.sample(
                START_NS + second * SECOND, instrument, bids[0][0], mid + 10, bids, [(mid + 10, 9)]
            )
    state, events = world.state_digest(), log.digest()
    journal.close(JournalFooter(world.seq, state, events))
    log.close()
    books.close()
    write_names(folder)
    keys = sorted({*world.balances, *world.loans})
    write_balances(folder, [(*k, world.balances.get(k, 0), world.loans.get(k, 0)) for k in keys])
    write_positions(folder, [])
    found = Manifest(
        scenario=said.scenario, seed=said.seed, package_version=said.package_version,
        python_version=said.python_version, start_ns=START_NS, end_ns=rows[-1][1],
        commands=world.seq, state_digest=state, event_digest=events,
        journal_digest=journal.digest, counts=log.counts, complete=True,
    )  # fmt: skip
    write_manifest(folder, found)
    return world


def write_names(folder: Path) -> None:
    """The side tables."""
    write_assets(
        folder,
        [
            {"asset": USDT, "symbol": "USDT", "decimals": 6},
            {"asset": BTC, "symbol": "BTC", "decimals": 8},
        ],
    )
    shared = {"venue": 0, "venue_name": "lead", "base_asset": BTC, "quote_asset": USDT}
    shared |= {"tick_size": "0.1", "lot_size": "0.00001", "fee_account": FEES}
    write_instruments(
        folder,
        [
            {"instrument": SPOT, "symbol": "BTCUSDT", "kind": 0, "clearing_account": -1, **shared},
            {
                "instrument": PERP,
                "symbol": "BTCUSDT-PERP",
                "kind": 1,
                "clearing_account": CLEARING,
                **shared,
            },
        ],
    )
    write_accounts(
        folder,
        [
            {
                "account": at, "venue": 0, "venue_name": "lead", "owner": owner,
                "population": "people", "unified": 1, "notable": 0,
            }
            for at, owner in enumerate(OWNERS)
        ],
    )  # fmt: skip
