"""State of the chain: its mempool, its fee, and everything that is deployed on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange_sim.defi.feeds import Feed
from exchange_sim.defi.mempool import Action, Mempool
from exchange_sim.defi.spec import ChainSpec
from exchange_sim.model.account import CASH
from exchange_sim.world.chain.amms import Amm
from exchange_sim.world.chain.pools import MarketState, Pool

if TYPE_CHECKING:
    from exchange_sim.world.world import World


class ChainState:
    """What the chain knows beyond the ledger.

    ``drafts[wallet][client id]`` are actions that are not submitted yet.  ``burned`` and
    ``proposer`` are the accounts that base fees and tips go to, ``treasury`` earns the premiums of
    flash loans; ``block`` is the last one.
    """

    def __init__(self, spec: ChainSpec, w: World) -> None:
        self.spec = spec
        self.venue = spec.venue
        self.gas_asset = spec.gas_asset
        self.gas_scale = w.config.assets[spec.gas_asset].asset.scale
        self.burned = w.add_account(spec.venue, -1, CASH, 0)
        self.proposer = w.add_account(spec.venue, -1, CASH, 0)
        self.treasury = w.add_account(spec.venue, -1, CASH, 0)
        self.block = 0
        self.base_fee = spec.base_fee_wei
        self.next_tx = 1
        self.mempool = Mempool()
        self.drafts: dict[int, dict[int, list[Action]]] = {}
        now = w.config.start_ns
        self.feeds = [Feed(oracle, now) for oracle in spec.oracles]
        self.pools = [
            Pool(k, pool, w.add_account(spec.venue, -1, CASH, 0), self.treasury, now)
            for k, pool in enumerate(spec.pools)
        ]
        self.markets = [
            MarketState(k, market, w.add_account(spec.venue, -1, CASH, 0), now)
            for k, market in enumerate(spec.markets)
        ]
        self.amms = [
            Amm(k, amm, w.add_account(spec.venue, -1, CASH, 0), w.config.assets)
            for k, amm in enumerate(spec.amms)
        ]

    def parts(self) -> Iterator[tuple[object, ...]]:
        """Every number of the state, for the digest."""
        yield "chain", self.block, self.base_fee, self.next_tx
        for tx in self.mempool:
            yield (
                "transaction", tx.id, tx.wallet, tx.client_id, tx.priority_fee, tx.max_fee,
                tx.gas_limit, tx.actions,
            )  # fmt: skip
        for wallet in sorted(self.drafts):
            yield "drafts", wallet, sorted(self.drafts[wallet].items())
        for oracle, feed in enumerate(self.feeds):
            yield "feed", oracle, feed.price, feed.updated_ns, list(feed.samples)
        for pool in self.pools:
            yield from pool.parts()
        for market in self.markets:
            yield from market.parts()
        for amm in self.amms:
            yield from amm.parts()
