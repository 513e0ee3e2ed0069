"""The highest balance of an insurance fund in a moving window: what drawdown triggers look at."""

from __future__ import annotations

from collections import deque


class FundHistory:
    """Peak of a balance over the last ``window_ns``; O(1) amortised per change.

    Times must not go backwards.
    """

    __slots__ = ("_ended", "balance", "window_ns")

    def __init__(self, window_ns: int, balance: int = 0) -> None:
        self.window_ns = window_ns
        self.balance = balance
        self._ended: deque[tuple[int, int]] = deque()

    def record(self, now_ns: int, balance: int) -> None:
        """The balance is this from now on."""
        ended = self._ended
        while ended and ended[-1][1] <= self.balance:
            ended.pop()
        ended.append((now_ns, self.balance))
        self.balance = balance

    def peak(self, now_ns: int) -> int:
        """Highest balance that the fund had at any moment of the window."""
        ended, since = self._ended, now_ns - self.window_ns
        while ended and ended[0][0] <= since:
            ended.popleft()
        return max(self.balance, ended[0][1]) if ended else self.balance

    def state(self) -> tuple[tuple[int, int], ...]:
        """Past balances that may still be a peak: what a state digest needs."""
        return tuple(self._ended)
