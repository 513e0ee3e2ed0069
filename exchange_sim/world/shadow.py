"""A second bookkeeper: rebuilds balances, loans, positions and orders from events alone.

It starts from what a world holds and then reads nothing but the events.  What it expects and what
the world says must agree after every command; ``world.steps`` compares them.  Rules of an order's
life (price-time priority, limits, times in force) are judged here, while the events are applied,
because only the order of the events shows them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.model.enums import (
    BUY,
    FLAG_LIQUIDATION,
    FLAG_LONG,
    FLAG_REDUCE_ONLY,
    FLAG_SHORT,
    FOK,
    GTX,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP_MARKET,
)
from exchange_sim.world.shadow_legs import SIDE_FLAGS, ShadowLegs

if TYPE_CHECKING:
    from exchange_sim.model.order import Order
    from exchange_sim.world.world import World

Event = tuple[int, ...]
Problem = tuple[str, str, str, tuple[int, ...]]
"""Invariant id, what was expected, what was found, the accounts concerned."""
CLOSING_ONLY = FLAG_REDUCE_ONLY | FLAG_LIQUIDATION
EXTERNAL_KINDS = (int(PostingKind.DEPOSIT), int(PostingKind.WITHDRAWAL))


class ShadowLedger:
    """Balances and loans, rebuilt from ``Traded``, ``LedgerPosted`` and ``LoanChanged``."""

    def __init__(self, w: World) -> None:
        self.posted = [list(row) for row in w.ledger.posted]
        self.loans = [dict(account.loans) for account in w.accounts]
        self.touched: dict[int, bool] = {}
        self.problems: list[Problem] = []
        self._settle = [inst.settle for inst in w.instruments]
        self._base = [inst.base for inst in w.instruments]
        self._fees = [w.system[inst.venue][0] for inst in w.instruments]
        self._clearing = w.clearing

    def apply(self, event: Event) -> None:
        """Take one event in the order of happening; others than the four kinds change nothing."""
        kind = event[0]
        if kind == 6:
            self._traded(event)
        elif kind == 10:
            _, asset, source, target, amount, what = event
            if amount < 0 or (0 in (source, target) and what not in EXTERNAL_KINDS):
                self.problems.append(("LED-5", "only deposits come from outside", str(event), ()))
            self._move(asset, source, target, amount)
        elif kind == 11:
            _, account, asset, loan, change, _ = event
            before = self.loans[account].get(asset, 0)
            if before + change != loan or loan < 0:
                found = f"{before} + {change} = {loan}"
                self.problems.append(("LED-2", "loan = loan before + change", found, (account,)))
            self.loans[account][asset] = loan
            self.touched[account] = True
        elif kind == 12:
            self.posted.append([0] * len(self.posted[0]))
            self.loans.append({})

    def _move(self, asset: int, source: int, target: int, amount: int) -> None:
        self.posted[source][asset] -= amount
        self.posted[target][asset] += amount
        self.touched[source] = self.touched[target] = True

    def _traded(self, event: Event) -> None:
        (_, _, inst, _, _, aggressor, _, _, maker, taker, base, quote, maker_fee, taker_fee,
         maker_pnl, taker_pnl, *_) = event  # fmt: skip
        fees, asset, clearing = self._fees[inst], self._settle[inst], self._clearing[inst]
        if clearing < 0:
            buyer, seller = (taker, maker) if aggressor == BUY else (maker, taker)
            self._move(self._base[inst], seller, buyer, base)
            self._move(asset, buyer, seller, quote)
        else:
            self._move(asset, clearing, maker, maker_pnl)
            self._move(asset, clearing, taker, taker_pnl)
        self._move(asset, maker, fees, maker_fee)
        self._move(asset, taker, fees, taker_fee)

    def differences(self, w: World, accounts: Iterable[int]) -> list[Problem]:
        """Where the world's ledger differs from what its events say."""
        found: list[Problem] = []
        for account in accounts:
            want, have = self.posted[account], w.ledger.posted[account]
            if want != have:
                found.append(("LED-2", f"balances {want}", f"{have}", (account,)))
            owed = {asset: loan for asset, loan in self.loans[account].items() if loan}
            if owed != w.accounts[account].loans:
                found.append(("LED-2", f"loans {owed}", f"{w.accounts[account].loans}", (account,)))
        return found


