"""What happens between a strategy and the engine: refusals before the world, recorded values.

These messages change no state.  They are in the log because nothing else shows them: a command that
a gateway refuses never reaches the world.
"""

from __future__ import annotations

from exchange_sim.ids import AccountId, ClientOrderId, InstrumentId
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.messages.registry import Message, command, event
from exchange_sim.units import Nanos


@command(41)
class RefuseCommand(Message):
    """A gateway, or the session before it, refuses what an account sent; see
    ``CommandRefused``.
    """

    time_ns: Nanos
    account: AccountId
    command: int
    instrument: InstrumentId
    client_order_id: ClientOrderId
    reason: RejectReason
    count: int


@command(42)
class RecordValue(Message):
    """A strategy records a value of its own; see ``ValueRecorded``."""

    time_ns: Nanos
    account: AccountId
    series: int
    value_millionths: int


@event(41)
class CommandRefused(Message):
    """A command did not get as far as the engine: the venue is down, the rate limit is used up ...

    ``command`` is its type id, ``instrument`` and ``client_order_id`` are those of an order (-1:
    none).  What a session refuses before it is sent is summed up by wake-up and reason: ``command``
    is 0 then, and ``count`` says how many there were.
    """

    account: AccountId
    command: int
    instrument: InstrumentId
    client_order_id: ClientOrderId
    reason: RejectReason
    count: int


@event(42)
class ValueRecorded(Message):
    """A value that a strategy recorded (``Strategy.record``).

    ``series`` is a row of ``events/_series.parquet``, the value is in millionths.
    """

    account: AccountId
    series: int
    value_millionths: int
