"""Worked matching examples from a JSON file, run against the real matching engine.

A file holds ``{"cases": [...]}``; each case is a list of operations and what must come of them.

Operations (``op``), quantities in lots and prices in ticks:

- ``limit``: ``id side price qty`` and optionally ``tif`` (GTC, IOC, FOK, GTX, GTD), ``post_only``
  (true, or "slide"), ``display``, ``owner``
- ``market``: ``id side qty`` and optionally ``tif``, ``owner``
- ``stop``: ``id side trigger qty`` and optionally ``price`` (a stop-limit), ``tif``, ``display``,
  ``owner``
- ``cancel``: ``id``; ``replace``: ``id`` and optionally ``price``, ``qty`` (the new open quantity)
- ``mass_cancel``: optionally ``owner``, ``side``; open orders go in the order of their entry

Expectations: ``expected_trades`` ``[taker, maker, price, qty]``; ``expected_book`` ``{"bids",
"asks"}`` of ``[price, shown qty, [ids in queue order]]``, best first; ``expected_cancels`` ``[id,
qty, why]``; ``expected_rejects`` ``[id, why]``.  One that is left out is not checked.

``config.stp`` is the self-trade prevention of every order; an order without an owner is nobody's
own.  Refusals come in this order: a reused id (also one that was used by a refused order), bad
quantity, bad price, then what the engine refuses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.analysis.case_file import CaseFile, read_case_file
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.matching.filters import Filters
from exchange_sim.matching.outcomes import CANCEL, REJECT, TRADE, Outcome
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model import enums
from exchange_sim.model.order import Order

STP_MODES = {
    "none": enums.StpMode.NONE,
    "cancel_newest": enums.StpMode.EXPIRE_TAKER,
    "cancel_oldest": enums.StpMode.EXPIRE_MAKER,
    "cancel_both": enums.StpMode.EXPIRE_BOTH,
    "decrement": enums.StpMode.DECREMENT,
}
"""The words of the files for the modes of the engine."""

REJECT_WORDS = {
    RejectReason.BAD_QTY: "bad_qty",
    RejectReason.QTY_ABOVE_MAX: "bad_qty",
    RejectReason.BAD_ICEBERG: "bad_qty",
    RejectReason.BAD_PRICE: "bad_price",
    RejectReason.PRICE_ABOVE_MAX: "bad_price",
    RejectReason.BAD_TRIGGER: "bad_price",
    RejectReason.POST_ONLY_WOULD_CROSS: "post_only_would_cross",
}
"""How the files name the engine's refusals; any other is named by its lower-case enum name."""

EXPECTATIONS = ("trades", "book", "cancels", "rejects")


@attrs.frozen
class Difference:
    """One expectation that was not met."""

    what: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.what}: expected {json.dumps(self.expected)}, got {json.dumps(self.actual)}"


@attrs.frozen
class CaseResult:
    """How one case went; it passed when nothing differs."""

    name: str
    what: str
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


@attrs.frozen
class Report:
    """The results of a file, in its order."""

    path: str
    results: tuple[CaseResult, ...]

    @property
    def passed(self) -> int:
        """How many cases passed."""
        return sum(result.passed for result in self.results)

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """The cases that did not pass."""
        return tuple(result for result in self.results if not result.passed)

    def lines(self) -> Iterator[str]:
        """The report for people: every failed case with its differences, then the count."""
        for result in self.failed:
            yield f"FAIL {result.name}: {result.what}"
            for difference in result.differences:
                yield f"     {difference}"
        yield f"{self.passed} of {len(self.results)} cases passed ({self.path})"


