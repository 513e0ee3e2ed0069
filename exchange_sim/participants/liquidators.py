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
    AmmView,
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
    of the collateral, and ``slippage`` what the bot expects to lose there.  ``looks`` positions of
    each pool are looked at in a block, the largest first, and ``per_block`` acted on.
    """

    min_profit_usd: float = 10.0
    profit_share: float = 0.3
    max_tip_gwei: float = 2_000.0
    sell: str = attrs.field(default="amm", validator=attrs.validators.in_(("amm", "venue")))
    flash: bool = True
    books: tuple[str, ...] = ()
    slippage: float = 0.01
    looks: int = 100
    per_block: int = 5


@attrs.frozen(kw_only=True)
class Plan:
    """One liquidation that would pay.

    ``place`` is the pool (or isolated market) of the position, ``lender`` the pool of the flash
    loan (empty: own capital), ``amm`` where the collateral is sold (empty: on a venue).  ``qty`` of
    the debt is repaid, ``everything`` if that is all that the rules allow.
    """

    place: str
    wallet: int
    isolated: bool
    debt: str
    collateral: str
    lender: str
    qty: float = 0.0
    everything: bool = False
    amm: str = ""
    net_usd: float = 0.0

    @property
    def kinds(self) -> tuple[ActionKind, ...]:
        """The kinds of its actions, which tell what it costs in gas."""
        call = A.MARKET_LIQUIDATE if self.isolated else A.LIQUIDATE
        return (
            *((A.FLASH_LOAN,) if self.lender else ()), call, *((A.SWAP,) if self.amm else ()),
        )  # fmt: skip


class LiquidationBot(Strategy):
    """Watches every pool and isolated market of the chain."""

    Params = LiquidatorParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.pending: dict[int, tuple[str, int]] = {}
        self.executed = self.failed = 0
        self._books: dict[str, Any] = {}
        self._best_prices: dict[tuple[str, str], float] = {}

    def on_start(self) -> None:
        """Know the books in which collateral can be sold."""
        for symbol in self.params.books:
            market = self.market(symbol)
            self._books[market.base] = market
            self.subscribe_book(market, 20, 1.0)

    def on_block(self, chain: ChainView) -> None:
        """Liquidate what pays, the most profitable first."""
        p: LiquidatorParams = self.params
        busy = frozenset(self.pending.values())
        self._best_prices.clear()
        plans: list[Plan] = []
        for pool in chain.pools.values():
            free = [x for x in pool.at_risk if (pool.name, x.wallet) not in busy]
            free.sort(key=lambda position: (-position.debt_usd, position.wallet))
            for position in free[: p.looks]:
                plans += self._in_pool(chain, pool, position)
        for market in chain.markets.values():
            lots = [x for x in market.at_risk if (market.name, x.wallet) not in busy]
            lots.sort(key=lambda lot: (-lot.debt, lot.wallet))
            for lot in lots[: p.looks]:
                plans += self._in_market(chain, market, lot)
        plans.sort(key=lambda plan: (-plan.net_usd, plan.place, plan.wallet))
        sent: dict[tuple[str, int], bool] = {}
        for plan in plans:
            if len(sent) < p.per_block and (plan.place, plan.wallet) not in sent:
                sent[plan.place, plan.wallet] = self._send(chain, plan)

    # sizing

    def _in_pool(self, chain: ChainView, pool: PoolView, position: PositionView) -> list[Plan]:
        """The best size for each pair of debt and collateral of a position."""
        found: list[Plan] = []
        for debt, owed_qty in position.debts.items():
            for collateral, held_qty in position.collateral.items():
                owed, held = pool.reserves[debt], pool.reserves[collateral]
                bonus = position.bonus[collateral]
                debt_usd, held_usd = owed_qty * owed.price, held_qty * held.price
                most = debt_usd
                if min(debt_usd, held_usd) >= pool.min_base_usd and position.health > FULL_BELOW:
                    most = min(debt_usd, CLOSE_FACTOR * position.debt_usd)
                most = min(most, held_usd / (1.0 + bonus))
                sizes = [
                    (most / 2**k / owed.price, k == 0)
                    for k in range(HALVINGS)
                    if (k == 0 and most >= debt_usd * SAFETY)
                    or _leaves_enough(pool, debt_usd, held_usd, most / 2**k, bonus, k)
                ]
                kept = (1.0 + bonus * (1.0 - held.protocol_fee)) * owed.price / held.price
                start = Plan(
                    place=pool.name, wallet=position.wallet, isolated=False, debt=debt,
                    collateral=collateral, lender=pool.name,
                )  # fmt: skip
                found += self._sized(chain, pool, start, sizes, kept)
        return found

    def _in_market(
        self, chain: ChainView, market: MarketView, lot: MarketPositionView
    ) -> list[Plan]:
        """The best size for a position of an isolated market, which has no close factor."""
        lender = next((p for p in chain.pools.values() if market.loan in p.reserves), None)
        most = min(lot.debt, lot.collateral * market.price / market.incentive)
        sizes = [(most / 2**k, k == 0) for k in range(HALVINGS)]
        start = Plan(
            place=market.name, wallet=lot.wallet, isolated=True, debt=market.loan,
            collateral=market.collateral, lender=lender.name if lender else "",
        )  # fmt: skip
        return self._sized(chain, lender, start, sizes, market.incentive / market.price)

    def _sized(
        self,
        chain: ChainView,
        lender: PoolView | None,
        start: Plan,
        sizes: list[tuple[float, bool]],
        kept: float,
    ) -> list[Plan]:
        """The most profitable of some sizes; nothing when none leaves enough.

        ``kept`` is collateral per debt repaid.  No sale pays more than the marginal price, which
        rules most of them out without a quote.
        """
        p: LiquidatorParams = self.params
        price, best = _price_of(chain, start.debt), self._marginal(chain, start)
        found: list[Plan] = []
        for qty, everything in sizes:
            flash = p.flash and lender is not None and lender.reserves[start.debt].cash >= qty
            if not flash and self.balance(start.debt, chain.venue) < qty:
                continue
            cost = qty * (1.0 + (lender.flash_premium if flash and lender else 0.0))
            plan = attrs.evolve(
                start, qty=qty, everything=everything, lender=start.lender if flash else ""
            )
            if (kept * qty * best - cost) * price < p.min_profit_usd:
                continue
            proceeds, amm = self._proceeds(chain, plan, kept * qty)
            plan = attrs.evolve(plan, amm=amm)
            net = (proceeds - cost) * price - chain.gas_usd(*plan.kinds)
            if net >= p.min_profit_usd:
                found.append(attrs.evolve(plan, net_usd=net))
        return [max(found, key=lambda plan: plan.net_usd)] if found else []

    def _marginal(self, chain: ChainView, plan: Plan) -> float:
        """The best price at which the first coin of collateral could be sold now."""
        key = plan.collateral, plan.debt
        if key not in self._best_prices:
            prices = [amm.price(*key) for amm in _routes(chain, *key)]
            if self.params.sell == "venue":
                market = self._books.get(plan.collateral)
                bid = self.book(market).best_bid if market is not None else None
                prices = [bid or 0.0]
            self._best_prices[key] = max(prices, default=0.0)
        return self._best_prices[key]

    def _proceeds(self, chain: ChainView, plan: Plan, qty: float) -> tuple[float, str]:
        """What a sale of the collateral would bring, and in which AMM."""
        if self.params.sell == "venue":
            return self._on_venue(plan.collateral, qty), ""
        quotes = [
            (amm.quote(plan.collateral, qty, plan.debt), amm.name)
            for amm in _routes(chain, plan.collateral, plan.debt)
        ]
        return max(quotes, default=(0.0, ""))

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

    # sending

    def _send(self, chain: ChainView, plan: Plan) -> bool:
        p: LiquidatorParams = self.params
        units = chain.base_gas + sum(chain.gas[int(kind)] for kind in plan.kinds)
        tip = 1.0
        if chain.gas_price_usd > 0:
            tip += p.profit_share * plan.net_usd / chain.gas_price_usd * 1e9 / units
        tip = min(tip, p.max_tip_gwei)
        most = 2.0 * chain.base_fee_gwei + tip
        number = self.transact(*self._actions(plan), tip_gwei=tip, max_fee_gwei=most)
        if number:
            self.pending[number] = plan.place, plan.wallet
        return number > 0

    def _actions(self, plan: Plan) -> list[Action]:
        """Borrow, liquidate, sell; the flash loan is paid back when the rest is done."""
        actions: list[Action] = []
        if plan.lender:
            actions.append(self.flash_action(plan.lender, plan.debt, plan.qty / SAFETY))
        qty = ALL if plan.everything else plan.qty
        if plan.isolated:
            call = self.market_liquidate_action(plan.place, plan.wallet, plan.debt, qty)
        else:
            call = self.liquidate_action(plan.place, plan.wallet, plan.debt, plan.collateral, qty)
        actions.append(call)
        if plan.amm:
            actions.append(self.swap_action(plan.amm, plan.collateral, PREVIOUS, plan.debt))
        return actions

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


def _routes(chain: ChainView, collateral: str, debt: str) -> list[AmmView]:
    """AMMs in which one coin can be swapped for the other."""
    return [amm for amm in chain.amms.values() if collateral in amm.coins and debt in amm.coins]


def _price_of(chain: ChainView, asset: str) -> float:
    """Dollars of an asset by any pool that has it; 1 when none does."""
    for pool in chain.pools.values():
        if asset in pool.reserves:
            return pool.reserves[asset].price
    return 1.0
