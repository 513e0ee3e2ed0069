"""Actions on the chain in a strategy's words: names and whole assets instead of numbers and units.

Every method returns one action for ``transact``.  A quantity is a number of whole assets, ``ALL``
(all that there is) or ``PREVIOUS`` (what the action before gave)::

    self.transact(
        self.borrow_action("core", "USDT", ALL),
        self.swap_action("curve", "USDT", PREVIOUS, "USDE", min_out=990),
        self.supply_action("core", "USDE", PREVIOUS),
    )
"""

from __future__ import annotations

import math
from typing import Final

from exchange_sim.marketdata.market import Number
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.strategy.requests import AccountRequests

Action = tuple[int, ...]
A = ActionKind

ALL: Final = -1
PREVIOUS: Final = -2
TICK: Final = math.log(1.0001)


class ChainActions(AccountRequests):
    """Builders of actions.  Unknown names raise ``UsageError`` with the nearest known one."""

    def _amount(self, asset: str, qty: Number) -> int:
        return int(qty) if qty in (ALL, PREVIOUS) else self._ctx.units(asset, qty)

    def _pool(self, kind: A, pool: str, asset: str, qty: Number) -> Action:
        id, asset_id = self._ctx.chain_id("pool", pool), self._ctx.asset_id(asset)
        return (int(kind), id, asset_id, self._amount(asset, qty))

    def send_action(self, asset: str, qty: Number, wallet: int) -> Action:
        """Give ``qty`` to another wallet."""
        return (int(A.SEND), self._ctx.asset_id(asset), self._amount(asset, qty), wallet)

    def supply_action(self, pool: str, asset: str, qty: Number) -> Action:
        """Deposit in a lending pool."""
        return self._pool(A.SUPPLY, pool, asset, qty)

    def withdraw_action(self, pool: str, asset: str, qty: Number) -> Action:
        """Take a deposit back."""
        return self._pool(A.WITHDRAW, pool, asset, qty)

    def borrow_action(self, pool: str, asset: str, qty: Number) -> Action:
        """Borrow from a lending pool; ``ALL`` is as much as the collateral allows."""
        return self._pool(A.BORROW, pool, asset, qty)

    def repay_action(self, pool: str, asset: str, qty: Number) -> Action:
        """Pay a debt back; ``ALL`` is the whole debt, as far as the wallet can."""
        return self._pool(A.REPAY, pool, asset, qty)

    def flash_action(self, pool: str, asset: str, qty: Number) -> Action:
        """Borrow until the end of the transaction, at the pool's premium."""
        return self._pool(A.FLASH_LOAN, pool, asset, qty)

    def category_action(self, pool: str, category: str) -> Action:
        """Choose an e-mode category by name; an empty name leaves it."""
        id = self._ctx.chain_id("pool", pool)
        return (int(A.SET_CATEGORY), id, self._ctx.chain_id(f"category of {pool}", category))

    def liquidate_action(
        self,
        pool: str,
        borrower: int,
        debt: str,
        collateral: str,
        qty: Number = ALL,
        as_deposit: bool = False,
    ) -> Action:
        """Repay ``qty`` of a borrower's debt for collateral; ``borrower`` is a wallet's number."""
        return (
            int(A.LIQUIDATE), self._ctx.chain_id("pool", pool), borrower,
            self._ctx.asset_id(debt), self._ctx.asset_id(collateral), self._amount(debt, qty),
            int(as_deposit),
        )  # fmt: skip

    def swap_action(
        self, amm: str, asset_in: str, qty: Number, asset_out: str, min_out: Number = 0
    ) -> Action:
        """Swap an exact input; the transaction fails below ``min_out``."""
        return (
            int(A.SWAP), self._ctx.chain_id("AMM", amm), self._ctx.asset_id(asset_in),
            self._ctx.asset_id(asset_out), self._amount(asset_in, qty),
            self._ctx.units(asset_out, min_out),
        )  # fmt: skip

    def add_liquidity_action(
        self, amm: str, amounts: dict[str, Number], coins: tuple[str, ...], min_shares: int = 0
    ) -> Action:
        """Provide ``amounts`` by coin to a pool with these ``coins`` (see ``AmmView.coins``)."""
        units = [self._amount(coin, amounts.get(coin, 0)) for coin in coins]
        padded = [*units, *[0] * (4 - len(units))]
        return (int(A.ADD_LIQUIDITY), self._ctx.chain_id("AMM", amm), *padded, min_shares)

    def remove_liquidity_action(self, amm: str, shares: int = ALL) -> Action:
        """Burn shares (see ``AmmView.shares``) for a part of every coin."""
        return (int(A.REMOVE_LIQUIDITY), self._ctx.chain_id("AMM", amm), shares)

    def remove_one_coin_action(
        self, amm: str, asset: str, shares: int = ALL, min_out: Number = 0
    ) -> Action:
        """Burn shares of a stableswap pool for one coin."""
        return (
            int(A.REMOVE_ONE_COIN), self._ctx.chain_id("AMM", amm), shares,
            self._ctx.asset_id(asset), self._ctx.units(asset, min_out),
        )  # fmt: skip

    def add_range_action(
        self, amm: str, ticks: tuple[int, int], amounts: tuple[tuple[str, Number], ...]
    ) -> Action:
        """Provide two coins, at most these amounts, between two ticks of a concentrated pool."""
        units = [self._amount(coin, qty) for coin, qty in amounts]
        return (int(A.ADD_RANGE), self._ctx.chain_id("AMM", amm), *ticks, *units)

    def remove_range_action(self, amm: str, ticks: tuple[int, int], liquidity: int = ALL) -> Action:
        """Take liquidity and its fees back; 0 only collects the fees."""
        return (int(A.REMOVE_RANGE), self._ctx.chain_id("AMM", amm), *ticks, liquidity)

    def tick(self, price: float, coins: tuple[str, str]) -> int:
        """The tick at or below a price (second coin per first) of a concentrated pool."""
        first, second = (self._ctx.units(coin, 1) for coin in coins)
        return math.floor(math.log(price * second / first) / TICK)

    def market_action(self, kind: ActionKind, market: str, asset: str, qty: Number) -> Action:
        """An action of an isolated market: ``kind`` is one of ``ActionKind.MARKET_...``."""
        return (int(kind), self._ctx.chain_id("market", market), self._amount(asset, qty))

    def market_liquidate_action(
        self, market: str, borrower: int, loan: str, qty: Number = ALL
    ) -> Action:
        """Repay ``qty`` of a borrower's debt in an isolated market for its collateral."""
        id = self._ctx.chain_id("market", market)
        return (int(A.MARKET_LIQUIDATE), id, borrower, self._amount(loan, qty))
