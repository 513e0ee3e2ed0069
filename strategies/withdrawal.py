"""Withdrawal policies: when a market maker takes its quotes away, and how it comes back.

Each policy is small and stands alone; ``strategies.policy.PolicySet`` combines any number of them
by the minimum and says what to note in the log.  This module chooses the set that a maker uses.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

import attrs

from exchange_sim.rng import Stream
from strategies.factor_limit import FactorParams, FactorPolicy
from strategies.group_limits import GroupParams, GroupPolicy
from strategies.market_limits import (
    InfrastructureParams,
    InfrastructurePolicy,
    ToxicityParams,
    ToxicityPolicy,
    VolatilityParams,
    VolatilityPolicy,
)
from strategies.own_limits import (
    DrawdownParams,
    DrawdownPolicy,
    HedgeLossPolicy,
    InventoryPolicy,
    MarginParams,
    MarginPolicy,
)
from strategies.policy import Conditions, Policy, PolicySet, Quoted, StagedReturn

__all__ = [
    "POLICIES",
    "Conditions",
    "DrawdownParams",
    "DrawdownPolicy",
    "FactorParams",
    "FactorPolicy",
    "GroupParams",
    "GroupPolicy",
    "HedgeLossPolicy",
    "InfrastructureParams",
    "InfrastructurePolicy",
    "InventoryPolicy",
    "MarginParams",
    "MarginPolicy",
    "Policy",
    "PolicySet",
    "Quoted",
    "StagedReturn",
    "ToxicityParams",
    "ToxicityPolicy",
    "VolatilityParams",
    "VolatilityPolicy",
    "WithdrawalParams",
    "make_policies",
]


POLICIES: Final = (
    "inventory",
    "hedge_loss",
    "volatility",
    "infrastructure",
    "margin",
    "drawdown",
    "toxicity",
    "group",
    "factor",
)
"""Names of the policies, as ``only`` takes them."""


@attrs.frozen
class WithdrawalParams:
    """Parameters of each policy; ``None`` leaves a policy out.

    ``only`` names the policies in force, the others are left out: ``only = ["margin"]`` is "who
    withdraws when" in one line; empty: all that are not ``None``.  ``floor`` is the scale that a
    maker keeps while a policy shrinks it (a policy that cancels a side still cancels it): a market
    that everybody leaves for good cannot heal.
    """

    volatility: VolatilityParams | None = attrs.field(factory=VolatilityParams)
    infrastructure: InfrastructureParams | None = attrs.field(factory=InfrastructureParams)
    margin: MarginParams | None = attrs.field(factory=MarginParams)
    drawdown: DrawdownParams | None = attrs.field(factory=DrawdownParams)
    toxicity: ToxicityParams | None = None
    group: GroupParams | None = None
    factor: FactorParams | None = None
    only: tuple[str, ...] = attrs.field(default=())
    inventory_release: float = 0.8
    hedge_loss_pause_s: float = 300.0
    floor: float = 0.02

    @only.validator
    def _names_are_policies(self, _: object, value: tuple[str, ...]) -> None:
        for name in value:
            if name not in POLICIES:
                near = get_close_matches(name, POLICIES, 1) or POLICIES
                raise ValueError(f"only: there is no policy {name!r}; known: {', '.join(near)}")


def make_policies(params: WithdrawalParams, stream: Stream) -> list[Policy]:
    """The policies of one maker; its own thresholds are drawn from ``stream`` in fixed order."""
    only = params.only
    found: dict[str, Policy] = {
        "inventory": InventoryPolicy(params.inventory_release),
        "hedge_loss": HedgeLossPolicy(params.hedge_loss_pause_s),
    }
    if params.volatility is not None:
        found["volatility"] = VolatilityPolicy(params.volatility, stream)
    if params.infrastructure is not None:
        found["infrastructure"] = InfrastructurePolicy(params.infrastructure, stream)
    if params.margin is not None:
        found["margin"] = MarginPolicy(params.margin)
    if params.drawdown is not None:
        found["drawdown"] = DrawdownPolicy(params.drawdown)
    if params.toxicity is not None or "toxicity" in only:
        found["toxicity"] = ToxicityPolicy(params.toxicity or ToxicityParams())
    if params.group is not None or "group" in only:
        found["group"] = GroupPolicy(params.group or GroupParams())
    if params.factor is not None or "factor" in only:
        found["factor"] = FactorPolicy(params.factor or FactorParams(), stream)
    return [policy for name, policy in found.items() if not only or name in only]
