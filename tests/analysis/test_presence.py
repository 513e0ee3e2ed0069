"""Presence and depth of quotes against a naive twin that looks at every order at every second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.analysis.quoting import NEAR_PPM, Change, _presence

SECONDS = 12
MID = 1_000

changes = st.lists(
    st.tuples(
        st.integers(0, SECONDS * 4),  # quarter seconds
        st.integers(1, 4),  # order
        st.sampled_from([985, 992, 999, -1001, -1008, -1015, 0]),  # signed price
        st.integers(0, 3),  # lots
    ),
    max_size=40,
)


class Marks:
    """A market that stands still."""

    grid = np.arange(1, SECONDS + 1, dtype=np.int64) * 4

    def on(self, instrument: int, times: Any) -> Any:
        return np.full(len(times), 2 * MID, np.int64)

    def size(self, instrument: int, lots: int, price: int) -> float:
        return float(lots * price)


class Run:
    """Names of one market."""

    instruments = ({"quote_asset": 0, "symbol": "a:X"},)
    assets = ({"decimals": 0},)


def naive(found: list[Change]) -> tuple[list[tuple[bool, bool]], list[tuple[int, int]]]:
    """Presence and depth of both sides at each second."""
    presence, depth = [], []
    for now in Marks.grid.tolist():
        open_orders: dict[int, tuple[int, int]] = {}
        for _, time_ns, order, _, price, lots in found:
            if time_ns > now:
                continue
            known = open_orders.pop(order, None)
            if lots and (price or known):
                open_orders[order] = (price or (known or (0, 0))[0], lots)
        bids = [(p, q) for p, q in open_orders.values() if p > 0]
        asks = [(-p, q) for p, q in open_orders.values() if p <= 0]
        near = [
            sum(p * q for p, q in side if abs(p - MID) * 1_000_000 <= NEAR_PPM * MID)
            for side in (bids, asks)
        ]
        presence.append((bool(bids), bool(asks)))
        depth.append((near[0], near[1]))
    return presence, depth


@settings(max_examples=200, deadline=None)
@given(changes)
def test_agrees_with_the_naive_twin(raw: list[tuple[int, int, int, int]]) -> None:
    """Any order of placements, changes and ends, several within one second included."""
    ordered = sorted(raw)
    found: list[Change] = [
        (seq, time_ns, order, 0, price, lots)
        for seq, (time_ns, order, price, lots) in enumerate(ordered)
    ]
    run: Any = Run()
    marks: Any = Marks()
    figures, bid_depth, ask_depth = _presence(run, found, marks)
    presence, depth = naive(found)
    if not found:
        assert figures == ()
        return

    assert bid_depth.tolist() == [bid for bid, _ in depth]
    assert ask_depth.tolist() == [ask for _, ask in depth]
    (market,) = figures
    seen = sum(bid for bid, _ in presence), sum(bid and ask for bid, ask in presence)
    assert market.bid_pct == pytest.approx(100 * seen[0] / SECONDS)
    assert market.both_pct == pytest.approx(100 * seen[1] / SECONDS)
