"""The money half of what an owner knows: balances, loans, positions and margin of one account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from exchange_sim.marketdata.market import Market
from exchange_sim.messages.reasons import (
    REDUCTIONS,
    LiquidationAction,
    LiquidationOutcome,
    MarginBand,
    PostingKind,
    RejectReason,
)
from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT, PositionSide
from exchange_sim.strategy.loan_types import TransactionNotice
from exchange_sim.strategy.views import (
    AdlNotice,
    FundingNotice,
    LiquidationNotice,
    Margin,
    RefusalNotice,
    TransferNotice,
)
from exchange_sim.units import PPM

Event = tuple[int, ...]
Notice = tuple[str, Any]
"""A callback's name and its argument; a position is named by its market only."""

_TRANSACTION: Final = {100: "waiting", 101: "executed", 102: "failed", 103: "dropped"}
LONG, SHORT = int(PositionSide.LONG), int(PositionSide.SHORT)
_FUNDING: Final = int(PostingKind.FUNDING)


class Holding:
    """Signed lots of one market and what they cost on average, in ticks (0.0: not known)."""

    __slots__ = ("entry_ticks", "lots", "pnl_units")

    def __init__(self) -> None:
        self.lots = 0
        self.entry_ticks = 0.0
        self.pnl_units = 0

    def trade(self, signed_lots: int, price_ticks: float) -> None:
        """Add a trade: enlarging averages the entry price, shrinking keeps it."""
        before, after = self.lots, self.lots + signed_lots
        if after == 0:
            self.entry_ticks = 0.0
        elif before == 0 or (before > 0) != (after > 0):
            self.entry_ticks = price_ticks
        elif abs(after) > abs(before):
            cost = self.entry_ticks * abs(before) + price_ticks * abs(signed_lots)
            self.entry_ticks = cost / abs(after)
        self.lots = after


