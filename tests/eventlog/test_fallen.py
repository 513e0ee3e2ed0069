"""Many falls, one price at a time: the same steps are told as by a median worked out each time."""

from __future__ import annotations

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.eventlog.fallen import Fallen

STEPS = (0.2, 0.4, 0.6, 0.8)
FALL = st.sampled_from([-0.1, 0.0, 0.1, 0.19, 0.2, 0.21, 0.4, 0.5, 0.6, 0.79, 0.8, 0.95])


@given(
    start=st.dictionaries(st.integers(0, 9), st.just(0.0), min_size=1),
    moves=st.lists(st.tuples(st.integers(0, 9), FALL), max_size=60),
)
def test_naive_twin(start: dict[int, float], moves: list[tuple[int, float]]) -> None:
    """Told exactly when the plain median has passed more steps than ever before."""
    fallen, falls, passed = Fallen(start, STEPS), dict(start), 0
    for asset, fall in moves:
        falls[asset] = fall
        middle = median(falls.values())
        now = sum(middle >= step for step in STEPS)
        assert fallen.put(asset, fall) == (middle if now > passed else None)
        passed = max(passed, now)
