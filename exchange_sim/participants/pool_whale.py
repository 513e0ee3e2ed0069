"""Whales whose loop stands on a lending pool: a lender's call on a venue ends in a swap on a chain.

Layer 1 is a loan from a lender of a venue against pledged coins, layer 2 a loop in a lending pool,
paid with what was borrowed.  When the lender calls, the whale takes the same share out of deposit
and debt, after a reaction time, so that the rest of the loop is as safe as before:

    share = cash that is needed / equity of the loop

in one transaction: flash loan, repay, withdraw, swap, pay back.  What is left over travels to the
venue as a transfer and repays the loan.  Each leg takes its time and can fail: blocks are full, the
AMM gives less than the flash loan costs, deposits wait for confirmations.
"""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.participants.loop_whale import CALLED, DUST, cash_needed
from exchange_sim.strategy.api import LoanView, Strategy, TransactionNotice, TransferNotice
from exchange_sim.strategy.chain_requests import PREVIOUS
from exchange_sim.strategy.chain_views import ChainView, PositionView
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class PoolWhaleParams(Strategy.Params):
    """``venue`` is where the loan is; gamma reaction time in seconds.

    ``slippage`` is what a sale may lose beyond the marginal price; ``target_ltv`` where the called
    loan is brought back to.
    """

    venue: str = "leading"
    pool: str = "core"
    amm: str = "curve"
    collateral: str = "USDE"
    debt: str = "USDT"
    target_ltv: float = 0.6
    reaction_mean_s: float = 1200.0
    reaction_sd_s: float = 150.0
    slippage: float = 0.05
    tip_gwei: float = 3.0


class PoolWhale(Strategy):
    """One borrower with an account on the venue and a wallet."""

    Params = PoolWhaleParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._calls: dict[int, LoanView] = {}
        self._due_ns = 0
        self._number = 0
        self._under_way = 0.0

    def on_loan(self, loan: LoanView) -> None:
        """Remember open calls; the first one starts the clock of the reaction."""
        if loan.called:
            self._calls[loan.loan] = loan
        elif loan.happened in {"cured", "closed"}:
            self._calls.pop(loan.loan, None)
        elif loan.loan in self._calls:
            self._calls[loan.loan] = loan
        p: PoolWhaleParams = self.params
        if self._calls and not self._due_ns:
            mean, sd = int(p.reaction_mean_s * NANOS_PER_S), int(p.reaction_sd_s * NANOS_PER_S)
            self._due_ns = self.now_ns + self.rng.gamma_ns(mean, sd)
        elif not self._calls:
            self._due_ns = 0

    def need(self) -> float:
        """Cash that would bring every called loan back to its target."""
        return cash_needed(self._calls.values(), self.params.target_ltv)

    def on_block(self, chain: ChainView) -> None:
        """Unwind what is needed, or send on what has come out of the loop."""
        p: PoolWhaleParams = self.params
        if not self._due_ns or self.now_ns < self._due_ns or self._number:
            return
        cash = self.balance(p.debt, chain.venue)
        if cash > DUST:
            self._under_way += int(cash)
            self.transfer(p.debt, int(cash), chain.venue, p.venue)
            return
        missing = self.need() - self._under_way
        position = chain.pools[p.pool].own.get(self.wallet())
        if missing > DUST and position is not None:
            self._unwind(chain, position, missing)

    def _unwind(self, chain: ChainView, position: PositionView, missing: float) -> None:
        p, pool, amm = self.params, chain.pools[self.params.pool], chain.amms[self.params.amm]
        held, owed = position.collateral.get(p.collateral, 0.0), position.debts.get(p.debt, 0.0)
        equity = held * amm.price(p.collateral, p.debt) - owed
        if equity <= 0.0 or held <= 0.0:
            return
        share = min(1.0, missing * (1.0 + p.slippage) / equity)
        repaid, sold = owed * share, held * share
        back = repaid * (1.0 + pool.flash_premium)
        if amm.quote(p.collateral, sold, p.debt) < back:
            return
        self._number = self.transact(
            self.flash_action(p.pool, p.debt, repaid),
            self.repay_action(p.pool, p.debt, repaid),
            self.withdraw_action(p.pool, p.collateral, sold),
            self.swap_action(p.amm, p.collateral, PREVIOUS, p.debt, back),
            tip_gwei=p.tip_gwei,
            max_fee_gwei=3.0 * chain.base_fee_gwei + p.tip_gwei,
        )
        if self._number:
            self.note(NoteKind.LOOP_UNWINDING, int(sold), CALLED, venue=p.venue)

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """The unwinding is over, one way or the other; the next block looks again."""
        if transaction.number == self._number and transaction.status != "waiting":
            self._number = 0

    def on_transfer(self, transfer: TransferNotice) -> None:
        """Money has arrived on the venue: repay."""
        p: PoolWhaleParams = self.params
        if not transfer.finished or transfer.asset != p.debt:
            return
        self._under_way = max(0.0, self._under_way - transfer.amount)
        cash = self.balance(p.debt, p.venue)
        for loan in list(self._calls.values()):
            amount = min(cash, loan.debt * (1.0 - p.target_ltv / loan.ltv))
            if amount > DUST and self.repay_loan(loan, int(amount)):
                cash -= amount
