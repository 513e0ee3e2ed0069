"""Views of the market are shared by all readers, so nobody can change them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from exchange_sim.marketdata.market import floor_grid
from exchange_sim.marketdata.views import (
    BookView,
    MarkPrice,
    Trade,
    seal_book,
    seal_mark,
    seal_trade,
)
from exchange_sim.strategy.testing import make_market


def test_what_is_shared_cannot_be_changed():
    """A strategy that writes into a view gets an error; nobody else sees a change."""
    market = make_market("v:BTCUSDT")
    book = seal_book(BookView(market, 7, ((100, 5),), ((101, 6),)))
    trade = seal_trade(Trade(market, 7, 1, 100, 2, 0, 0))
    mark = seal_mark(MarkPrice(market, 7, 100_000_000, 100_000_000))
    for view, name in ((book, "bid_ticks"), (trade, "qty_lots"), (mark, "mark_micro")):
        before = getattr(view, name)
        with pytest.raises(AttributeError, match="market data are shared"):
            setattr(view, name, 1_000)
        with pytest.raises(AttributeError, match="market data are shared"):
            delattr(view, name)
        assert getattr(view, name) == before
    assert isinstance(book, BookView)
    assert book.best_bid == market.price(100)


@pytest.mark.parametrize(
    "kind", [np.int64, np.uint8, np.float32, np.float64, int, Decimal, Fraction]
)
def test_numbers_of_other_libraries_are_numbers(kind: Callable[[int], Any]) -> None:
    """Three halves make a lot: whole steps of 1.5 in 7 are 4, whoever's seven it is."""
    assert floor_grid(kind(7), 3, 2) == 4
    others: list[Any] = [True, "7", None, 7j, np.bool_(True), np.array([7, 8])]
    for junk in others:
        with pytest.raises(TypeError, match="expected a number"):
            floor_grid(junk, 3, 2)
