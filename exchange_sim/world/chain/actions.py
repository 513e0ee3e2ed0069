"""The table of actions: what each costs in gas and which function does it.

A system that lives on the chain adds its actions here; its handlers take an ``Execution`` and the
action as ``(kind, a, b, c, d, e, f)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from exchange_sim.messages.reasons import ActionKind, PostingKind, RejectReason
from exchange_sim.world.chain.execution import Action, Execution, Revert
from exchange_sim.world.issuers import mint, pass_on_yield, redeem
from exchange_sim.world.transfers import to_venue

BASE_GAS: Final = 21_000
"""Gas of a transaction before it does anything (Ethereum yellow paper, G_transaction)."""

Handler = Callable[[Execution, Action], None]


@attrs.frozen
class ActionSpec:
    """Gas of an action and the function that does it."""

    gas: int
    handler: Handler


def send(x: Execution, action: Action) -> None:
    """Give ``amount`` of an asset to another wallet: ``(SEND, asset, amount, wallet)``."""
    _, asset, amount, target, *_ = action
    amount = x.amount(amount, x.free(x.asset(asset)))
    if not is_wallet(x, target) or target == x.wallet:
        raise Revert(RejectReason.NOT_A_WALLET)
    x.post(asset, x.wallet, target, amount, PostingKind.SEND)
    x.output = amount


def is_wallet(x: Execution, account: int) -> bool:
    """Whether an account id is a participant's wallet."""
    accounts = x.w.accounts
    if not 0 <= account < len(accounts):
        return False
    return accounts[account].venue == x.chain.venue and accounts[account].owner >= 0


ACTIONS: Final[dict[int, ActionSpec]] = {
    ActionKind.SEND: ActionSpec(44_000, send),
    ActionKind.TO_VENUE: ActionSpec(44_000, to_venue),
    ActionKind.ISSUER_MINT: ActionSpec(120_000, mint),
    ActionKind.ISSUER_REDEEM: ActionSpec(120_000, redeem),
    ActionKind.ISSUER_YIELD: ActionSpec(150_000, pass_on_yield),
}
"""Every action by its kind.  Gas is that of typical mainnet calls, less ``BASE_GAS``."""


def gas_of(actions: tuple[Action, ...]) -> int:
    """Gas that these actions need in one transaction."""
    return BASE_GAS + sum(ACTIONS[action[0]].gas for action in actions)
