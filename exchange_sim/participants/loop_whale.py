"""Whales with two layers of leverage: a loan against coins feeds a loop in a synthetic dollar.

Layer 1 is a loan from a lender of the venue against pledged coins.  Layer 2 is a loop on the
venue's margin: a unified account that holds the dollar and owes stablecoins for most of it.  A
whale unwinds when one of three things happens, each after a reaction time of its own:

- its lender calls: it needs cash to bring the loan back to ``target_ltv``;
- its uniMMR falls below ``call_ratio``: it sells until ``target_ratio``;
- the dollar trades below ``stop_price``: it leaves the loop altogether.

To take cash out of a loop of leverage L without raising L, L times as much must be sold: of every
sale one L-th goes to the lender, the rest repays the margin loan.  Without a pledged loan it is a
plain looper.  Nobody knows more than the own messages and the own view of the book.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs

from exchange_sim.messages.reasons import NoteKind
from exchange_sim.model.enums import FLAG_FORCED, IOC, LIMIT, SELL
from exchange_sim.strategy.api import LiquidationNotice, LoanView, Strategy
from exchange_sim.units import NANOS_PER_S

CALLED, MARGIN, DEPEG = 1, 2, 3
"""Why a loop is unwound, as the second number of the remark says."""
DUST = 1.0
"""Cash, in whole units, that is not worth a message."""


def cash_needed(called: Iterable[LoanView], target_ltv: float) -> float:
    """Cash that would bring every called loan back to its target."""
    return sum(max(0.0, loan.debt * (1.0 - target_ltv / loan.ltv)) for loan in called)


@attrs.frozen
class LoopWhaleParams(Strategy.Params):
    """``symbol`` is the dollar's market; ratios are uniMMR; gamma reaction times in seconds.

    Each slice is ``slice_share`` of what is left of the loop, at most ``slice_usd`` (0: any), with
    a limit ``slippage`` below the best bid.  ``leverage`` is the loop's assets over equity.
    ``stop_price`` 0: never leaves because of the price.  ``ignores`` whales do nothing.
    """

    symbol: str = "leading:USDEUSDT"
    leverage: float = 4.0
    target_ltv: float = 0.6
    call_ratio: float = 1.3
    target_ratio: float = 1.6
    stop_price: float = 0.0
    reaction_mean_s: float = 1200.0
    reaction_sd_s: float = 150.0
    margin_reaction_s: float = 120.0
    interval_s: float = 2.0
    slice_share: float = 0.05
    slice_usd: float = 0.0
    slippage: float = 0.02
    ignores: bool = False


class LoopWhale(Strategy):
    """One borrower with a loop, on the venue of ``symbol``."""

    Params = LoopWhaleParams

    def __init__(self, params: Any = None) -> None:
        super().__init__(params)
        self._calls: dict[int, LoanView] = {}
        self._due_ns: dict[int, int] = {}
        self._liquidated = False
        self.sold_usd = 0.0
        """What was sold of the loop so far, at the limit prices of the orders."""

    def on_start(self) -> None:
        """Watch book, margin and loans."""
        p: LoopWhaleParams = self.params
        self._market = self.market(p.symbol)
        self._venue = self._market.venue
        self.subscribe_book(self._market, 1)
        self.subscribe_margin(self._venue)
        if not p.ignores:
            self.set_timer("look", p.interval_s, p.interval_s * 0.2)

    def on_loan(self, loan: LoanView) -> None:
        """Remember open calls; the first one starts the clock of the reaction."""
        if loan.called:
            self._calls[loan.loan] = loan
            self._expect(CALLED, self.params.reaction_mean_s, self.params.reaction_sd_s)
        elif loan.happened in {"repaid", "topped_up"} and loan.loan in self._calls:
            self._calls[loan.loan] = loan
        elif loan.happened in {"cured", "closed"}:
            self._calls.pop(loan.loan, None)
            if not self._calls:
                self._due_ns.pop(CALLED, None)

    def on_liquidation(self, event: LiquidationNotice) -> None:
        """While the venue sells, the owner can do nothing."""
        self._liquidated = event.stage != "ended"

    def on_timer(self, name: str) -> None:
        """Look at margin and price; sell a slice when a reaction is due."""
        if name != "look" or self._liquidated:
            return
        p: LoopWhaleParams = self.params
        ratio = self.margin(self._venue).uni_mmr
        if MARGIN in self._due_ns and ratio >= p.target_ratio:
            del self._due_ns[MARGIN]
        elif ratio and ratio < p.call_ratio:
            self._expect(MARGIN, p.margin_reaction_s, p.margin_reaction_s * 0.2)
        mid = self.book(self._market).mid_ticks * self._market.tick
        if p.stop_price and 0.0 < mid < p.stop_price:
            self._expect(DEPEG, p.margin_reaction_s, p.margin_reaction_s * 0.2)
        causes = [cause for cause, due in self._due_ns.items() if self.now_ns >= due]
        if causes:
            self._sell(causes)
        self._pay()

    def _expect(self, cause: int, mean_s: float, sd_s: float) -> None:
        """Start the reaction to a cause, once."""
        if cause in self._due_ns or self.params.ignores:
            return
        delay = self.rng.gamma_ns(int(mean_s * NANOS_PER_S), int(sd_s * NANOS_PER_S))
        self._due_ns[cause] = self.now_ns + delay
        held = self.balance(self._market.base, self._venue)
        self.note(NoteKind.LOOP_UNWINDING, int(held), cause, venue=self._venue)

    def _sell(self, causes: list[int]) -> None:
        """One slice of the loop."""
        p, market = self.params, self._market
        bid = self.book(market).bid_ticks
        held = self.balance(market.base, self._venue)
        wanted = held * p.slice_share
        if causes == [CALLED]:
            wanted = min(
                wanted, max(0.0, cash_needed(self._calls.values(), p.target_ltv) * p.leverage)
            )
        if p.slice_usd:
            wanted = min(wanted, p.slice_usd)
        lots = market.to_lots(wanted)
        price = int(bid * (1.0 - p.slippage))
        if price > 0 and lots > 0 and market.notional(price, lots) >= market.min_notional:
            self.submit(market, SELL, lots, price, LIMIT, IOC, FLAG_FORCED)
            self.sold_usd += market.notional(price, lots)

    def _pay(self) -> None:
        """Free cash: the lenders' share to called loans, the rest to the margin loan."""
        cash = self.balance(self._market.quote, self._venue)
        owed = self.loan(self._market.quote, self._venue)
        if cash <= DUST or not self._due_ns:
            return
        share = cash / self.params.leverage if owed > DUST else cash
        for loan in list(self._calls.values()):
            need = loan.debt * (1.0 - self.params.target_ltv / loan.ltv)
            amount = min(share, need)
            if amount > DUST and self.repay_loan(loan, int(amount)):
                share -= amount
                cash -= amount
        if owed > DUST and cash > DUST:
            self.repay(self._market.quote, min(int(cash), int(owed) + 1), self._venue)
