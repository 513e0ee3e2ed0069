"""Liquidation bots: they act when it pays after gas, premium and slippage, and sell at once.

For every position below a health factor of 1 in the last block that they have seen, they look for
the debt, collateral and size that leave most::

    net = proceeds of the seized collateral - debt repaid - flash premium - gas

by the exact quote of the AMM in which they would sell.  With a flash loan the whole is one
transaction: borrow, liquidate, swap, pay back; if the market has moved against it, it fails and
only gas is lost.  Without one they use their own capital and may sell on a venue's book instead,
after a transfer.  Bots outbid each other with a share of the profit as priority fee.

Simplifications
---------------
Sizes are tried by halving; a bot does not model what other bots do to the AMM in the same block.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.messages.reasons import ActionKind
from exchange_sim.model.enums import IOC, MARKET, SELL
from exchange_sim.strategy.api import Strategy, TransactionNotice, TransferNotice
from exchange_sim.strategy.chain_requests import ALL, PREVIOUS, Action
from exchange_sim.strategy.chain_views import (
    ChainView,
    MarketPositionView,
    MarketView,
    PoolView,
    PositionView,
)

A = ActionKind
CLOSE_FACTOR = 0.5
FULL_BELOW = 0.95
"""At or below this health factor everything may be repaid (Aave v3)."""
HALVINGS = 6
SAFETY = 0.999
"""Sizes stay this far inside of limits that move with interest and rounding."""


@attrs.frozen
class LiquidatorParams(Strategy.Params):
    """``min_profit_usd`` is what a liquidation must leave; ``profit_share`` of it is bid for gas.

    ``sell`` is ``"amm"`` or ``"venue"``; for the latter ``books`` are ``"venue:SYMBOL"`` spot books
    of the collateral, and ``slippage`` what the bot expects to lose there.  ``per_block`` bounds
    its transactions in one block.
    """

    min_profit_usd: float = 10.0
    profit_share: float = 0.3
    max_tip_gwei: float = 2_000.0
    sell: str = attrs.field(default="amm", validator=attrs.validators.in_(("amm", "venue")))
    flash: bool = True
    books: tuple[str, ...] = ()
    slippage: float = 0.01
    per_block: int = 5


@attrs.frozen
class Plan:
    """One liquidation that would pay: the bundle, its kinds and what it would leave in dollars."""

    key: tuple[str, int]
    actions: tuple[Action, ...]
    net_usd: float


class LiquidationBot(Strategy):
    """Watches every pool and isolated market of the chain."""

    Params = LiquidatorParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.pending: dict[int, tuple[str, int]] = {}
        self.executed = self.failed = 0
        self._books: dict[str, Any] = {}

    def on_start(self) -> None:
        """Know the books in which collateral can be sold."""
        for symbol in self.params.books:
            market = self.market(symbol)
            self._books[market.base] = market
            self.subscribe_book(market, 20, 1.0)

    def on_block(self, chain: ChainView) -> None:
        """Liquidate what pays, the most profitable first."""
        busy = frozenset(self.pending.values())
        plans = [
            self._best(chain, pool, position)
            for pool in chain.pools.values()
            for position in pool.at_risk
            if (pool.name, position.wallet) not in busy
        ]
        plans += [
            self._best_isolated(chain, market, lot)
            for market in chain.markets.values()
            for lot in market.at_risk
            if (market.name, lot.wallet) not in busy
        ]
        paying = [plan for plan in plans if plan is not None]
        paying.sort(key=lambda plan: (-plan.net_usd, plan.key))
        for plan in paying[: self.params.per_block]:
            self._send(chain, plan)

    def _send(self, chain: ChainView, plan: Plan) -> None:
        p: LiquidatorParams = self.params
        kinds = [action[0] for action in plan.actions]
        units = chain.base_gas + sum(chain.gas[kind] for kind in kinds)
        tip = 1.0
        if chain.gas_price_usd > 0:
            tip += p.profit_share * plan.net_usd / chain.gas_price_usd * 1e9 / units
        tip = min(tip, p.max_tip_gwei)
        most = 2.0 * chain.base_fee_gwei + tip
        number = self.transact(*plan.actions, tip_gwei=tip, max_fee_gwei=most)
        if number:
            self.pending[number] = plan.key

    # sizing

    def _best(self, chain: ChainView, pool: PoolView, position: PositionView) -> Plan | None:
        """The debt, collateral and size that leave most; None when nothing pays."""
        found: Plan | None = None
        for debt in position.debts:
            for collateral in position.collateral:
                plan = self._try(chain, pool, position, debt, collateral)
                if plan is not None and (found is None or plan.net_usd > found.net_usd):
                    found = plan
        return found

    def _try(
        self, chain: ChainView, pool: PoolView, position: PositionView, debt: str, collateral: str
    ) -> Plan | None:
        owed = pool.reserves[debt]
        held = pool.reserves[collateral]
        bonus = position.bonus[collateral]
        debt_usd = position.debts[debt] * owed.price
        held_usd = position.collateral[collateral] * held.price
        small = min(debt_usd, held_usd) < pool.min_base_usd
        most = debt_usd
        if not small and position.health > FULL_BELOW:
            most = min(debt_usd, CLOSE_FACTOR * position.debt_usd)
        most = min(most, held_usd / (1.0 + bonus))
        found: Plan | None = None
        for halving in range(HALVINGS):
            usd = most / 2**halving
            whole = halving == 0 and most >= debt_usd * SAFETY
            if not whole and not _leaves_enough(pool, debt_usd, held_usd, usd, bonus, halving):
                continue
            qty = usd / owed.price
            kept = 1.0 + bonus * (1.0 - held.protocol_fee)
            seized = usd * kept / held.price
            plan = self._price(
                chain, (pool.name, position.wallet), pool, debt, collateral, qty, seized,
                self.liquidate_action(
                    pool.name, position.wallet, debt, collateral, ALL if halving == 0 else qty
                ),
            )  # fmt: skip
            if plan is not None and (found is None or plan.net_usd > found.net_usd):
                found = plan
        return found

    def _best_isolated(
        self, chain: ChainView, market: MarketView, lot: MarketPositionView
    ) -> Plan | None:
        """As ``_best`` for an isolated market, which has no close factor."""
        found: Plan | None = None
        most = min(lot.debt, lot.collateral * market.price / market.incentive)
        lender = next((p for p in chain.pools.values() if market.loan in p.reserves), None)
        for halving in range(HALVINGS):
            qty = most / 2**halving
            seized = qty * market.incentive / market.price
            action = self.market_liquidate_action(
                market.name, lot.wallet, market.loan, ALL if halving == 0 else qty
            )
            plan = self._price(
                chain, (market.name, lot.wallet), lender, market.loan, market.collateral, qty,
                seized, action,
            )  # fmt: skip
            if plan is not None and (found is None or plan.net_usd > found.net_usd):
                found = plan
        return found

    def _price(
        self,
        chain: ChainView,
        key: tuple[str, int],
        lender: PoolView | None,
        debt: str,
        collateral: str,
        qty: float,
        seized: float,
        call: Action,
    ) -> Plan | None:
        """What a liquidation of ``qty`` would leave; None below the least profit."""
        p: LiquidatorParams = self.params
        flash = p.flash and lender is not None and lender.reserves[debt].cash >= qty
        if not flash and self.balance(debt, chain.venue) < qty:
            return None
        actions: list[Action] = []
        cost = qty
        if flash and lender is not None:
            borrowed = qty / SAFETY
            actions.append(self.flash_action(lender.name, debt, borrowed))
            cost += borrowed * lender.flash_premium
        actions.append(call)
        if p.sell == "amm":
            route = self._route(chain, collateral, debt, seized)
            if route is None:
                return None
            proceeds, amm = route
            actions.append(self.swap_action(amm, collateral, PREVIOUS, debt))
        else:
            proceeds = self._on_venue(collateral, seized)
        price = _price_of(chain, debt)
        kinds = [action[0] for action in actions]
        net = (proceeds - cost) * price - chain.gas_usd(*kinds)
        if net < p.min_profit_usd:
            return None
        return Plan(key, tuple(actions), net)

    def _route(
        self, chain: ChainView, collateral: str, debt: str, qty: float
    ) -> tuple[float, str] | None:
        """The AMM that pays most for the collateral, and what it pays."""
        quotes = [
            (amm.quote(collateral, qty, debt), name)
            for name, amm in chain.amms.items()
            if collateral in amm.coins and debt in amm.coins
        ]
        return max(quotes, default=None)

    def _on_venue(self, collateral: str, qty: float) -> float:
        """What the bids of a venue's book would pay, less the expected slippage."""
        market = self._books.get(collateral)
        if market is None:
            return 0.0
        left, paid = market.to_lots(qty), 0.0
        for ticks, lots in self.book(market).bid_levels:
            taken = min(left, lots)
            paid += market.price(ticks) * market.qty(taken)
            left -= taken
        return paid * (1.0 - self.params.slippage) if left <= 0 else 0.0

    # what became of it

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """Forget what is settled; what was seized for a venue is sent there."""
        if transaction.status == "waiting" or transaction.number not in self.pending:
            return
        if transaction.status == "executed":
            self.executed += 1
            if self.params.sell == "venue":
                self._ship()
        elif transaction.status == "failed":
            self.failed += 1
        if transaction.status in {"executed", "failed", "dropped"}:
            self.pending.pop(transaction.number, None)

    def _ship(self) -> None:
        view = self.chain_view()
        if view is None:
            return
        for asset, market in self._books.items():
            held = self.balance(asset, view.venue)
            if held > 0:
                self.transfer(asset, held, view.venue, market.venue)

    def on_transfer(self, transfer: TransferNotice) -> None:
        """What arrives on the venue is sold at once."""
        market = self._books.get(transfer.asset)
        if transfer.finished and market is not None:
            lots = market.to_lots(transfer.amount)
            if lots > 0:
                self.submit(market, SELL, lots, 0, MARKET, IOC)


def _leaves_enough(
    pool: PoolView, debt_usd: float, held_usd: float, usd: float, bonus: float, halving: int
) -> bool:
    """Whether both sides keep what the pool demands, or the collateral is closed."""
    left_debt = debt_usd - usd
    left_held = held_usd - usd * (1.0 + bonus)
    if halving == 0 and left_held <= held_usd * (1.0 - SAFETY):
        return True
    return min(left_debt, left_held) >= pool.min_leftover_usd


def _price_of(chain: ChainView, asset: str) -> float:
    """Dollars of an asset by any pool that has it; 1 when none does."""
    for pool in chain.pools.values():
        if asset in pool.reserves:
            return pool.reserves[asset].price
    return 1.0
