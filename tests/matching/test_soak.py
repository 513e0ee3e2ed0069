"""Long random runs; `make soak`."""

from __future__ import annotations

import pytest

from tests.oracles.differential import SHAPES, Shape, run


@pytest.mark.soak
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
@pytest.mark.parametrize("seed", range(100, 107))
def test_agrees_with_naive_twin_for_long(shape: Shape, seed: int) -> None:
    """1,050,000 operations in all."""
    run(shape, operations=50_000, seed=seed)
