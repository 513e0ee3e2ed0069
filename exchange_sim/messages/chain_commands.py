"""What may be asked of the chain: transactions, blocks, and the opening state of wallets."""

from __future__ import annotations

from exchange_sim.ids import AccountId
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.messages.registry import Message, command
from exchange_sim.units import Nanos


@command(100)
class StageAction(Message):
    """Append an action to the draft of a transaction.  ``a`` to ``f`` depend on ``kind``."""

    time_ns: Nanos
    wallet: AccountId
    client_tx_id: int
    kind: ActionKind
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0


@command(101)
class SubmitTransaction(Message):
    """Send the draft ``client_tx_id`` to the mempool; fees are wei per unit of gas.

    ``gas_limit`` 0 asks for exactly what the actions need.  With the id of a transaction that
    still waits it replaces that one (its fees must be a tenth higher); without a new draft the
    actions stay the same.
    """

    time_ns: Nanos
    wallet: AccountId
    client_tx_id: int
    priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int = 0


@command(102)
class CancelTransaction(Message):
    """Take a transaction that still waits out of the mempool, or forget its draft."""

    time_ns: Nanos
    wallet: AccountId
    client_tx_id: int


@command(103)
class ProduceBlock(Message):
    """Execute what waits, best fee first, up to the capacity of a block.

    ``other_gas`` is the gas demanded by traffic outside of the emulated world in this block, which
    pays a priority fee of ``other_tip_wei`` and competes like everybody else.
    """

    time_ns: Nanos
    other_gas: int
    other_tip_wei: int


@command(104)
class SampleChain(Message):
    """Measure pledged capital and leverage of every lending pool (``PoolSampled``)."""

    time_ns: Nanos


@command(105)
class ApplyAction(Message):
    """Opening state: one action of a wallet before the first block, without gas."""

    time_ns: Nanos
    wallet: AccountId
    kind: ActionKind
    a: int = 0
    b: int = 0
    c: int = 0
    d: int = 0
    e: int = 0
    f: int = 0
