"""Withdrawal for reasons of the maker's own account: inventory, margin, losses, lost hedges.

The spiral of capital and margin that these close is that of Brunnermeier & Pedersen (2009), "Market
liquidity and funding liquidity", Rev. Fin. Stud. 22(6).
"""

from __future__ import annotations

import attrs

from exchange_sim.messages.reasons import WithdrawalCause
from exchange_sim.units import NANOS_PER_S
from strategies.policy import AccountPolicy, Conditions, Policy, Quoted, StagedReturn


class InventoryPolicy(Policy):
    """At the inventory limit quote one side only, until the inventory is back under ``release``."""

    cause = WithdrawalCause.INVENTORY

    def __init__(self, release: float = 0.8) -> None:
        self._release = release
        self._blocked: dict[int, int] = {}

    def _side(self, pair: Quoted) -> int:
        """+1 while long at the limit, -1 while short at it, 0 otherwise."""
        blocked = self._blocked.get(pair.index, 0)
        if abs(pair.inventory) >= 1.0:
            blocked = 1 if pair.inventory > 0 else -1
        elif pair.inventory * blocked < self._release:
            blocked = 0
        self._blocked[pair.index] = blocked
        return blocked

    def bid(self, pair: Quoted) -> float:
        """No bids while long at the limit."""
        return 0.0 if self._side(pair) > 0 else 1.0

    def ask(self, pair: Quoted) -> float:
        """No asks while short at the limit."""
        return 0.0 if self._side(pair) < 0 else 1.0

    def both(self, pair: Quoted) -> tuple[float, float]:
        """One look at the inventory for both."""
        side = self._side(pair)
        return (0.0 if side > 0 else 1.0), (0.0 if side < 0 else 1.0)


@attrs.frozen
class MarginParams:
    """uniMMR below which sizes are halved and bids are cancelled, and the clearance to return."""

    halve_below: float = 1.5
    cancel_bids_below: float = 1.2
    clearance: float = 0.1
    return_half_life_s: float = 300.0


class MarginPolicy(AccountPolicy):
    """Own collateral: uniMMR < 1.5 halves all sizes, < 1.2 cancels all bids."""

    cause = WithdrawalCause.MARGIN

    def __init__(self, params: MarginParams) -> None:
        super().__init__()
        self.ask_scale = StagedReturn()
        self._params = params
        self._stage = 0

    def update(self, conditions: Conditions) -> None:
        """Choose the stage: down at the threshold, up only above threshold plus clearance."""
        p, ratio = self._params, conditions.uni_mmr
        if ratio < p.cancel_bids_below:
            self._stage = 2
        elif self._stage == 2 and ratio >= p.cancel_bids_below + p.clearance:
            self._stage = 1
        if self._stage == 0 and ratio < p.halve_below:
            self._stage = 1
        elif self._stage == 1 and ratio >= p.halve_below + p.clearance:
            self._stage = 0
        half_life = p.return_half_life_s * NANOS_PER_S
        self.bid_scale.step((1.0, 0.5, 0.0)[self._stage], conditions.now_ns, half_life)
        self.ask_scale.step((1.0, 0.5, 0.5)[self._stage], conditions.now_ns, half_life)


@attrs.frozen
class DrawdownParams:
    """Sizes fall in a straight line from 1 at ``start`` to 0 at ``stop`` (fractions of capital)."""

    start: float = 0.10
    stop: float = 0.30
    return_half_life_s: float = 360.0


class DrawdownPolicy(AccountPolicy):
    """Own losses shrink all sizes (loss limits: full size until -10 %, nothing beyond -30 %)."""

    cause = WithdrawalCause.DRAWDOWN

    def __init__(self, params: DrawdownParams) -> None:
        super().__init__()
        self._params = params

    def update(self, conditions: Conditions) -> None:
        """Work out the scale of all pairs."""
        p = self._params
        target = min(1.0, max(0.0, (p.stop - conditions.drawdown) / (p.stop - p.start)))
        self.bid_scale.step(target, conditions.now_ns, p.return_half_life_s * NANOS_PER_S, 0.05)


class HedgeLossPolicy(AccountPolicy):
    """After auto-deleveraging took a hedge: no quotes for ``pause_s``, then a staged return."""

    cause = WithdrawalCause.HEDGE_LOSS

    def __init__(self, pause_s: float = 300.0, return_half_life_s: float = 300.0) -> None:
        super().__init__()
        self._pause_ns = int(pause_s * NANOS_PER_S)
        self._half_life_ns = return_half_life_s * NANOS_PER_S

    def update(self, conditions: Conditions) -> None:
        """Zero until the pause since the latest loss is over."""
        lost, now = conditions.hedge_lost_ns, conditions.now_ns
        paused = bool(lost) and now < lost + self._pause_ns
        self.bid_scale.step(0.0 if paused else 1.0, now, self._half_life_ns)
