"""Pytest fixtures for strategies; active wherever exchange_sim is installed.

``bench``: one perpetual, ``leading:BTCUSDT``, where you play the venue.  ``auto_bench``: the same,
and the venue answers by itself.  ``make_bench``: benches with the markets that you name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exchange_sim.strategy.testing import Bench, make_market


@pytest.fixture
def bench() -> Bench:
    """A bench with one market; answers are up to the test."""
    return Bench.single()


@pytest.fixture
def auto_bench() -> Bench:
    """A bench with one market that answers orders by itself."""
    return Bench.single(auto=True)


@pytest.fixture
def make_bench() -> Callable[..., Bench]:
    """``make_bench("leading:BTCUSDT", "second:BTCUSDT", auto=True, tick="0.1")``."""

    def make(*symbols: str, auto: bool = False, **grid: Any) -> Bench:
        markets = [
            make_market(symbol, instrument_id=number, **grid)
            for number, symbol in enumerate(symbols)
        ]
        return Bench(markets, auto=auto)

    return make
