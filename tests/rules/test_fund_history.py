"""The peak of a fund in a moving window, against looking at every balance of the window."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.risk.fund_history import FundHistory

CHANGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50)), max_size=40)


@given(changes=CHANGES, window=st.integers(1, 30), later=st.integers(0, 40))
def test_the_peak_is_that_of_the_plain_calculation(changes, window, later):
    """A balance counts while it lasted into the window, however long ago it began."""
    history, now, balances = FundHistory(window, 7), 0, [(0, 7)]
    for wait, balance in changes:
        now += wait
        history.record(now, balance)
        balances.append((now, balance))
    now += later
    ends = [began for began, _ in balances[1:]] + [now + 1]
    inside = [b for (_, b), end in zip(balances, ends, strict=True) if end > now - window]

    assert history.peak(now) == max(inside)
    assert history.balance == balances[-1][1]


def test_an_old_peak_is_forgotten():
    """Eight hours later the fund is judged by what it had since."""
    history = FundHistory(10, 100)
    history.record(5, 60)

    assert [history.peak(now) for now in (5, 14, 15, 99)] == [100, 100, 60, 60]
    assert history.state() == ()
