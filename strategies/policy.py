"""What a withdrawal policy is, and how several of them act together on one maker.

A policy turns conditions into a scale between 0 and 1 for the bid and ask sizes of a pair; several
policies are combined by the minimum.  A scale falls at once and returns in stages: only after the
trigger has cleared by a margin (hysteresis), then with a half-life.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol

from exchange_sim.messages.reasons import NoteKind, WithdrawalCause
from exchange_sim.units import PPM

_STAGES: Final = (0.9, 0.5, 0.2, 0.1, 0.05)
"""Crossing one of these mean scales is worth a note in the log."""
_CLEARANCE: Final = 1.3
"""A stage is left upwards only this factor above its edge, so that notes do not flap."""


class Conditions:
    """What a maker knows about the world and its own account at one wake-up.

    ``market_vol`` is realised over calm volatility, ``drawdown`` a fraction of capital, ``ack_ns``
    the recent order-acknowledgement delay, ``hedge_lost_ns`` when auto-deleveraging last hit the
    account (0: never), ``lead_fall`` how far the lead market is below its recent mean (a fraction,
    negative above it; 0 without a lead).
    """

    __slots__ = (
        "ack_ns",
        "drawdown",
        "hedge_lost_ns",
        "lead_fall",
        "market_vol",
        "now_ns",
        "outage",
        "uni_mmr",
    )

    def __init__(self) -> None:
        self.now_ns = 0
        self.market_vol = 1.0
        self.uni_mmr = math.inf
        self.drawdown = 0.0
        self.outage = False
        self.ack_ns = 0
        self.hedge_lost_ns = 0
        self.lead_fall = 0.0


class Quoted(Protocol):
    """The part of a maker's pair that policies look at.

    ``index`` counts the maker's pairs from 0, ``group`` names those that fall together, ``own_vol``
    is realised over calm volatility of this book, ``inventory`` a signed fraction of its limit,
    ``toxicity`` an order-flow imbalance in [0, 1].
    """

    index: int
    venue: str
    group: str
    is_major: bool
    own_vol: float
    inventory: float
    toxicity: float


class StagedReturn:
    """A scale that falls at once and, when its target has cleared a band, rises slowly."""

    __slots__ = ("_returning", "_time_ns", "value")

    def __init__(self) -> None:
        self.value = 1.0
        self._time_ns = 0
        self._returning = False

    def step(self, target: float, now_ns: int, half_life_ns: float, band: float = 0.0) -> float:
        """The scale at ``now_ns``; ``band`` is the relative excess that starts a return."""
        value = self.value
        if target < value:
            self.value = target
            self._returning = False
        elif self._returning or target > value * (1.0 + band):
            self._returning = True
            share = 1.0 - 2.0 ** ((self._time_ns - now_ns) / half_life_ns)
            self.value = value + (target - value) * share
        self._time_ns = now_ns
        return self.value


class Policy:
    """Base: the maker calls ``update`` once per wake-up, then ``bid`` and ``ask`` for each pair.

    One that ``pulls`` cancels the bids of all pairs in the wake-up in which its bid scale becomes
    0, also of those that are not due; the others act on a pair when its turn comes.
    """

    cause = WithdrawalCause.NONE
    pulls = False

    def update(self, conditions: Conditions) -> None:
        """Take in the maker-wide conditions."""

    def bid(self, pair: Quoted) -> float:
        """Scale of the bid sizes of a pair."""
        raise NotImplementedError

    def ask(self, pair: Quoted) -> float:
        """Scale of the ask sizes of a pair, asked for after ``bid``; by default the same."""
        return self.bid(pair)

    def both(self, pair: Quoted) -> tuple[float, float]:
        """``bid`` and ``ask`` in one step; worth overriding, because makers ask for each pair."""
        return self.bid(pair), self.ask(pair)


class AccountPolicy(Policy):
    """Base of policies that treat all pairs alike: ``update`` sets both scales."""

    def __init__(self) -> None:
        self.bid_scale = StagedReturn()
        self.ask_scale = self.bid_scale

    def bid(self, pair: Quoted) -> float:
        """The same for all pairs."""
        del pair
        return self.bid_scale.value

    def ask(self, pair: Quoted) -> float:
        """The same for all pairs."""
        del pair
        return self.ask_scale.value


class PolicySet:
    """Several policies as one: the smallest scale of each side wins.

    No maker vanishes altogether except where a policy cancels a side: between 0 and ``floor`` a
    scale is lifted to ``floor``.  Without policies (the mechanism is switched off) every scale is
    1.
    """

    def __init__(self, policies: Sequence[Policy], floor: float = 0.0) -> None:
        self._policies = tuple(policies)
        self._alike: list[AccountPolicy] = []
        self._pairwise: list[Policy] = []
        for policy in policies:
            own = type(policy).bid, type(policy).ask
            if isinstance(policy, AccountPolicy) and own == (AccountPolicy.bid, AccountPolicy.ask):
                self._alike.append(policy)
            else:
                self._pairwise.append(policy)
        self._pulling = tuple(policy for policy in self._alike if policy.pulls)
        self._pulled = False
        self._common = (1.0, WithdrawalCause.NONE, 1.0)
        self._floor = floor
        self._stage = 0
        self._latest: dict[int, tuple[float, WithdrawalCause]] = {}

    def update(self, conditions: Conditions) -> None:
        """Begin a wake-up.

        What is the same for all pairs is worked out once (30 pairs: 5 us less for each).
        """
        bid = ask = 1.0
        cause = WithdrawalCause.NONE
        for policy in self._policies:
            policy.update(conditions)
        for alike in self._alike:
            if alike.bid_scale.value < bid:
                bid, cause = alike.bid_scale.value, alike.cause
            ask = min(ask, alike.ask_scale.value)
        self._common = (bid, cause, ask)

    def pulls(self) -> bool:
        """Whether bids have to go everywhere, in this wake-up and not already in an earlier one."""
        before = self._pulled
        self._pulled = any(policy.bid_scale.value == 0.0 for policy in self._pulling)
        return self._pulled and not before

    def withdrawn(self, pair: Quoted) -> None:
        """The bids of a pair are gone before its turn; for what ``change`` tells."""
        bid, cause, _ = self._common
        self._latest[pair.index] = (bid, cause)

    def scales(self, pair: Quoted) -> tuple[float, float]:
        """Bid and ask scale of a pair."""
        bid, cause, ask = self._common
        for policy in self._pairwise:
            bids, asks = policy.both(pair)
            if bids < bid:
                bid, cause = bids, policy.cause
            ask = min(ask, asks)
        self._latest[pair.index] = (bid, cause)
        floor = self._floor
        return (
            floor if 0.0 < bid < floor else bid,
            floor if 0.0 < ask < floor else ask,
        )

    def change(self) -> tuple[NoteKind, WithdrawalCause, int] | None:
        """What to note at the end of a wake-up: kind, main cause, mean bid scale in ppm.

        ``None`` unless the mean scale over the maker's pairs crossed a stage (90, 50, 20, 10, 5 %).
        """
        if not self._latest:
            return None
        mean = sum(bid for bid, _ in self._latest.values()) / len(self._latest)
        before, stage = self._stage, self._stage
        while stage < len(_STAGES) and mean < _STAGES[stage]:
            stage += 1
        while stage and mean >= min(1.0, _STAGES[stage - 1] * _CLEARANCE):
            stage -= 1
        self._stage = stage
        if stage == before:
            return None
        votes = dict.fromkeys(WithdrawalCause, 0.0)
        for bid, voted in self._latest.values():
            votes[voted] += 1.0 - bid
        cause = max(votes, key=votes.__getitem__) if stage else WithdrawalCause.NONE
        kind = NoteKind.QUOTES_REDUCED if mean >= 0.1 else NoteKind.QUOTES_WITHDRAWN
        return (NoteKind.QUOTES_RESTORED if stage < before else kind), cause, round(mean * PPM)
