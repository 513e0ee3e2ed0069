"""A second bookkeeper of the chain: shares, liquidity and indices rebuilt from events alone.

It judges while the events come: that indices never fall (LEND-1), that liquidations keep to the
close factor and heal (LEND-3), that no swap and no deposit takes value from an AMM (AMM-1), that
blocks keep to their gas (CHAIN-1).  What it expects to be there is compared with the state after
the command (LED-2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.defi import aave, curve
from exchange_sim.defi.feeds import USD
from exchange_sim.defi.reserves import debt_of, deposit_of
from exchange_sim.defi.spec import AmmKind
from exchange_sim.messages.reasons import PoolSide
from exchange_sim.units import PPM
from exchange_sim.world.chain.feeds import price_of
from exchange_sim.world.chain.health import terms, value_down, value_up

if TYPE_CHECKING:
    from exchange_sim.world.chain.amms import Amm
    from exchange_sim.world.world import World

Event = tuple[int, ...]
Key = tuple[int, ...]
Problem = tuple[str, str, str, tuple[int, ...]]
SUPPLY, DEBT, COLLATERAL = (int(side) for side in PoolSide)
FIRST_CHAIN_EVENT: Final = 100
ROUNDING_USD: Final = USD // 100
"""A cent: values of single units of coarse assets round by less."""
TREASURY: Final = -1
NEWTON: Final = 2
"""By how many 10**-18 coins two iterations for the same invariant may differ."""


class ShadowChain:
    """Follows one chain; ``problems`` are what it found."""

    def __init__(self, w: World) -> None:
        assert w.chain is not None
        self.w = w
        self.chain = w.chain
        self.problems: list[Problem] = []
        self.shares: dict[Key, int] = {}
        self.lots: dict[Key, int] = {}
        self.liquidity: dict[Key, int] = {}
        self.ranges: dict[Key, int] = {}
        self.indices: dict[tuple[int, int], tuple[int, int]] = {}
        self._amm_at = {amm.account: amm for amm in self.chain.amms}
        self._held = {amm.id: amm.balances(w.ledger) for amm in self.chain.amms}
        self._before: dict[int, list[int]] = {}
        self._written_off = 0
        self._gas = 0
        self._adopt()

    def _adopt(self) -> None:
        """Start with what there is."""
        for pool in self.chain.pools:
            for k, reserve in enumerate(pool.reserves):
                asset = reserve.spec.asset
                self.shares[pool.id, asset, TREASURY, SUPPLY] = reserve.treasury_shares
                self.indices[pool.id, asset] = reserve.supply_index, reserve.debt_index
                for wallet, held in pool.positions.items():
                    self.shares[pool.id, asset, wallet, SUPPLY] = held.supply.get(k, 0)
                    self.shares[pool.id, asset, wallet, DEBT] = held.debt.get(k, 0)
        for market in self.chain.markets:
            for wallet, lot in market.positions.items():
                self.lots[market.id, wallet, SUPPLY] = lot.supply_shares
                self.lots[market.id, wallet, DEBT] = lot.borrow_shares
                self.lots[market.id, wallet, COLLATERAL] = lot.collateral
        for amm in self.chain.amms:
            for wallet, owned in amm.shares.items():
                self.liquidity[amm.id, wallet] = owned
            for (wallet, lower, upper), found in amm.ranges.items():
                self.ranges[amm.id, wallet, lower, upper] = found.liquidity

    def _blame(self, rule: str, expected: object, found: object, *wallets: int) -> None:
        self.problems.append((rule, str(expected), str(found), wallets))

    def observe(self, events: list[Event]) -> None:
        """Take the events of a command, then compare what they named with the state."""
        self._gas = 0
        if not any(event[0] >= FIRST_CHAIN_EVENT for event in events):
            return
        self._written_off = 0
        for event in events:
            kind = event[0]
            if kind == 10:
                self._moved(event)
            elif kind >= FIRST_CHAIN_EVENT:
                self._take(kind, event)
        for event in events:
            self._compare(event)

    def _moved(self, event: Event) -> None:
        _, asset, source, target, amount, _ = event
        for account, signed in ((source, -amount), (target, amount)):
            amm = self._amm_at.get(account)
            if amm is not None:
                self._before.setdefault(amm.id, list(self._held[amm.id]))
                self._held[amm.id][amm.index_of[asset]] += signed

    def _take(self, kind: int, event: Event) -> None:
        if kind == 110:
            _, pool, asset, wallet, side, shares, change, _, _ = event
            key = pool, asset, wallet, side
            self._changed(self.shares, key, shares, change, wallet)
        elif kind == 111:
            self._reserve(event)
        elif kind == 112:
            self._liquidation(event)
        elif kind == 113:
            price = self._price(event[1], event[2])
            self._written_off += value_up(self.w, event[2], event[4], price)
        elif kind == 116:
            _, market, wallet, side, shares, change, _, _ = event
            self._changed(self.lots, (market, wallet, side), shares, change, wallet)
        elif kind == 120:
            self._swap(event)
        elif kind == 121:
            _, amm, wallet, shares, change, _ = event
            self._changed(self.liquidity, (amm, wallet), shares, change, wallet)
            self._deposit(event)
        elif kind == 122:
            _, amm, wallet, lower, upper, liquidity, change, *_ = event
            key = amm, wallet, lower, upper
            self._changed(self.ranges, key, liquidity, change, wallet)
            self._before.pop(amm, None)
        elif kind in (101, 102):
            self._gas += event[5]
        elif kind == 104:
            self._block(event)

    def _changed(self, table: dict[Key, int], key: Key, now: int, by: int, who: int) -> None:
        before = table.get(key, 0)
        if before + by != now or now < 0:
            self._blame("LED-2", f"{before} + {by} shares", f"{now} of {key}", who)
        table[key] = now

    def _price(self, pool: int, asset: int) -> int:
        found = self.chain.pools[pool]
        return price_of(self.w, found.spec.reserves[found.index_of[asset]].oracle)

    def _reserve(self, event: Event) -> None:
        """LEND-1: interest only ever adds; caps are judged by the pool's own totals (LEND-3)."""
        _, pool, asset, supply, debt, *_ = event
        before = self.indices.get((pool, asset), (0, 0))
        if supply < before[0] or debt < before[1]:
            self._blame("LEND-1", f"at least {before}", (supply, debt))
        self.indices[pool, asset] = supply, debt

    def _liquidation(self, event: Event) -> None:
        """LEND-3, with the values of this block; events of the call itself came before."""
        (_, pool_id, borrower, _, debt_asset, coll_asset, repaid, seized, _, before, after) = event
        pool = self.chain.pools[pool_id]
        if before >= PPM:
            self._blame("LEND-3", "a health factor below 1", before, borrower)
        debts = self._written_off + self._value(pool_id, borrower, DEBT)
        repaid_value = value_up(self.w, debt_asset, repaid, self._price(pool_id, debt_asset))
        reserve_debt = repaid_value + self._value(pool_id, borrower, DEBT, debt_asset)
        seized_value = value_down(self.w, coll_asset, seized, self._price(pool_id, coll_asset))
        collateral = seized_value + self._value(pool_id, borrower, SUPPLY, coll_asset)
        least = pool.spec.min_base_usd * USD + ROUNDING_USD
        limited = before > aave.CLOSE_FACTOR_HF and min(reserve_debt, collateral) >= least
        most = (debts + repaid_value) * aave.CLOSE_FACTOR_PPM // PPM + ROUNDING_USD
        if limited and repaid_value > most:
            self._blame("LEND-3", f"half of the debt, {most}", repaid_value, borrower)
        position = pool.positions[borrower]
        _, threshold, bonus = terms(pool, position, pool.index_of[coll_asset])
        deep = before * PPM <= (threshold + 1) * (bonus + 1)
        if after < before and not deep and not self._written_off:
            self._blame("LEND-3", f"health at least {before}", after, borrower)
        self._written_off = 0

    def _value(self, pool_id: int, wallet: int, side: int, only: int = -1) -> int:
        """Value of a wallet's deposits or debts in a pool, by the shares of this bookkeeper."""
        pool, total = self.chain.pools[pool_id], 0
        for reserve in pool.reserves:
            asset = reserve.spec.asset
            shares = self.shares.get((pool_id, asset, wallet, side), 0)
            if not shares or only not in (-1, asset):
                continue
            price = self._price(pool_id, asset)
            if side == DEBT:
                total += value_up(self.w, asset, debt_of(shares, reserve.debt_index), price)
            else:
                amount = deposit_of(shares, reserve.supply_index)
                total += value_down(self.w, asset, amount, price)
        return total

    # AMMs

    def _swap(self, event: Event) -> None:
        """AMM-1: what the pool is worth to its owners does not fall."""
        amm = self.chain.amms[event[1]]
        before, after = self._before.pop(amm.id, self._held[amm.id]), self._held[amm.id]
        if amm.kind != AmmKind.CONCENTRATED and _fell(amm, before, after):
            self._blame("AMM-1", f"{worth(amm, before)}", worth(amm, after), event[2])

    def _deposit(self, event: Event) -> None:
        """AMM-1: the value of a share does not fall when liquidity comes or goes."""
        _, amm_id, wallet, _, change, total = event
        amm = self.chain.amms[amm_id]
        before, after = self._before.pop(amm_id, self._held[amm_id]), self._held[amm_id]
        old = total - change
        if not old or not total:
            return
        # The square root of a product compares by squares.
        power = 2 if amm.kind == AmmKind.CONSTANT_PRODUCT else 1
        if _fell(amm, before, after, old**power, total**power):
            found = f"{worth(amm, after)} for {total}"
            self._blame("AMM-1", f"{worth(amm, before)} for {old} shares", found, wallet)

    def _block(self, event: Event) -> None:
        """CHAIN-1: the gas of the receipts and of the others is that of the block, and fits."""
        _, _, _, used, others, *_ = event
        if self._gas + others != used or used > self.chain.spec.gas_limit:
            self._blame("CHAIN-1", f"{self._gas} + {others} gas", used)

    def _compare(self, event: Event) -> None:
        """LED-2: what an event named is what the state has."""
        kind, chain, want, have = event[0], self.chain, 0, 0
        if kind == 110:
            _, pool_id, asset, wallet, side, *_ = event
            pool = chain.pools[pool_id]
            k, held = pool.index_of[asset], pool.positions.get(wallet)
            want = self.shares[pool_id, asset, wallet, side]
            if wallet == TREASURY:
                have = pool.reserves[k].treasury_shares
            elif held is not None:
                have = (held.debt if side == DEBT else held.supply).get(k, 0)
        elif kind == 116:
            _, market, wallet, side, *_ = event
            lot = chain.markets[market].positions[wallet]
            want = self.lots[market, wallet, side]
            have = (lot.supply_shares, lot.borrow_shares, lot.collateral)[side]
        elif kind == 121:
            want = self.liquidity[event[1], event[2]]
            have = chain.amms[event[1]].shares.get(event[2], 0)
        elif kind == 122:
            key = event[2], event[3], event[4]
            want = self.ranges[event[1], *key]
            found = chain.amms[event[1]].ranges.get(key)
            have = found.liquidity if found else 0
        if want != have:
            self._blame("LED-2", want, f"{have} after {event}")


def _fell(amm: Amm, before: list[int], after: list[int], old: int = 1, new: int = 1) -> bool:
    """Whether a pool is worth less than before, per share when totals are given."""
    start, end = worth(amm, before), worth(amm, after)
    return start is not None and end is not None and (end + NEWTON) * old < start * new


def worth(amm: Amm, held: list[int]) -> int | None:
    """Product or invariant of a pool's balances; None when it has none (an empty side, or too far
    out of balance for the iteration).
    """
    if amm.kind == AmmKind.CONSTANT_PRODUCT:
        return held[0] * held[1]
    try:
        return curve.invariant(amm.scaled(held), amm.amplification)
    except ValueError:
        return None
