"""One side of a ladder: which levels are judged, and where they belong."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from exchange_sim.model.enums import BUY, GTX, LIMIT, SELL, OrderStatus
from exchange_sim.strategy.api import OrderHandle, Strategy
from strategies.quotes import Ladder, QuoteSide
from tests.doubles.mini_exchange import START_NS, make_market

BTC = "leading:BTCUSDT"


class Recorder(Strategy):
    """Writes down what a side of a ladder sends, and answers when it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[Any, ...]] = []
        self.asked: dict[int, tuple[OrderHandle, int, int]] = {}

    def submit(self, *terms: Any, **_: Any) -> OrderHandle:
        market, side, lots, ticks = terms[:4]
        number = len(self.messages) + 1
        order = OrderHandle(market, 1, number, side, LIMIT, GTX, ticks, lots, 0, 0)
        self.messages.append(("new", ticks, lots))
        self.asked[number] = order, ticks, lots
        return order

    def modify(self, order: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        self.messages.append(("modify", order.client_order_id, price_ticks, qty_lots))
        order.pending_replace = 1
        self.asked[order.client_order_id] = order, price_ticks or order.price_ticks, qty_lots
        return True

    def cancel(self, order: OrderHandle) -> bool:
        self.messages.append(("cancel", order.client_order_id))
        order.pending_cancel = 1
        self.asked[order.client_order_id] = order, 0, 0
        return True

    def answer(self, fill: int = 0) -> None:
        """Everything that was asked for is granted, then the first order is hit."""
        for order, ticks, lots in self.asked.values():
            order.pending_replace = 0
            order.update_ns += 1
            order.price_ticks, order.leaves_lots = ticks, lots
            order.status_code = int(OrderStatus.NEW if lots else OrderStatus.CANCELED)
            if lots and fill:
                fill = min(fill, lots)
                order.filled_lots += fill
                order.leaves_lots -= fill
                order.status_code = int(
                    OrderStatus.PARTIALLY_FILLED if order.leaves_lots else OrderStatus.FILLED
                )
                fill = 0
        self.asked.clear()


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_passed_over_would_have_been_left_alone(side, seed, monkeypatch) -> None:
    """The twin asks every order for news, judges every level, and sends the same messages."""
    offsets, lots = (0.0, 5.0, 30.0, 60.0), [40.0, 60.0, 250.0, 300.0]

    def messages() -> list[tuple[Any, ...]]:
        dice, owner = random.Random(seed), Recorder()
        quotes = QuoteSide(owner, make_market(BTC, 0), side, len(offsets))
        centre, scale = 1e6, 1.0
        for turn in range(START_NS, START_NS + 800):
            centre += dice.gauss(0.0, 12.0)
            if not dice.randrange(40):
                scale = dice.choice((0.0, 0.3, 1.0))
            quotes.collect(turn)
            quotes.refill(0.7)
            quotes.quote(Ladder(centre, 100.0, 1.0, offsets, 0.25), lots, scale, 2, turn)
            if dice.randrange(5):
                owner.answer(fill=dice.choice((0, 0, 0, 7, 500)))
        return owner.messages

    quick = messages()
    judge = QuoteSide.quote

    def judge_all(self: QuoteSide, *terms: Any) -> int:
        self._low = [math.inf] * len(offsets)
        sent = judge(self, *terms)
        self._heard_ns = [-1] * len(offsets)
        return sent

    monkeypatch.setattr(QuoteSide, "quote", judge_all)

    assert messages() == quick
    assert {kind for kind, *_ in quick} == {"new", "modify", "cancel"}
    assert len(quick) > 100


def test_prices_are_rounded_away_on_both_sides() -> None:
    """Quotes are symmetric on the grid; rounding both down (the planted bug) is not."""
    ladder, prices = Ladder(1000.5, 0.1, 3.0, (0.0, 10.0), 0.25), []
    for side in (BUY, SELL):
        owner = Recorder()
        QuoteSide(owner, make_market(BTC, 0), side, 2).quote(ladder, [9.0, 9.0], 1.0, 1, START_NS)
        prices.append([price for _, price, _ in owner.messages])

    assert prices == [[1000, 999], [1001, 1002]]
