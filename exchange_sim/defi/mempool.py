"""Transactions that wait for a block, best fee first, then first come first served.

A transaction offers a priority fee and a maximum fee per gas (EIP-1559); what it pays the proposer
is the lesser of the former and what the base fee leaves of the latter.

Simplifications
---------------
Transactions of one wallet do not wait for each other (there is no nonce): a wallet stands for as
many addresses as its owner likes, and what must happen in order is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush

from sortedcontainers import SortedKeyList

from exchange_sim.units import mul_div_ceil

REPLACEMENT_BUMP_PPM = 100_000
"""By how much the fees of a replacement must be higher (the price bump of go-ethereum)."""

Action = tuple[int, ...]
"""``(kind, a, b, c, d, e, f)``."""


class Transaction:
    """A transaction while it waits."""

    __slots__ = ("actions", "client_id", "gas_limit", "id", "max_fee", "priority_fee", "wallet")

    def __init__(
        self,
        id: int,
        wallet: int,
        client_id: int,
        priority_fee: int,
        max_fee: int,
        gas_limit: int,
        actions: tuple[Action, ...],
    ) -> None:
        self.id = id
        self.wallet = wallet
        self.client_id = client_id
        self.priority_fee = priority_fee
        self.max_fee = max_fee
        self.gas_limit = gas_limit
        self.actions = actions

    def tip(self, base_fee: int) -> int:
        """Wei per gas for the proposer at this base fee; negative: it cannot be included."""
        return min(self.priority_fee, self.max_fee - base_fee)

    def outbid_by(self, priority_fee: int, max_fee: int) -> bool:
        """Whether both fees are enough above its own to replace it."""
        return min(
            priority_fee * 1_000_000 - self.priority_fee * (1_000_000 + REPLACEMENT_BUMP_PPM),
            max_fee * 1_000_000 - self.max_fee * (1_000_000 + REPLACEMENT_BUMP_PPM),
        ) >= 0  # fmt: skip


def _offer(tx: Transaction) -> tuple[int, int]:
    return -tx.priority_fee, tx.id


class Mempool:
    """The waiting transactions, by wallet and client id, and in the order of what they offer."""

    def __init__(self) -> None:
        self._by_offer: SortedKeyList = SortedKeyList(key=_offer)
        self._by_name: dict[tuple[int, int], Transaction] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._by_offer)

    def get(self, wallet: int, client_id: int) -> Transaction | None:
        """The waiting transaction of a wallet with this id."""
        return self._by_name.get((wallet, client_id))

    def add(self, tx: Transaction) -> None:
        """Let a transaction wait.  O(log n)."""
        self._by_offer.add(tx)
        self._by_name[tx.wallet, tx.client_id] = tx

    def remove(self, tx: Transaction) -> None:
        """Take one out.  O(log n)."""
        self._by_offer.remove(tx)
        del self._by_name[tx.wallet, tx.client_id]

    def by_tip(self, base_fee: int) -> Iterator[Transaction]:
        """Those that can pay the base fee, highest tip first, then lowest number.

        Offers bound tips from above, so a heap of the few whose maximum fee cuts their tip gives
        the exact order without sorting everything.  The mempool must not change meanwhile.
        """
        cut: list[tuple[int, int, Transaction]] = []
        for tx in self._by_offer:
            tip = tx.tip(base_fee)
            while cut and cut[0][:2] < (-tx.priority_fee, tx.id):
                yield heappop(cut)[2]
            if tip == tx.priority_fee:
                yield tx
            elif tip >= 0:
                heappush(cut, (-tip, tx.id, tx))
        while cut:
            yield heappop(cut)[2]


def gas_fee(gas_used: int, price_wei: int, scale: int) -> int:
    """Cost of gas in units of the gas asset (``scale`` per whole one), rounded up."""
    return mul_div_ceil(gas_used * price_wei, scale, 10**18)
