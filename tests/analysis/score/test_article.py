"""The chain of the article: each link found at its instant, with its size, or missing."""

from __future__ import annotations

import pytest

from exchange_sim.analysis.score.article import Chain, chain_of
from exchange_sim.messages.events import (
    LiquidationStarted,
    LiquidationStep,
    MarginBandChanged,
    Noted,
)
from exchange_sim.messages.reasons import MarginBand, NoteKind
from tests.doubles.made_up_run import NEWS, SECOND, MadeUpRun, book_of


@pytest.fixture
def run() -> MadeUpRun:
    """News, a fall of BTC, a maker reminded and liquidated, bids gone, an alt halved."""
    run = MadeUpRun([book_of(0, "BTC", kind="PERPETUAL"), book_of(1, "A")])
    run.add(Noted, 0, account=-1, kind=NoteKind.SHOCK)
    run.marks([(-1, 1000), (5, 989), (60, 950)])
    run.trade(7, 989, 300, sell=1)
    run.trade(8, 989, 100, sell=0)
    run.add(MarginBandChanged, 20, account=3, band=MarginBand.REMINDER, equity=70)
    run.add(LiquidationStarted, 30, account=3)
    run.add(LiquidationStep, 31, account=3, action=3, instrument=0, qty=1, value=250)
    for second in range(-2, 70):
        run.quote(second, 100, 101, 1000 if second < 9 else 50, at=1)
    run.path([(-1, 100), (70, 50)], at=1)
    return run


def seconds(chain: Chain) -> list[float | None]:
    """When the links happened, from the news."""
    return [
        None if link.time_ns is None else (link.time_ns - NEWS) / SECOND for link in chain.links
    ]


def test_links_have_time_and_size(run: MadeUpRun) -> None:
    chain = chain_of(run.view())

    assert seconds(chain) == [0.0, 5.0, None, None, None, 20.0, 30.0, 66.0, 70.0]
    assert [link.usd for link in chain.links] == [
        0.0, 300.0, None, None, None, 70.0, 250.0, 950.0, 100.0,
    ]  # fmt: skip
    assert (chain.happened, chain.in_order, chain.complete) == (6, True, False)
    assert "no pegged" not in chain.links[3].what


def test_nothing_happens_in_calm_times() -> None:
    run = MadeUpRun([book_of(0, "BTC", kind="PERPETUAL"), book_of(1, "A")])
    run.marks([(-1, 1000), (60, 999)])
    run.path([(-1, 100), (60, 99)], at=1)
    run.quote(-1, 100, 101, 50, at=1)
    run.quote(1, 100, 101, 50, at=1)
    chain = chain_of(run.view())

    assert chain.happened == 0
    assert all(link.what for link in chain.links)
