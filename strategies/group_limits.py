"""Withdrawal because of others: when part of a correlated group is in trouble, the rest follows.

Makers of many coins hedge one factor with one account, so stress in some books is a reason to leave
all of them: Cespa & Foucault (2014), "Illiquidity contagion and liquidity crashes", Rev. Fin. Stud.
27(6), where makers of one asset learn from the price of another and withdraw together.
"""

from __future__ import annotations

import attrs

from exchange_sim.messages.reasons import WithdrawalCause
from exchange_sim.units import NANOS_PER_S
from strategies.policy import Conditions, Policy, Quoted, StagedReturn


@attrs.frozen
class GroupParams:
    """A pair is stressed from ``stress_vol`` times calm volatility on.

    When ``enter`` of a group's pairs are stressed, the bids of the whole group shrink to ``bid``
    and its asks to ``ask``; they come back when fewer than ``leave`` are, with a half-life.
    ``groups`` names the groups that this is about, pairs of others stay as they are (none: all).
    """

    stress_vol: float = 8.0
    enter: float = 0.3
    leave: float = 0.1
    bid: float = 0.0
    ask: float = 0.5
    return_half_life_s: float = 300.0
    groups: tuple[str, ...] = ()


class _Group:
    """Pairs by whether they are stressed, and the scales of all of them."""

    __slots__ = ("ask", "bid", "out", "stressed")

    def __init__(self) -> None:
        self.stressed: dict[int, bool] = {}
        self.out = False
        self.bid = StagedReturn()
        self.ask = StagedReturn()

    def share(self) -> float:
        """Part of the known pairs that is stressed."""
        return sum(self.stressed.values()) / len(self.stressed) if self.stressed else 0.0


class GroupPolicy(Policy):
    """One fate for all pairs of a group; a maker's pairs are one group unless they name theirs."""

    cause = WithdrawalCause.GROUP

    def __init__(self, params: GroupParams) -> None:
        self._params = params
        self._groups: dict[str, _Group] = {}

    def update(self, conditions: Conditions) -> None:
        """Judge every group by what its pairs were at the last wake-up."""
        p = self._params
        half_life = p.return_half_life_s * NANOS_PER_S
        for group in self._groups.values():
            share = group.share()
            group.out = share >= p.enter or (group.out and share >= p.leave)
            group.bid.step(p.bid if group.out else 1.0, conditions.now_ns, half_life)
            group.ask.step(p.ask if group.out else 1.0, conditions.now_ns, half_life)

    def _concerns(self, pair: Quoted) -> bool:
        """Whether the policy is about the pair's group."""
        return not self._params.groups or pair.group in self._params.groups

    def bid(self, pair: Quoted) -> float:
        """The scale of the pair's group; also remembers how the pair is."""
        if not self._concerns(pair):
            return 1.0
        group = self._groups.setdefault(pair.group, _Group())
        group.stressed[pair.index] = pair.own_vol >= self._params.stress_vol
        return group.bid.value

    def ask(self, pair: Quoted) -> float:
        """The scale of the pair's group."""
        if not self._concerns(pair):
            return 1.0
        return self._groups.setdefault(pair.group, _Group()).ask.value
