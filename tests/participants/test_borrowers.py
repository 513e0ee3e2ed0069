"""Borrowers are drawn to the totals that a scenario states."""

from __future__ import annotations

import attrs
import pytest

from exchange_sim.participants.borrowers import Answer, AssetShare, BorrowerCrowd, draw_borrowers
from exchange_sim.rng import Streams

CROWD = BorrowerCrowd("vip", (AssetShare("SOL", 3.0), AssetShare("DOGE", 1.0)), count=2_000)


def test_totals_and_shares():
    """Collateral to the dollar, loan-to-values within their bounds, shares near what was asked."""
    specs = draw_borrowers(CROWD, Streams(1).stream("x"))
    answers = [spec.answer for spec in specs]
    ltvs = [spec.principal_usd / spec.collateral_usd for spec in specs]

    assert sum(spec.collateral_usd for spec in specs) == pytest.approx(CROWD.total_usd)
    assert CROWD.ltv_low <= min(ltvs) < max(ltvs) <= CROWD.ltv_high
    assert sum(ltvs) / len(ltvs) == pytest.approx(0.55, abs=0.01)
    assert answers.count(Answer.SELL) / len(answers) == pytest.approx(0.3, abs=0.04)
    assert sum(spec.asset == "SOL" for spec in specs) / len(specs) == pytest.approx(0.75, abs=0.04)


def test_same_stream_same_people():
    """The draw is a function of its stream."""
    first, again, other = (draw_borrowers(CROWD, Streams(s).stream("x")) for s in (1, 1, 2))

    assert first == again != other


@pytest.mark.parametrize(
    "bad", [{"count": 0}, {"collateral": ()}, {"top_up": 0.9, "sell": 0.2}, {"ltv_high": 0.3}]
)
def test_nonsense_is_refused(bad):
    """With a sentence about what is wrong."""
    with pytest.raises(ValueError, match=r"must|need"):
        draw_borrowers(attrs.evolve(CROWD, **bad), Streams(1).stream("x"))
