"""What may be asked of the world.  Every state change starts with one of these."""

from __future__ import annotations

from exchange_sim.ids import AccountId, AssetId, ClientOrderId, InstrumentId, VenueId
from exchange_sim.messages.gateway import (  # noqa: F401 registered with the others
    RecordValue,
    RefuseCommand,
)
from exchange_sim.messages.reasons import NoteKind
from exchange_sim.messages.registry import Message, command
from exchange_sim.model.account import AccountMode
from exchange_sim.model.enums import InstrumentStatus, OrderType, Side, StpMode, TimeInForce
from exchange_sim.units import Amount, Lots, Nanos, Ticks


@command(1)
class NewOrder(Message):
    """Enter an order.  ``flags`` is a bit set of the ``FLAG_`` constants of ``model.enums``."""

    time_ns: Nanos
    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: Ticks
    qty: Lots
    display: Lots = Lots(0)
    trigger: Ticks = Ticks(0)
    trailing_ppm: int = 0
    flags: int = 0
    stp_mode: StpMode = StpMode.NONE
    expire_ns: Nanos = Nanos(0)


@command(2)
class CancelOrder(Message):
    """Cancel an open order by the id that its owner gave it."""

    time_ns: Nanos
    account: AccountId
    client_order_id: ClientOrderId


@command(3)
class ReplaceOrder(Message):
    """Change an open order.  ``price`` 0 keeps the price; ``qty`` is the new open quantity, -1
    keeps it.
    """

    time_ns: Nanos
    account: AccountId
    client_order_id: ClientOrderId
    price: Ticks
    qty: Lots


@command(4)
class MassCancel(Message):
    """Cancel the open orders of an account; ``instrument`` -1 means all, ``side`` -1 means both."""

    time_ns: Nanos
    account: AccountId
    instrument: InstrumentId
    side: int


@command(10)
class UpdateMarks(Message):
    """Sample the books of a venue: index, mark and collateral prices, then screen its accounts."""

    time_ns: Nanos
    venue: VenueId


@command(11)
class ApplyFunding(Message):
    """Settle the funding interval that ends now for every perpetual of a venue."""

    time_ns: Nanos
    venue: VenueId


@command(12)
class AccrueInterest(Message):
    """Charge interest on all loans of a venue since the last accrual."""

    time_ns: Nanos
    venue: VenueId


@command(13)
class LiquidationTick(Message):
    """Let the liquidation engine of a venue work for one slot of its rate limit."""

    time_ns: Nanos
    venue: VenueId


@command(14)
class ExpireOrders(Message):
    """Remove the GTD orders of a venue whose time has passed."""

    time_ns: Nanos
    venue: VenueId


@command(15)
class SetInstrumentStatus(Message):
    """Halt, reopen by call auction, or restrict an instrument."""

    time_ns: Nanos
    instrument: InstrumentId
    status: InstrumentStatus


@command(20)
class OpenAccount(Message):
    """Create the next account of a venue.  How it is margined is its ``mode``."""

    time_ns: Nanos
    venue: VenueId
    owner: int
    mode: AccountMode
    fee_tier: int


@command(21)
class Deposit(Message):
    """Bring an asset into an account from outside the emulated world."""

    time_ns: Nanos
    account: AccountId
    asset: AssetId
    amount: Amount


@command(22)
class Withdraw(Message):
    """Take an asset out of the emulated world."""

    time_ns: Nanos
    account: AccountId
    asset: AssetId
    amount: Amount


@command(23)
class Borrow(Message):
    """Borrow an asset from the venue's margin pool into a unified account."""

    time_ns: Nanos
    account: AccountId
    asset: AssetId
    amount: Amount


@command(24)
class Repay(Message):
    """Repay a margin loan, interest first, from the account's free balance."""

    time_ns: Nanos
    account: AccountId
    asset: AssetId
    amount: Amount


@command(25)
class OpenPosition(Message):
    """Initial state: a long and a short account hold ``qty`` of a perpetual since a trade at
    ``price``.
    """

    time_ns: Nanos
    long_account: AccountId
    short_account: AccountId
    instrument: InstrumentId
    price: Ticks
    qty: Lots


@command(26)
class StartTransfer(Message):
    """Send an asset to another account, possibly on another venue; it arrives with
    ``FinishTransfer``.
    """

    time_ns: Nanos
    from_account: AccountId
    to_account: AccountId
    asset: AssetId
    amount: Amount


@command(27)
class FinishTransfer(Message):
    """Deliver a transfer that is under way."""

    time_ns: Nanos
    transfer: int


@command(28)
class SetTransfers(Message):
    """Suspend (0) or resume (1) transfers out of a venue."""

    time_ns: Nanos
    venue: VenueId
    enabled: int


@command(29)
class SetLeverage(Message):
    """Choose the leverage of an account in a perpetual; bounds the initial margin from below."""

    time_ns: Nanos
    account: AccountId
    instrument: InstrumentId
    leverage: int


@command(30)
class FundInsurance(Message):
    """Pay into the insurance fund of a venue from outside, in its numeraire."""

    time_ns: Nanos
    venue: VenueId
    amount: Amount


@command(40)
class Note(Message):
    """A remark for the log; changes no state.  The meaning of ``a`` and ``b`` depends on
    ``kind``.
    """

    time_ns: Nanos
    account: AccountId
    kind: NoteKind
    a: int
    b: int
