"""Commands and events about how an account is margined and how it holds positions."""

from __future__ import annotations

from exchange_sim.ids import AccountId, InstrumentId
from exchange_sim.messages.registry import Message, command, event
from exchange_sim.model.enums import PositionSide
from exchange_sim.units import Amount, Nanos


@command(50)
class SetMarginMode(Message):
    """Margin a perpetual of an account by a wallet of its own (``isolated`` 1) or in common (0)."""

    time_ns: Nanos
    account: AccountId
    instrument: InstrumentId
    isolated: int


@command(51)
class ChangeIsolatedMargin(Message):
    """Add to the margin of an isolated position, or take from it (``amount`` below zero)."""

    time_ns: Nanos
    account: AccountId
    instrument: InstrumentId
    position_side: PositionSide
    amount: Amount


@event(60)
class IsolatedWalletOpened(Message):
    """``account`` margins one position of ``parent`` from now on.  Orders, trades and liquidations
    of that position name it.
    """

    account: AccountId
    parent: AccountId
    instrument: InstrumentId
    position_side: PositionSide


@event(61)
class MarginModeChanged(Message):
    """Positions of an account in a perpetual are margined alone (1) or in common (0)."""

    account: AccountId
    instrument: InstrumentId
    isolated: int
