"""What happened on the chain.  Every movement of money is a ``LedgerPosted`` besides."""

from __future__ import annotations

from exchange_sim.ids import AccountId
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.messages.registry import Message, event
from exchange_sim.units import Amount


@event(100)
class TransactionSubmitted(Message):
    """A transaction waits in the mempool; ``tx`` is the chain's number of it."""

    tx: int
    wallet: AccountId
    client_tx_id: int
    priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int
    actions: int


@event(101)
class TransactionExecuted(Message):
    """All actions of a transaction took effect.

    ``fee`` is what its gas cost, in units of the gas asset; ``output`` what its last action gave to
    the wallet.
    """

    tx: int
    wallet: AccountId
    client_tx_id: int
    block: int
    gas_used: int
    fee: Amount
    output: Amount


@event(102)
class TransactionFailed(Message):
    """A transaction was included, failed at ``action`` (from 0; -1: its gas limit) and paid gas.

    Nothing else of it took effect.
    """

    tx: int
    wallet: AccountId
    client_tx_id: int
    block: int
    gas_used: int
    fee: Amount
    action: int
    reason: RejectReason


@event(103)
class TransactionDropped(Message):
    """A transaction left the mempool without being included; it paid nothing."""

    tx: int
    wallet: AccountId
    client_tx_id: int
    reason: RejectReason


@event(104)
class BlockProduced(Message):
    """A block is final.  ``gas_used`` counts ``other_gas``; ``waiting`` transactions were left."""

    block: int
    base_fee_wei: int
    gas_used: int
    other_gas: int
    executed: int
    failed: int
    waiting: int


@event(105)
class ActionApplied(Message):
    """Opening state: a wallet did one thing before the first block."""

    wallet: AccountId
    kind: int
    output: Amount