class CaseMarket:
    """One instrument under the operations of a case, with the ids that the case chose."""

    def __init__(self, stp: str) -> None:
        self._engine = MatchingEngine()
        self._filters = Filters()
        self._stp = int(STP_MODES[stp])
        self._orders: dict[int, Order] = {}
        self._accounts: dict[str, int] = {}
        self._nobody = 0
        self.trades: list[list[Any]] = []
        self.cancels: list[list[Any]] = []
        self.rejects: list[list[Any]] = []

    def apply(self, op: dict[str, Any]) -> None:
        """Run one operation completely, stops that it fires included."""
        out: list[Outcome] = []
        kind = op["op"]
        if kind == "cancel":
            order = self._open_order(op["id"])
            if order is not None:
                self._engine.cancel(order, int(CancelReason.USER), out)
        elif kind == "replace":
            self._replace(op, out)
        elif kind == "mass_cancel":
            self._engine.mass_cancel(list(self._matching(op)), out)
        else:
            self._enter(op, out)
        self._engine.run_triggered(out)
        self._note(out)
        self._engine.book.check()

    def book(self) -> dict[str, list[list[Any]]]:
        """The shown book in the form of the files."""
        sides: dict[str, list[list[Any]]] = {}
        for name, side in (("bids", enums.BUY), ("asks", enums.SELL)):
            rows: list[list[Any]] = []
            for order in self._engine.book.orders_of(side):
                if not rows or rows[-1][0] != order.price:
                    rows.append([order.price, 0, []])
                rows[-1][1] += order.shown
                rows[-1][2].append(order.order_id)
            sides[name] = rows
        return sides

    def _enter(self, op: dict[str, Any], out: list[Outcome]) -> None:
        order = self._order(op)
        if order.order_id in self._orders:
            self.rejects.append([order.order_id, "duplicate_id"])
            return
        self._orders[order.order_id] = order
        reason = self._filters.check(order)
        if reason:
            order.leaves = 0
            out.append((REJECT, order, reason))
        else:
            self._engine.submit(order, out)

    def _order(self, op: dict[str, Any]) -> Order:
        """The order that an operation describes; the file was checked before."""
        kind = {"limit": enums.LIMIT, "market": enums.MARKET, "stop": enums.STOP_MARKET}[op["op"]]
        if kind == enums.STOP_MARKET and "price" in op:
            kind = enums.STOP
        tif = int(enums.TimeInForce[op.get("tif", "GTC")])
        flags, display = 0, op.get("display", 0)
        if op.get("post_only"):
            tif = enums.GTX
            flags = enums.FLAG_SLIDE if op["post_only"] == "slide" else 0
        if tif in (enums.IOC, enums.FOK) and display > 0:
            display = 0
        return Order(
            order_id=op["id"],
            account=self._account(op.get("owner")),
            instrument=0,
            client_order_id=op["id"],
            side=enums.BUY if op["side"] == "B" else enums.SELL,
            order_type=kind,
            time_in_force=tif,
            price=op.get("price", 0),
            qty=op["qty"],
            display=display,
            trigger=op.get("trigger", 0),
            flags=flags,
            stp_mode=self._stp,
            expire_ns=1 if tif == enums.GTD else 0,
        )

    def _account(self, owner: Any) -> int:
        """A number for the owner; orders without an owner get one each, below zero."""
        if owner is None:
            self._nobody -= 1
            return self._nobody
        return self._accounts.setdefault(str(owner), len(self._accounts))

    def _open_order(self, order_id: int) -> Order | None:
        order = self._orders.get(order_id)
        if order is None or not order.leaves:
            self.rejects.append([order_id, "unknown_order"])
            return None
        return order

    def _replace(self, op: dict[str, Any], out: list[Outcome]) -> None:
        order = self._open_order(op["id"])
        if order is None:
            return
        price, qty = op.get("price", order.price), op.get("qty", order.leaves)
        reason = self._filters.check_replace(order, price, qty)
        if reason:
            out.append((REJECT, order, reason))
        else:
            self._engine.replace(order, price, qty, out)

    def _matching(self, op: dict[str, Any]) -> Iterator[Order]:
        """The open orders that a mass cancel names, in the order of their entry."""
        owner, side = op.get("owner"), op.get("side")
        account = None if owner is None else self._accounts.get(str(owner), len(self._accounts))
        for order in self._orders.values():
            named = account in (None, order.account) and side in (None, "BS"[order.side])
            if order.leaves and named:
                yield order

    def _note(self, out: list[Outcome]) -> None:
        for outcome in out:
            if outcome[0] == TRADE:
                _, maker, taker, price, qty, _, _ = outcome
                self.trades.append([taker.order_id, maker.order_id, price, qty])
            elif outcome[0] == CANCEL:
                _, order, qty, reason = outcome
                self.cancels.append([order.order_id, qty, CancelReason(reason).name.lower()])
            elif outcome[0] == REJECT:
                _, order, reason = outcome
                if order.level is None and order.order_id not in self._engine.stops.orders:
                    order.leaves = 0
                word = REJECT_WORDS.get(reason, RejectReason(reason).name.lower())
                self.rejects.append([order.order_id, word])


def run_case(case: dict[str, Any]) -> CaseResult:
    """Run one well-formed case."""
    market = CaseMarket(case.get("config", {}).get("stp", "none"))
    for op in case["ops"]:
        market.apply(op)
    actual = {
        "trades": market.trades,
        "book": market.book(),
        "cancels": market.cancels,
        "rejects": market.rejects,
    }
    differences = tuple(
        Difference(what, case[f"expected_{what}"], actual[what])
        for what in EXPECTATIONS
        if f"expected_{what}" in case and case[f"expected_{what}"] != actual[what]
    )
    return CaseResult(case["name"], case.get("what", ""), differences)


def run_case_file(path: str | Path) -> Report:
    """Run every case of a file.

    Raises ``UsageError`` when there is no such file, and ``ScenarioError`` with every located
    mistake when it is not a file of matching cases.
    """
    file: CaseFile = read_case_file(Path(path), tuple(STP_MODES))
    return Report(str(path), tuple(run_case(case) for case in file.cases))