class ShadowOrder:
    """What the events have said about one order."""

    __slots__ = (
        "account", "display", "filled", "flags", "id", "instrument", "kind", "leaves", "place",
        "price", "shown", "side", "tif",
    )  # fmt: skip

    def __init__(self, event: Event) -> None:
        (_, self.id, self.account, self.instrument, _, self.side, self.kind, self.tif, self.price,
         self.leaves, self.display, _, self.flags) = event  # fmt: skip
        self.filled = 0
        self.shown = 0
        self.place: deque[ShadowOrder] | None = None


class ShadowBook:
    """Orders and positions, rebuilt from events; judges BOOK-3, BOOK-4, BOOK-5, RISK-2, LIQ-2."""

    def __init__(self, w: World) -> None:
        self.orders: dict[int, ShadowOrder] = {}
        self.positions: dict[tuple[int, int], int] = {}
        self.legs = ShadowLegs(w)
        self.problems: list[Problem] = []
        self._uncrossing = 0
        self._perpetual = [clearing >= 0 for clearing in w.clearing]
        self._levels: list[tuple[dict[int, deque[ShadowOrder]], ...]] = [
            ({}, {}) for _ in w.instruments
        ]
        self._takeover = [w.system[inst.venue][3] for inst in w.instruments]
        for engine in w.engines:
            for order in [*engine.book, *engine.stops.orders.values()]:
                self._adopt(order)
        for account in w.accounts:
            for instrument, position in account.positions.items():
                self.positions[account.id, instrument] = position.qty

    def _adopt(self, live: Order) -> None:
        """Start with an order that is open already."""
        order = ShadowOrder(
            (1, live.order_id, live.account, live.instrument, 0, live.side, live.order_type,
             live.time_in_force, live.price, live.leaves, live.display, 0, live.flags)
        )  # fmt: skip
        order.filled = live.qty - live.leaves
        self.orders[order.id] = order
        if live.order_type == LIMIT:
            self._rest(order)
            order.shown = live.shown

    def apply(self, event: Event) -> None:
        """Take one event in the order of happening."""
        kind = event[0]
        if kind == 6:
            self._traded(event)
        elif kind == 1:
            order = ShadowOrder(event)
            if order.id in self.orders:
                self._blame("BOOK-5", "an order is accepted once", str(event), order)
            self.orders[order.id] = order
            if order.kind == LIMIT:
                self._rest(order)
        elif kind in (3, 4, 5):
            self._changed(event)
        elif kind == 24:
            self._uncrossing = event[3]
        elif kind == 16:
            _, buyer, seller, instrument, _, qty = event
            self._shift(buyer, instrument, qty, FLAG_LONG)
            self._shift(seller, instrument, -qty, FLAG_SHORT)
        elif kind == 35:
            _, instrument, _, qty, bankrupt, victim, *_ = event
            sign = 1 if self.positions.get((bankrupt, instrument), 0) > 0 else -1
            self._shift(bankrupt, instrument, -sign * qty)
            self._shift(victim, instrument, sign * qty)
        elif kind in (62, 63):
            self.legs.apply(event)
        elif kind == 37:
            _, account, instrument, qty, _, _ = event
            self._shift(account, instrument, -qty)
            self._shift(self._takeover[instrument], instrument, qty)

    def _blame(self, rule: str, expected: str, found: str, order: ShadowOrder) -> None:
        text = f"order {order.id} in {order.instrument}: {found}"
        self.problems.append((rule, expected, text, (order.account,)))

    def _shift(self, account: int, instrument: int, change: int, flags: int = 0) -> None:
        held = self.positions.get((account, instrument), 0) + change
        self.positions[account, instrument] = held
        if account in self.legs.hedged:
            self.legs.shift(account, instrument, change, flags)

    def _rest(self, order: ShadowOrder) -> None:
        """Queue an order at its price; while it still matches, nobody hits it from its own side."""
        level = self._levels[order.instrument][order.side].setdefault(order.price, deque())
        order.shown = order.display if 0 < order.display < order.leaves else order.leaves
        order.place = level
        level.append(order)

    def _unrest(self, order: ShadowOrder) -> None:
        level, order.place = order.place, None
        if level is not None:
            level.remove(order)
            if not level:
                del self._levels[order.instrument][order.side][order.price]

    def _changed(self, event: Event) -> None:
        """Cancelled in whole or part, replaced, or triggered."""
        order = self.orders.get(event[1])
        if order is None:
            self.problems.append(("BOOK-5", "events of open orders", str(event), (event[2],)))
            return
        if event[0] == 3:
            _, _, _, _, _, qty, leaves, _ = event
            if order.leaves - qty != leaves or qty <= 0:
                self._blame("BOOK-5", f"{order.leaves} - {qty} lots", f"{leaves} left", order)
            if order.tif == FOK and leaves == 0 and order.filled:
                self._blame("BOOK-4", "FOK trades all or nothing", f"{order.filled} filled", order)
            self._set_leaves(order, leaves)
        elif event[0] == 4:
            _, _, _, _, _, price, leaves, kept = event
            if kept:
                if price != order.price or leaves > order.leaves:
                    self._blame("BOOK-3", "a better order loses its place", str(event), order)
                self._set_leaves(order, leaves)
                return
            resting = order.place is not None
            self._unrest(order)
            order.price, order.leaves = price, leaves
            if resting:
                self._rest(order)
        else:
            order.kind = LIMIT if order.kind % 2 else MARKET
            if order.kind == LIMIT:
                self._rest(order)

    def _set_leaves(self, order: ShadowOrder, leaves: int) -> None:
        if not leaves:
            self._unrest(order)
            del self.orders[order.id]
            return
        order.leaves, order.shown = leaves, min(order.shown, leaves)

    def _traded(self, event: Event) -> None:
        (_, _, inst, price, qty, aggressor, maker_id, taker_id, maker_account, taker_account,
         *_, maker_leaves, taker_leaves) = event  # fmt: skip
        maker, taker = self.orders.get(maker_id), self.orders.get(taker_id)
        if maker is None or taker is None:
            text = f"trade of {maker_id} and {taker_id}"
            self.problems.append(
                ("BOOK-5", "open orders trade", text, (maker_account, taker_account))
            )
            return
        auction = self._uncrossing > 0
        self._uncrossing = max(0, self._uncrossing - qty)
        self._judge_terms(maker, taker, price, auction)
        for order, left, rested in ((maker, maker_leaves, True), (taker, taker_leaves, auction)):
            if rested:
                self._judge_priority(order, qty)
            if self._perpetual[inst]:
                self._judge_closing(order, qty)
                self._shift(order.account, inst, qty if order.side == BUY else -qty, order.flags)
            if order.leaves - qty != left or qty <= 0:
                self._blame("BOOK-5", f"{order.leaves} - {qty} lots", f"{left} left", order)
            order.filled += qty
            self._fill(order, qty, left, rested)
        if taker.side != aggressor or maker.side == taker.side:
            self._blame("BOOK-4", "opposite sides trade", str(event), taker)

    def _fill(self, order: ShadowOrder, qty: int, left: int, rested: bool) -> None:
        """A resting iceberg queues anew with its next slice; an incoming one has not queued yet."""
        order.leaves = left
        if not left:
            self._set_leaves(order, 0)
        elif not rested:
            order.shown = order.display if 0 < order.display < left else left
        elif order.place is not None:
            order.shown -= qty
            if order.shown <= 0:
                order.shown = min(order.display, left)
                if order is order.place[0]:
                    order.place.rotate(-1)

    def _judge_priority(self, order: ShadowOrder, qty: int) -> None:
        """BOOK-3: what trades is the front of the best price of its side."""
        levels = self._levels[order.instrument][order.side]
        best = max(levels) if order.side == BUY else min(levels)
        if order.place is None or order.price != best or order.place[0] is not order:
            front = levels[best][0]
            self._blame("BOOK-3", f"order {front.id} at {best} first", f"at {order.price}", order)
        elif qty > order.shown:
            self._blame("BOOK-3", f"{order.shown} shown lots at most", f"{qty}", order)

    def _judge_terms(
        self, maker: ShadowOrder, taker: ShadowOrder, price: int, auction: bool
    ) -> None:
        """BOOK-4: nobody trades beyond a limit; makers get their price; GTX never takes."""
        for order in (maker, taker):
            beyond = price > order.price if order.side == BUY else price < order.price
            if order.kind == LIMIT and beyond:
                self._blame("BOOK-4", f"limit {order.price}", f"traded at {price}", order)
        if not auction and price != maker.price:
            self._blame("BOOK-4", f"maker price {maker.price}", f"traded at {price}", maker)
        if taker.tif == GTX and not auction:
            self._blame("BOOK-4", "GTX never takes", f"took at {price}", taker)

    def _judge_closing(self, order: ShadowOrder, qty: int) -> None:
        """RISK-2 and LIQ-2: a reduce-only or liquidation order only shrinks a position."""
        if not order.flags & CLOSING_ONLY:
            return
        held = self.positions.get((order.account, order.instrument), 0)
        if order.flags & SIDE_FLAGS:
            held = self.legs.held(order.account, order.instrument, order.flags)
        if qty > (held if order.side == SELL else -held):
            rule = "RISK-2" if order.flags & FLAG_REDUCE_ONLY else "LIQ-2"
            self._blame(rule, f"shrinks {held} lots", f"trades {qty}", order)

    def judge_rest(self, events: list[Event]) -> None:
        """BOOK-4 after a command: IOC, FOK and market orders that entered in it did not stay."""
        for event in events:
            order = self.orders.get(event[1]) if event[0] in (1, 5) else None
            if order is None or order.kind >= STOP_MARKET:
                continue
            if order.kind == MARKET or order.tif in (IOC, FOK):
                self._blame("BOOK-4", "ends at once", f"{order.leaves} lots stay", order)

    def differences(self, w: World, events: list[Event]) -> list[Problem]:
        """Where orders and positions that the events name differ from the world's."""
        found: list[Problem] = []
        for event in events:
            if event[0] in (1, 3, 4, 5):
                self._compare(w, event[1], event[2], event[4], found)
            elif event[0] == 6:
                self._compare(w, event[6], event[8], event[17], found)
                self._compare(w, event[7], event[9], event[18], found)
        for account, instrument in _positions_in(events):
            if self._perpetual[instrument]:
                position = w.accounts[account].positions.get(instrument)
                have = position.qty if position else 0
                want = self.positions.get((account, instrument), 0)
                if want != have:
                    found.append(("POS-1", f"{want} lots", f"{have}", (account,)))
        return found

    def missing(self, w: World) -> list[Problem]:
        """Orders that ended or began without an event.  O(open orders)."""
        live = {}
        for engine in w.engines:
            live.update(engine.book.orders)
            live.update(engine.stops.orders)
        ended = [order for order in self.orders if order not in live]
        begun = [order for order in live if order not in self.orders]
        if not ended and not begun:
            return []
        return [("BOOK-5", f"no event for {ended}", f"nor for {begun}", ())]

    def _compare(
        self, w: World, order_id: int, account: int, client_id: int, found: list[Problem]
    ) -> None:
        order, live = self.orders.get(order_id), w.accounts[account].orders.get(client_id)
        want = (order.price, order.leaves) if order else None
        mine = live is not None and live.order_id == order_id
        have = (live.price, live.leaves) if live is not None and mine else None
        if want != have:
            text = f"order {order_id} with {have}"
            found.append(("BOOK-5", f"{want}", text, (account,)))


def _positions_in(events: list[Event]) -> dict[tuple[int, int], None]:
    """Account and instrument of every position that the events changed."""
    named: dict[tuple[int, int], None] = {}
    for event in events:
        if event[0] == 6:
            named[event[8], event[2]] = named[event[9], event[2]] = None
        elif event[0] == 16:
            named[event[1], event[3]] = named[event[2], event[3]] = None
        elif event[0] == 35:
            named[event[4], event[1]] = named[event[5], event[1]] = None
        elif event[0] == 37:
            named[event[1], event[2]] = None
    return named
