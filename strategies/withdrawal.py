"""Withdrawal policies: when a market maker takes its quotes away, and how it comes back.

Each policy is small and stands alone; ``strategies.policy.PolicySet`` combines any number of them
by the minimum and says what to note in the log.  This module chooses the set that a maker uses.
"""

from __future__ import annotations

import attrs

from exchange_sim.rng import Stream
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
    "Conditions",
    "DrawdownParams",
    "DrawdownPolicy",
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


@attrs.frozen
class WithdrawalParams:
    """Parameters of each policy; ``None`` leaves a policy out.

    ``floor`` is the scale that a maker keeps while a policy shrinks it (a policy that cancels a
    side still cancels it): a market that everybody leaves for good cannot heal.
    """

    volatility: VolatilityParams | None = attrs.field(factory=VolatilityParams)
    infrastructure: InfrastructureParams | None = attrs.field(factory=InfrastructureParams)
    margin: MarginParams | None = attrs.field(factory=MarginParams)
    drawdown: DrawdownParams | None = attrs.field(factory=DrawdownParams)
    toxicity: ToxicityParams | None = None
    inventory_release: float = 0.8
    hedge_loss_pause_s: float = 300.0
    floor: float = 0.02


def make_policies(params: WithdrawalParams, stream: Stream) -> list[Policy]:
    """The policies of one maker; its own thresholds are drawn from ``stream`` in fixed order."""
    policies: list[Policy] = [
        InventoryPolicy(params.inventory_release),
        HedgeLossPolicy(params.hedge_loss_pause_s),
    ]
    if params.volatility is not None:
        policies.append(VolatilityPolicy(params.volatility, stream))
    if params.infrastructure is not None:
        policies.append(InfrastructurePolicy(params.infrastructure, stream))
    if params.margin is not None:
        policies.append(MarginPolicy(params.margin))
    if params.drawdown is not None:
        policies.append(DrawdownPolicy(params.drawdown))
    if params.toxicity is not None:
        policies.append(ToxicityPolicy(params.toxicity))
    return policies
