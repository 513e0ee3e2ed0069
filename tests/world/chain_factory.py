"""A world with a chain: the small world of ``factory`` and wallets on a third venue.

Amounts are whole numbers of millionths; gas is paid in ETH of six decimals, and the base fee is
high enough that every fee is some units.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.defi.spec import ChainSpec
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import CASH
from exchange_sim.world import FeeTier, VenueSpec, WorldConfig
from tests.world.factory import ETH, SECOND, USDT, Desk, Event, make_config, of

CHAIN = 2
GWEI = 10**9
Action = tuple[int, ...]


def chain_config(config: WorldConfig | None = None, **settings: Any) -> WorldConfig:
    """The world of ``factory`` with a chain; ``settings`` are those of ``ChainSpec``."""
    config = config or make_config()
    venue = VenueSpec(CHAIN, "chain", USDT, (FeeTier(0, 0),), {})
    spec = ChainSpec(CHAIN, ETH, **{"base_fee_wei": 100 * GWEI, **settings})
    return attrs.evolve(config, venues=(*config.venues, venue), chain=spec)


class ChainDesk(Desk):
    """A desk with wallets; every command is checked."""

    def __init__(self, config: WorldConfig | None = None, check: bool = True, **settings: Any):
        super().__init__(config or chain_config(**settings), check)
        assert self.w.chain is not None
        self.chain = self.w.chain
        self.last_tx = 0

    def wallet(self, gas: int = 10**9, **units: int) -> int:
        """A wallet with ETH for gas and deposits such as ``usdt=5_000``."""
        return self.account(CASH, CHAIN, eth=gas + units.pop("eth", 0), **units)

    def stage(self, wallet: int, *actions: Action) -> int:
        """A draft with these actions; its client id."""
        self.last_tx += 1
        for action in actions:
            fields = (*map(int, action), *[0] * (7 - len(action)))
            assert self.do(100, wallet, self.last_tx, *fields) == []
        return self.last_tx

    def submit(
        self, wallet: int, *actions: Action, tip: int = GWEI, most: int = 10**4 * GWEI,
        gas: int = 0,
    ) -> list[Event]:  # fmt: skip
        """Send a transaction to the mempool."""
        return self.do(101, wallet, self.stage(wallet, *actions), tip, most, gas)

    def block(self, others: int = 0, tip: int = 0) -> list[Event]:
        """The next block."""
        self.now += 12 * SECOND
        return self.do(103, others, tip)

    def act(self, wallet: int, *actions: Action) -> list[Event]:
        """A transaction in a block of its own, which must succeed; its events."""
        assert len(of(self.submit(wallet, *actions), 100)) == 1
        events = self.block()
        assert not of(events, 102), RejectReason(of(events, 102)[0][8]).name
        assert len(of(events, 101)) == 1
        return events

    def fails(self, wallet: int, *actions: Action) -> RejectReason:
        """Why a transaction fails in the next block."""
        assert len(of(self.submit(wallet, *actions), 100)) == 1
        (failure,) = of(self.block(), 102)
        return RejectReason(failure[8])
