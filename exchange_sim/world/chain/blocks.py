"""Drafts, mempool and blocks: how a transaction comes to be executed.

A transaction that is included pays for its gas whether its actions succeed or not; the base fee is
burned, the tip goes to the proposer.  Its actions take effect all together or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.defi.gas import next_base_fee
from exchange_sim.defi.mempool import Action, Transaction, gas_fee
from exchange_sim.limits import (
    ACTIONS_PER_TRANSACTION_MAX,
    DRAFTS_PER_WALLET_MAX,
    GAS_PRICE_MAX,
    MEMPOOL_TRANSACTIONS_MAX,
)
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.world.accounts import refuse
from exchange_sim.world.chain import feeds
from exchange_sim.world.chain.actions import ACTIONS, gas_of
from exchange_sim.world.chain.execution import Execution, Revert

if TYPE_CHECKING:
    from exchange_sim.world.chain.state import ChainState
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason


def _chain_of(w: World, c: Command) -> ChainState | None:
    """The chain, if the command names a wallet of it, or a refusal."""
    chain, wallet = w.chain, c[2]
    if chain is None:
        refuse(w, c, R.NO_CHAIN)
        return None
    known = 0 <= wallet < len(w.accounts)
    if known and w.accounts[wallet].venue == chain.venue and w.accounts[wallet].owner >= 0:
        return chain
    refuse(w, c, R.NOT_A_WALLET)
    return None


def stage_action(w: World, c: Command) -> None:
    """Append to the draft of a transaction."""
    chain = _chain_of(w, c)
    if chain is None:
        return None
    # A plain integer also for a member of ActionKind: the state must not depend on who asks.
    wallet, client_id, action = c[2], c[3], (int(c[4]), *c[5:])
    if action[0] not in ACTIONS:
        return refuse(w, c, R.UNKNOWN_ACTION)
    drafts = chain.drafts.get(wallet, {})
    draft = drafts.get(client_id, [])
    if len(draft) >= ACTIONS_PER_TRANSACTION_MAX:
        return refuse(w, c, R.TOO_MANY_ACTIONS)
    if not draft and len(drafts) >= DRAFTS_PER_WALLET_MAX:
        return refuse(w, c, R.MEMPOOL_FULL)
    chain.drafts.setdefault(wallet, drafts).setdefault(client_id, draft).append(action)
    return None


def _take_draft(chain: ChainState, wallet: int, client_id: int) -> tuple[Action, ...]:
    drafts = chain.drafts.get(wallet, {})
    draft = tuple(drafts.pop(client_id, ()))
    if not drafts:
        chain.drafts.pop(wallet, None)
    return draft


def submit_transaction(w: World, c: Command) -> None:
    """Put a transaction into the mempool, perhaps in the place of another."""
    chain = _chain_of(w, c)
    if chain is None:
        return None
    _, _, wallet, client_id, priority_fee, max_fee, gas_limit = c
    actions = _take_draft(chain, wallet, client_id)
    before = chain.mempool.get(wallet, client_id)
    if before is not None and not actions:
        actions = before.actions
    if not actions:
        return refuse(w, c, R.NO_ACTIONS)
    gas_limit = gas_limit or gas_of(actions)
    if not (0 <= priority_fee <= max_fee <= GAS_PRICE_MAX and gas_limit > 0):
        return refuse(w, c, R.BAD_ACTION)
    if gas_limit > chain.spec.gas_limit:
        return refuse(w, c, R.GAS_LIMIT_TOO_HIGH)
    if gas_fee(gas_limit, max_fee, chain.gas_scale) > w.ledger.free(wallet, chain.gas_asset):
        return refuse(w, c, R.CANNOT_PAY_GAS)
    if before is not None:
        if not before.outbid_by(priority_fee, max_fee):
            return refuse(w, c, R.REPLACEMENT_UNDERPRICED)
        _drop(w, chain, before, R.REPLACED)
    elif len(chain.mempool) >= MEMPOOL_TRANSACTIONS_MAX:
        return refuse(w, c, R.MEMPOOL_FULL)
    tx = Transaction(chain.next_tx, wallet, client_id, priority_fee, max_fee, gas_limit, actions)
    chain.next_tx += 1
    chain.mempool.add(tx)
    w.out.append((100, tx.id, wallet, client_id, priority_fee, max_fee, gas_limit, len(actions)))
    return None


def cancel_transaction(w: World, c: Command) -> None:
    """Withdraw a transaction that is not in a block yet."""
    chain = _chain_of(w, c)
    if chain is None:
        return
    draft = _take_draft(chain, c[2], c[3])
    tx = chain.mempool.get(c[2], c[3])
    if tx is not None:
        _drop(w, chain, tx, R.CANCELED_BY_OWNER)
    elif not draft:
        refuse(w, c, R.UNKNOWN_TRANSACTION)
    return


def _drop(w: World, chain: ChainState, tx: Transaction, reason: RejectReason) -> None:
    chain.mempool.remove(tx)
    w.out.append((103, tx.id, tx.wallet, tx.client_id, int(reason)))


def apply_action(w: World, c: Command) -> None:
    """One action of the opening state: before the first block, and free of gas."""
    chain = _chain_of(w, c)
    if chain is None:
        return None
    action = c[3:]
    if action[0] not in ACTIONS:
        return refuse(w, c, R.UNKNOWN_ACTION)
    if chain.block or w.time_ns != w.config.start_ns:
        return refuse(w, c, R.NOT_AT_START)
    feeds.restart_pools(w)
    x = Execution(w, chain, c[2])
    _, reason = _run(x, (action,))
    if reason:
        return refuse(w, c, reason)
    w.out.extend(x.events)
    w.out.append((105, x.wallet, action[0], x.output))
    return None


def _run(x: Execution, actions: tuple[Action, ...]) -> tuple[int, int]:
    """Do everything or nothing: number of the action that failed (or of all) and the reason."""
    done = 0
    try:
        for action in actions:
            ACTIONS[action[0]].handler(x, action)
            done += 1
        for settle in x.due:
            settle(x)
    except Revert as revert:
        x.rollback()
        return min(done, len(actions) - 1), int(revert.reason)
    return done, 0


def produce_block(w: World, c: Command) -> None:
    """Execute waiting transactions and traffic of others, highest tip first, while gas is left.

    A transaction that does not fit into the rest of the block waits for the next one; smaller ones
    behind it may still fit, as builders do it.
    """
    chain = w.chain
    if chain is None:
        return refuse(w, (c[0], c[1], -1), R.NO_CHAIN)
    limit = chain.spec.gas_limit
    chain.block += 1
    feeds.sample(w)
    others, other_tip = max(0, c[2]), max(0, c[3])
    used = other_gas = executed = failed = 0
    for tx in list(chain.mempool.by_tip(chain.base_fee)):
        if others and tx.tip(chain.base_fee) < other_tip:
            other_gas, others = min(others, limit - used), 0
            used += other_gas
        if tx.gas_limit > limit - used:
            continue
        gas, ok = _include(w, chain, tx)
        used += gas
        executed += ok
        failed += gas > 0 and not ok
    if others:
        other_gas = min(others, limit - used)
        used += other_gas
    w.out.append(
        (104, chain.block, chain.base_fee, used, other_gas, executed, failed, len(chain.mempool))
    )
    chain.base_fee = next_base_fee(chain.base_fee, used, limit)
    return None


def _include(w: World, chain: ChainState, tx: Transaction) -> tuple[int, bool]:
    """Execute one transaction: gas used (0: it could not pay and was dropped), and success."""
    asset, price = chain.gas_asset, chain.base_fee + tx.tip(chain.base_fee)
    most = gas_fee(tx.gas_limit, price, chain.gas_scale)
    if not w.ledger.reserve(tx.wallet, asset, most):
        _drop(w, chain, tx, R.CANNOT_PAY_GAS)
        return 0, False
    chain.mempool.remove(tx)
    x = Execution(w, chain, tx.wallet)
    if gas_of(tx.actions) > tx.gas_limit:
        gas, failed_at, reason = tx.gas_limit, -1, int(R.OUT_OF_GAS)
    else:
        failed_at, reason = _run(x, tx.actions)
        gas = gas_of(tx.actions[: failed_at + 1])
    w.out.extend(x.events)
    w.ledger.release(tx.wallet, asset, most)
    fee = _charge(w, chain, tx.wallet, gas, price)
    receipt = tx.id, tx.wallet, tx.client_id, chain.block, gas, fee
    if reason:
        w.out.append((102, *receipt, failed_at, reason))
        return gas, False
    w.out.append((101, *receipt, x.output))
    return gas, True


def _charge(w: World, chain: ChainState, wallet: int, gas: int, price: int) -> int:
    """Burn the base fee and pay the tip; the fraction of a unit goes to the proposer."""
    fee = gas_fee(gas, price, chain.gas_scale)
    burned = gas * chain.base_fee * chain.gas_scale // 10**18
    for target, amount, kind in (
        (chain.burned, burned, PostingKind.GAS_BURNED),
        (chain.proposer, fee - burned, PostingKind.GAS_TIP),
    ):
        if amount:
            w.ledger.post(chain.gas_asset, wallet, target, amount)
            w.out.append((10, chain.gas_asset, wallet, target, amount, int(kind)))
    return fee
