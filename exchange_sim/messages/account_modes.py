"""Commands and events about how an account is margined and how it holds positions."""

from __future__ import annotations

from exchange_sim.ids import AccountId, AssetId, InstrumentId
from exchange_sim.messages.registry import Message, command, event
from exchange_sim.model.enums import PositionSide
from exchange_sim.units import Amount, Lots, Nanos


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


@command(52)
class SetPositionMode(Message):
    """Hold one position per perpetual (``hedge`` 0) or a long and a short one (1)."""

    time_ns: Nanos
    account: AccountId
    hedge: int


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


@event(62)
class PositionModeChanged(Message):
    """An account holds one position per perpetual (0), or a long and a short one (1)."""

    account: AccountId
    hedge: int


@event(63)
class LegsOffset(Message):
    """A liquidation closed ``qty`` lots of both legs against each other at ``price`` micro-ticks.

    ``pnl`` is what both realized together; it is also posted (kind ``LEGS_OFFSET``).
    """

    account: AccountId
    instrument: InstrumentId
    qty: Lots
    price: int
    pnl: Amount


@event(64)
class AutoExchanged(Message):
    """A venue took ``amount`` of an asset from an account with a debit and paid ``paid`` for it."""

    account: AccountId
    asset: AssetId
    amount: Amount
    paid: Amount
