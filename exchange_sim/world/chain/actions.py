"""The table of actions: what each costs in gas and which function does it.

A system that lives on the chain adds its actions here; its handlers take an ``Execution`` and the
action as ``(kind, a, b, c, d, e, f)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from exchange_sim.messages.reasons import ActionKind, PostingKind, RejectReason
from exchange_sim.world.chain import lending, liquidations, markets, ranges, swaps
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


A = ActionKind
ACTIONS: Final[dict[int, ActionSpec]] = {
    A.SEND: ActionSpec(44_000, send),
    A.SUPPLY: ActionSpec(200_000, lending.supply),
    A.WITHDRAW: ActionSpec(220_000, lending.withdraw),
    A.BORROW: ActionSpec(280_000, lending.borrow),
    A.REPAY: ActionSpec(180_000, lending.repay),
    A.SET_CATEGORY: ActionSpec(80_000, lending.set_category),
    A.LIQUIDATE: ActionSpec(600_000, liquidations.liquidate),
    A.FLASH_LOAN: ActionSpec(100_000, lending.flash_loan),
    A.SWAP: ActionSpec(130_000, swaps.swap),
    A.ADD_LIQUIDITY: ActionSpec(200_000, swaps.add_liquidity),
    A.REMOVE_LIQUIDITY: ActionSpec(150_000, swaps.remove_liquidity),
    A.REMOVE_ONE_COIN: ActionSpec(180_000, swaps.remove_one_coin),
    A.ADD_RANGE: ActionSpec(300_000, ranges.add_range),
    A.REMOVE_RANGE: ActionSpec(250_000, ranges.remove_range),
    A.MARKET_SUPPLY: ActionSpec(110_000, markets.supply),
    A.MARKET_WITHDRAW: ActionSpec(110_000, markets.withdraw),
    A.MARKET_ADD_COLLATERAL: ActionSpec(70_000, markets.add_collateral),
    A.MARKET_REMOVE_COLLATERAL: ActionSpec(90_000, markets.remove_collateral),
    A.MARKET_BORROW: ActionSpec(150_000, markets.borrow),
    A.MARKET_REPAY: ActionSpec(100_000, markets.repay),
    A.MARKET_LIQUIDATE: ActionSpec(250_000, markets.liquidate),
    A.TO_VENUE: ActionSpec(44_000, to_venue),
    A.ISSUER_MINT: ActionSpec(120_000, mint),
    A.ISSUER_REDEEM: ActionSpec(120_000, redeem),
    A.ISSUER_YIELD: ActionSpec(150_000, pass_on_yield),
}
"""Every action by its kind, with the gas of typical mainnet calls less ``BASE_GAS``.

A liquidation of Aave costs 0.5 to 0.8 million in all.
"""


def gas_of(actions: tuple[Action, ...]) -> int:
    """Gas that these actions need in one transaction."""
    return BASE_GAS + sum(ACTIONS[action[0]].gas for action in actions)