class MoneyView:
    """Balances, loans and positions of one account, by asset and instrument id, and its margin.

    ``wallets`` holds the balances of its isolated wallets by their ledger accounts, ``wallet_of``
    those accounts by (instrument, position side).  Positions in them are in ``holdings`` like any;
    ``legs`` are those of hedge mode by (instrument, position side), and ``holdings`` their sums.
    """

    def __init__(
        self,
        account: int,
        venue: str,
        markets: Sequence[Market],
        asset_names: Sequence[str],
        asset_scales: Sequence[int],
        numeraire: int,
    ) -> None:
        self.account = account
        self.venue = venue
        self.markets = markets
        self.asset_names = asset_names
        self.asset_scales = asset_scales
        self.numeraire_scale = asset_scales[numeraire]
        self.balances = [0] * len(asset_names)
        self.gas_scale = 1
        self.loans = [0] * len(asset_names)
        self.holdings: dict[int, Holding] = {}
        self.wallets: dict[int, list[int]] = {}
        self.wallet_of: dict[tuple[int, int], int] = {}
        self.hedged = False
        self.legs: dict[tuple[int, int], Holding] = {}
        self.margin = Margin(venue, account, 0, 0.0, 0.0, 0.0, 0.0, 0.0, MarginBand.FREE)

    def holding(self, instrument: int) -> Holding:
        """The holding in a market, created empty when there is none."""
        found = self.holdings.get(instrument)
        if found is None:
            found = self.holdings[instrument] = Holding()
        return found

    def _posted(self, time_ns: int, event: Event) -> list[Notice]:
        _, asset, source, target, amount, kind = event
        gained = 0
        for end, change in ((source, -amount), (target, amount)):
            if end == self.account or end in self.wallets:
                self.wallets.get(end, self.balances)[asset] += change
                gained += change
        if kind != _FUNDING:
            return []
        return [("on_funding", self._funding(time_ns, asset, gained))]

    def _funding(self, time_ns: int, asset: int, amount: int) -> FundingNotice:
        value = amount / self.asset_scales[asset]
        return FundingNotice(self.venue, self.account, time_ns, self.asset_names[asset], value)

    def _loan(self, _time_ns: int, event: Event) -> list[Notice]:
        if event[1] == self.account:
            self.loans[event[2]] = event[3]
        return []

    def _wallet_opened(self, _time_ns: int, event: Event) -> list[Notice]:
        _, wallet, _, instrument, position_side = event
        self.wallets[wallet] = [0] * len(self.balances)
        self.wallet_of[instrument, position_side] = wallet
        return []

    def _mode_changed(self, _time_ns: int, event: Event) -> list[Notice]:
        self.hedged = bool(event[2])
        return []

    def _legs_offset(self, _time_ns: int, event: Event) -> list[Notice]:
        _, account, instrument, lots, price, pnl = event
        self._trade(account, instrument, -lots, price / PPM, 0, FLAG_LONG)
        self._trade(account, instrument, lots, price / PPM, pnl, FLAG_SHORT)
        return [("on_position", self.markets[instrument])]

    def isolated_units(self, instrument: int, position_side: int) -> int | None:
        """Balance of the wallet of a position, None when it has none."""
        wallet = self.wallet_of.get((instrument, position_side))
        if wallet is None:
            return None
        return self.wallets[wallet][self.markets[instrument].settle_id]

    def _trade(
        self, account: int, instrument: int, signed: int, price: float, pnl: int, flags: int = 0
    ) -> None:
        """Book a change of a position that ``account`` holds, and of its leg in hedge mode."""
        holding = self.holding(instrument)
        holding.trade(signed, price)
        holding.pnl_units += pnl
        if self.hedged:
            leg = self._leg(account, instrument, signed, flags)
            leg.trade(signed, price)
            leg.pnl_units += pnl

    def _leg(self, account: int, instrument: int, signed: int, flags: int) -> Holding:
        """The leg that changes: that of the wallet, of the flags, or the one that this closes."""
        for key, wallet in self.wallet_of.items():
            if wallet == account and key[1]:
                return self.legs.setdefault(key, Holding())
        side = LONG if flags & FLAG_LONG else SHORT if flags & FLAG_SHORT else 0
        if not side:
            long = self.legs.get((instrument, LONG))
            short = self.legs.get((instrument, SHORT))
            closes_long = signed < 0 and long is not None and long.lots > 0
            opens_long = signed > 0 and not (short is not None and short.lots < 0)
            side = LONG if closes_long or opens_long else SHORT
        return self.legs.setdefault((instrument, side), Holding())

    def _owns(self, account: int) -> bool:
        return account == self.account or account in self.wallets

    def _transfer(self, time_ns: int, event: Event, at: int, *, finished: bool) -> list[Notice]:
        asset, amount = event[at], event[at + 1]
        value = amount / self.asset_scales[asset]
        name = self.asset_names[asset]
        notice = TransferNotice(event[1], self.account, time_ns, name, value, finished)
        return [("on_transfer", notice)]

    def _transaction(self, time_ns: int, event: Event) -> list[Notice]:
        """An own transaction: it waits, is in a block, or has left the mempool."""
        kind, number = event[0], event[3]
        fee, output, reason = 0, 0, None
        if kind == 101:
            fee, output = event[6], event[7]
        elif kind == 102:
            fee, reason = event[6], RejectReason(event[8])
        elif kind == 103:
            reason = RejectReason(event[4])
        notice = TransactionNotice(
            number, self.account, _TRANSACTION[kind], time_ns, fee / self.gas_scale, output, reason
        )
        return [("on_transaction", notice)]

    def _transfer_started(self, time_ns: int, event: Event) -> list[Notice]:
        return self._transfer(time_ns, event, 4, finished=False) if event[2] == self.account else []

    def _transfer_finished(self, time_ns: int, event: Event) -> list[Notice]:
        return self._transfer(time_ns, event, 3, finished=True)

    def _refused(self, time_ns: int, event: Event) -> list[Notice]:
        reason = RejectReason(event[3])
        return [
            ("on_refusal", RefusalNotice(self.venue, self.account, time_ns, event[2], reason)),
        ]

    # positions and risk

    def _position_opened(self, _time_ns: int, event: Event) -> list[Notice]:
        buys = self._owns(event[1])
        account, flags = (event[1], FLAG_LONG) if buys else (event[2], FLAG_SHORT)
        self._trade(account, event[3], event[5] if buys else -event[5], event[4], 0, flags)
        return [("on_position", self.markets[event[3]])]

    def _margin(self, time_ns: int, event: Event) -> list[Notice]:
        state: Any = event[1]
        scale = self.numeraire_scale
        self.margin = Margin(
            self.venue,
            self.account,
            time_ns,
            state.equity / scale,
            state.initial / scale,
            state.maintenance / scale,
            state.available / scale,
            state.uni_mmr_ppm / PPM,
            MarginBand(state.band),
        )
        return [("on_margin", self.margin)]

    def _band(self, time_ns: int, event: Event) -> list[Notice]:
        scale, known = self.numeraire_scale, self.margin
        self.margin = Margin(
            self.venue,
            self.account,
            time_ns,
            event[4] / scale,
            known.initial,
            event[5] / scale,
            known.available,
            event[3] / PPM,
            MarginBand(event[2]),
        )
        return [("on_margin", self.margin)]

    def _liquidation_started(self, time_ns: int, _event: Event) -> list[Notice]:
        notice = LiquidationNotice(self.venue, self.account, time_ns, "started")
        return [("on_liquidation", notice)]

    def _liquidation_step(self, time_ns: int, event: Event) -> list[Notice]:
        action = LiquidationAction(event[2])
        market = None
        if action in REDUCTIONS and 0 <= event[3] < len(self.markets):
            market = self.markets[event[3]]
        notice = LiquidationNotice(
            self.venue, self.account, time_ns, "step", market, action, event[4]
        )
        return [("on_liquidation", notice)]

    def _liquidation_ended(self, time_ns: int, event: Event) -> list[Notice]:
        outcome = LiquidationOutcome(event[2])
        notice = LiquidationNotice(self.venue, self.account, time_ns, "ended", outcome=outcome)
        return [("on_liquidation", notice)]

    def _shrink(
        self, account: int, instrument: int, lots: int, price_ticks: float, pnl: int
    ) -> None:
        """Take lots off a position whatever its side."""
        held = self.holding(instrument).lots
        for key, wallet in self.wallet_of.items():
            if wallet == account and key[1]:
                held = 1 if key[1] == LONG else -1
        signed = -abs(lots) if held > 0 else abs(lots)
        self._trade(account, instrument, signed, price_ticks, pnl)

    def _adl(self, time_ns: int, event: Event) -> list[Notice]:
        instrument, price, lots = event[1], event[2], event[3]
        market = self.markets[instrument]
        is_victim = self._owns(event[5])
        pnl = event[6] if is_victim else event[7]
        self._shrink(event[5] if is_victim else event[4], instrument, lots, price / PPM, pnl)
        value = pnl / self.asset_scales[market.settle_id]
        notice = AdlNotice(
            market,
            self.account,
            time_ns,
            market.price(price),
            market.qty(lots),
            value,
            is_victim,
        )
        return [("on_adl", notice), ("on_position", market)]

    def _taken_over(self, time_ns: int, event: Event) -> list[Notice]:
        instrument, lots = event[2], event[3]
        market = self.markets[instrument]
        self._shrink(event[1], instrument, lots, event[4] / PPM, event[5])
        notice = LiquidationNotice(
            self.venue, self.account, time_ns, "taken_over", market, qty_lots=abs(lots)
        )
        return [("on_liquidation", notice), ("on_position", market)]
