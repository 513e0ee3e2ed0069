"""The real engine against its naive twin: 100,000 random operations, equal after each of them."""

from __future__ import annotations

import pytest

from exchange_sim.matching import book, stops, trailing
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.messages.reasons import CancelReason, RejectReason
from exchange_sim.model.order import Order
from tests.oracles.differential import SHAPES, Shape, run

EVERY_KIND = {
    ("trade", 0),
    ("rest", 0),
    ("trigger", 0),
    ("reduce", int(CancelReason.STP)),
    ("reject", int(RejectReason.POST_ONLY_WOULD_CROSS)),
    *(
        ("cancel", int(CancelReason[name]))
        for name in ("USER", "IOC", "FOK", "NO_LIQUIDITY", "STP", "MASS", "PRICE_BOUND")
    ),
}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("seed", [1, 2])
def test_agrees_with_naive_twin(shape: Shape, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trade for trade, with every kind of outcome; seed 2 compacts queues all the time."""
    if seed == 2:
        monkeypatch.setattr(book, "_SLACK", 1)
        monkeypatch.setattr(stops, "_COMPACT_MIN", 1)
        monkeypatch.setattr(trailing, "_COMPACT_MIN", 1)
    pair = run(shape, operations=17_000, seed=seed)
    assert set(pair.seen) >= EVERY_KIND


def test_twin_notices_a_planted_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose fill-or-kill forgets the hidden quantity does not get past the twin."""

    def shown_only(self: book.OrderBook, taker: Order, limit: int, stp: int = 0) -> int:
        return min(taker.leaves, self.quantity_within(1 - taker.side, limit))

    monkeypatch.setattr(book.OrderBook, "fillable", shown_only)
    with pytest.raises(AssertionError, match="FOK") as caught:
        run(SHAPES[0], operations=20_000, seed=1)
    assert "seed 1, operation" in caught.value.__notes__[0]


def test_engine_is_fresh_every_time() -> None:
    """Two runs of one seed in one process report the same: nothing is shared between engines."""
    first, second = (run(SHAPES[1], operations=1_500, seed=9) for _ in range(2))
    assert first.seen == second.seen
    assert list(first.engine.book.orders) == list(second.engine.book.orders)
    assert MatchingEngine().book.orders == {}
