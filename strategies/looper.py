"""A looper: borrows against a yield-bearing dollar to buy more of it, and leaves by its own rules.

One transaction makes ``rounds`` rounds of borrow, swap and deposit at ``ltv`` of the last deposit;
the last deposit stays.  It gives up ``unwind_share`` of the loop when its health factor falls below
``unwind_health``, when the collateral trades ``unwind_discount`` below the oracle in the AMM, or
when borrowing costs ``max_rate`` a year: flash loan, repay, withdraw, swap, pay back.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.strategy.api import Strategy, TransactionNotice
from exchange_sim.strategy.chain_requests import ALL, PREVIOUS, Action
from exchange_sim.strategy.chain_views import ChainView, PositionView

IDLE, BUILDING, LOOPED, UNWINDING = "idle", "building", "looped", "unwinding"


@attrs.frozen
class LooperParams(Strategy.Params):
    """``slippage`` is the most that a swap may lose; 0 for a discount, health or rate: never.

    A transaction that fails is sent again, ``tries`` times in all.
    """

    pool: str = ""
    amm: str = ""
    collateral: str = "USDE"
    debt: str = "USDT"
    category: str = ""
    rounds: int = attrs.field(default=5, validator=attrs.validators.in_(range(21)))
    ltv: float = attrs.field(default=0.8, validator=attrs.validators.lt(1.0))
    slippage: float = 0.005
    tip_gwei: float = 2.0
    unwind_health: float = 1.02
    unwind_discount: float = 0.0
    unwind_share: float = 0.5
    max_rate: float = 0.0
    tries: int = 5


class Looper(Strategy):
    """Builds one loop and watches it."""

    Params = LooperParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self.state = IDLE
        self.number = self.failures = 0

    def on_block(self, chain: ChainView) -> None:
        """Build the loop in the first block seen, then decide whether to stay in it."""
        p: LooperParams = self.params
        if self.failures >= p.tries:
            return
        if self.state == IDLE:
            self._build(chain)
        elif self.state == LOOPED:
            position = chain.pools[p.pool].own.get(self.wallet())
            if position is not None and p.debt in position.debts and self._leaves(chain, position):
                self._unwind(chain, position)

    def _build(self, chain: ChainView) -> None:
        p: LooperParams = self.params
        reserves, amm = chain.pools[p.pool].reserves, chain.amms[p.amm]
        equity = self.balance(p.collateral, chain.venue)
        if equity <= 0:
            return
        actions: list[Action] = []
        if p.category:
            actions.append(self.category_action(p.pool, p.category))
        actions.append(self.supply_action(p.pool, p.collateral, ALL))
        deposit, swapped = equity, 0.0
        for _ in range(p.rounds):
            lent = deposit * reserves[p.collateral].price / reserves[p.debt].price * p.ltv
            # Each round moves the pool a little; the quote of the sum less what came before.
            total = amm.quote(p.debt, swapped + lent, p.collateral)
            before = amm.quote(p.debt, swapped, p.collateral) if swapped else 0.0
            deposit, swapped = total - before, swapped + lent
            least = deposit * (1.0 - p.slippage)
            actions += [
                self.borrow_action(p.pool, p.debt, lent),
                self.swap_action(p.amm, p.debt, PREVIOUS, p.collateral, least),
                self.supply_action(p.pool, p.collateral, PREVIOUS),
            ]
        self._go(chain, BUILDING, actions)

    def _leaves(self, chain: ChainView, position: PositionView) -> bool:
        p: LooperParams = self.params
        reserves = chain.pools[p.pool].reserves
        fair = reserves[p.collateral].price / reserves[p.debt].price
        traded = chain.amms[p.amm].price(p.collateral, p.debt)
        scared = p.unwind_discount > 0 and traded < fair * (1.0 - p.unwind_discount)
        dear = 0 < p.max_rate < reserves[p.debt].borrow_rate
        return scared or dear or position.health < p.unwind_health

    def _unwind(self, chain: ChainView, position: PositionView) -> None:
        p: LooperParams = self.params
        pool, amm = chain.pools[p.pool], chain.amms[p.amm]
        repaid = position.debts[p.debt] * p.unwind_share
        due = repaid * (1.0 + pool.flash_premium)
        price = amm.price(p.collateral, p.debt)
        if price <= 0:
            return
        sold = min(position.collateral[p.collateral], due / price * (1.0 + p.slippage))
        actions = [
            self.flash_action(p.pool, p.debt, repaid),
            self.repay_action(p.pool, p.debt, repaid),
            self.withdraw_action(p.pool, p.collateral, sold),
            self.swap_action(p.amm, p.collateral, PREVIOUS, p.debt, due),
        ]
        self._go(chain, UNWINDING, actions)

    def _go(self, chain: ChainView, state: str, actions: list[Action]) -> None:
        p: LooperParams = self.params
        most = 3.0 * chain.base_fee_gwei + p.tip_gwei
        self.number = self.transact(*actions, tip_gwei=p.tip_gwei, max_fee_gwei=most)
        if self.number:
            self.state = state

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """A loop that could not be built is tried again, one that could not be left as well."""
        if transaction.number != self.number or transaction.status == "waiting":
            return
        done = transaction.status == "executed"
        self.failures += not done
        if self.state == BUILDING:
            self.state = LOOPED if done else IDLE
        elif self.state == UNWINDING:
            self.state = LOOPED
        self.log("loop", state=self.state, done=done)
