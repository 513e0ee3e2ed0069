"""The graph of a cascade by hand: shares, parents, generations."""

from __future__ import annotations

import numpy as np
import pytest

from exchange_sim.analysis.cascade_flow import (
    GENERATIONS,
    LOOK_BACK_NS,
    Flow,
    before,
    covering,
    generations_of,
    parents_of,
)


def flow(*rows: tuple[int, int, float, int, int]) -> Flow:
    """Trades as (time_ns, seq, dollars, node, group)."""
    times, seqs, dollars, nodes, groups = zip(*rows, strict=True)
    return Flow(
        np.array(times), np.array(seqs), np.array(dollars), np.array(nodes), np.array(groups)
    )


def test_parents_share_the_flow_of_the_minute_before() -> None:
    """60 of 100 dollars were forced: 45 by node 2, 15 by node 0; what is older does not count."""
    now = 2 * LOOK_BACK_NS
    whole = flow(
        (now - LOOK_BACK_NS, 1, 500.0, 1, 0),
        (now - LOOK_BACK_NS + 1, 2, 40.0, -1, 0),
        (now - 2, 3, 15.0, 0, 1),
        (now - 1, 4, 45.0, 2, 1),
        (now, 9, 70.0, 2, 1),
    )
    recent = before(whole, now, 9)
    parents, shares = parents_of(recent, 3)

    assert recent.dollars.tolist() == [40.0, 15.0, 45.0]
    assert parents.tolist() == [0, 2]
    assert shares == pytest.approx([0.15, 0.45])
    assert parents_of(recent, 1)[0].tolist() == [0]
    assert len(parents_of(recent, 0)[0]) == 0


def test_generations_are_spread_without_remainder() -> None:
    """A child of a child: 0.55 + 0.45 (half of generation 0, half of 1)."""
    first = generations_of(np.zeros((0, GENERATIONS)), np.zeros(0))
    second = generations_of(first[None, :], np.array([0.5]))
    third = generations_of(np.stack([first, second]), np.array([0.15, 0.45]))

    assert first[:2].tolist() == [1.0, 0.0]
    assert second[:3].tolist() == [0.5, 0.5, 0.0]
    assert third[:3] == pytest.approx([0.4, 0.15 + 0.225, 0.225])
    assert third.sum() == pytest.approx(1.0)


def test_the_last_generation_holds_all_later_ones() -> None:
    late = np.zeros((1, GENERATIONS))
    late[0, -1] = 1.0

    assert generations_of(late, np.array([1.0]))[-1] == 1.0


def test_a_trade_belongs_to_the_liquidation_that_was_running() -> None:
    """Two liquidations of one account, from 10 to 20 and from 30 to 40."""
    episodes = {"seq": np.array([10, 30]), "end": np.array([20, 40])}

    assert [covering(episodes, [0, 1], seq) for seq in (9, 10, 20, 25, 30, 40, 41)] == [
        -1, 0, 0, -1, 1, 1, -1,
    ]  # fmt: skip
