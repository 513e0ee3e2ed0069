"""Loops of populations that are given up: thousands of wallets, no process each.

After each block one vector operation per pool compares all health factors with the levels at which
their owners lose their nerve; another one compares the discount of the collateral in an AMM with
what they bear.  Whoever is named acts once, after a reaction time of its own, with one atomic
transaction::

    flash loan of the debt -> repay -> withdraw collateral -> swap it -> pay the flash loan back

and tries again a few times when the swap would lose more than it accepts.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from exchange_sim.defi.reserves import debt_of, deposit_of
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.rng import Stream
from exchange_sim.sim.chain_feed import ChainFeed
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.sim.seams import Event
from exchange_sim.sim.venue import VenueServer
from exchange_sim.strategy.chain_views import ChainView
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_S, PPM
from exchange_sim.world.world import World

A = ActionKind
TRIES: Final = 5
"""Attempts of one owner, a minute apart."""
PREVIOUS: Final = -2
TIP_WEI: Final = 2 * 10**9
MAX_FEE_FACTOR: Final = 4
"""Owners pay up to this many times the base fee that they see."""


@attrs.frozen
class Unwind:
    """When one loop is given up: at a health factor, at a discount (0: not), how much, and how.

    ``pool``, ``collateral``, ``debt`` and ``amm`` are ids.
    """

    pool: int
    collateral: int
    debt: int
    health: float
    discount: float
    share: float
    amm: int
    slippage: float
    reaction_mean_s: float
    reaction_sd_s: float


class Loopers:
    """All loops that may be given up, by wallet."""

    def __init__(
        self, w: World, feed: ChainFeed, kernel: Kernel, server: VenueServer, stream: Stream
    ) -> None:
        self.unwinds: dict[int, Unwind] = {}
        self._w = w
        self._feed = feed
        self._kernel = kernel
        self._server = server
        self._stream = stream
        self._tries: dict[int, int] = {}
        self._levels: dict[int, npt.NDArray[np.float64]] = {}
        self._groups: dict[tuple[int, int, int], list[tuple[float, int]]] = {}
        self._next_id = 1

    def start(self) -> None:
        """Sort who waits for a discount, the most nervous first."""
        for wallet, rule in self.unwinds.items():
            if rule.discount > 0:
                key = rule.amm, rule.collateral, rule.debt
                self._groups.setdefault(key, []).append((rule.discount, wallet))
        for group in self._groups.values():
            group.sort()

    def on_block(self, view: ChainView) -> None:
        """Find who gives up now.  O(accounts) in vectors, O(named) in Python."""
        if not self.unwinds:
            return
        for pool, screen in enumerate(self._feed.screens):
            health = screen.health()
            rows = np.flatnonzero(health < self._level(pool, screen.wallets))
            for row in rows:
                self._decide(screen.wallets[row])
        for (amm, collateral, debt), group in self._groups.items():
            discount = self._discount(view, amm, collateral, debt)
            for trigger, wallet in group:
                if trigger > discount:
                    break
                self._decide(wallet)

    def _level(self, pool: int, wallets: list[int]) -> npt.NDArray[np.float64]:
        """Levels aligned with the rows of a screen."""
        known = self._levels.get(pool)
        if known is None or len(known) != len(wallets):
            rules = (self.unwinds.get(wallet) for wallet in wallets)
            known = np.array([r.health if r and r.pool == pool else 0.0 for r in rules])
            self._levels[pool] = known
        return known

    def _discount(self, view: ChainView, amm: int, collateral: int, debt: int) -> float:
        """How far the collateral trades below what the pool's oracles say."""
        names = [spec.asset.name for spec in self._w.config.assets]
        found = next(a for a in view.amms.values() if a.id == amm)
        traded = found.price(names[collateral], names[debt])
        for pool in view.pools.values():
            reserves = pool.reserves
            if names[collateral] in reserves and names[debt] in reserves:
                fair = reserves[names[collateral]].price / reserves[names[debt]].price
                return 1.0 - traded / fair if traded > 0 else 1.0
        return 0.0

    def _decide(self, wallet: int) -> None:
        """The owner makes up his mind, once, and acts a while later."""
        if wallet in self._tries:
            return
        self._tries[wallet] = TRIES
        rule = self.unwinds[wallet]
        mean, sd = rule.reaction_mean_s * NANOS_PER_S, rule.reaction_sd_s * NANOS_PER_S
        delay = self._stream.gamma_ns(int(mean), int(sd))
        self._kernel.at(self._kernel.now_ns + delay, self._act, wallet, SYSTEM)

    def _act(self, wallet: int) -> None:
        """Send the transaction through the node, if there is still something to unwind."""
        rule, left = self.unwinds[wallet], self._tries[wallet]
        self._tries[wallet] = left - 1
        actions = self._bundle(wallet, rule, left)
        if not actions or left <= 0 or self._server.down:
            return
        number, base = self._next_id, self._feed.base_fee
        self._next_id += 1
        packet = [(None, 100, (wallet, number, *action)) for action in actions]
        offer = TIP_WEI, TIP_WEI + MAX_FEE_FACTOR * base, 0
        self._server.arrive([*packet, (None, 101, (wallet, number, *offer))])

    def failed(self, _now: int, event: Event) -> None:
        """A transaction failed: its owner tries again in a minute."""
        wallet = event[2]
        if self._tries.get(wallet, 0) > 0:
            later = self._kernel.now_ns + NANOS_PER_MINUTE
            self._kernel.at(later, self._act, wallet, SYSTEM)

    def _bundle(self, wallet: int, rule: Unwind, left: int) -> list[tuple[int, ...]]:
        """The actions that give up ``share`` of a loop; later tries accept a worse price."""
        w, view = self._w, self._feed.views[-1]
        assert w.chain is not None
        pool = w.chain.pools[rule.pool]
        position = pool.positions.get(wallet)
        k, d = pool.index_of[rule.collateral], pool.index_of[rule.debt]
        if position is None or not position.debt.get(d) or not position.supply.get(k):
            return []
        now = w.time_ns
        owed = debt_of(position.debt[d], pool.reserves[d].indices_at(now)[1])
        held = deposit_of(position.supply[k], pool.reserves[k].indices_at(now)[0])
        repaid = max(1, int(owed * rule.share))
        due = repaid + -(-repaid * pool.spec.flash_premium_ppm // PPM)
        names, scales = w.config.assets, [spec.asset.scale for spec in w.config.assets]
        amm = next(a for a in view.amms.values() if a.id == rule.amm)
        coins = names[rule.collateral].asset.name, names[rule.debt].asset.name
        price = amm.price(*coins) * scales[rule.debt] / scales[rule.collateral]
        if price <= 0:
            return []
        allowance = 1.0 + rule.slippage * (TRIES + 1 - left)
        sold = min(held, int(due / price * allowance) + 1)
        return [
            (int(A.FLASH_LOAN), rule.pool, rule.debt, repaid, 0, 0, 0),
            (int(A.REPAY), rule.pool, rule.debt, repaid, 0, 0, 0),
            (int(A.WITHDRAW), rule.pool, rule.collateral, sold, 0, 0, 0),
            (int(A.SWAP), rule.amm, rule.collateral, rule.debt, PREVIOUS, due, 0),
        ]
