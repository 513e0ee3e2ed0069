"""What happened.  What is not here did not happen.

A second bookkeeper can rebuild every balance from ``Traded`` and ``LedgerPosted`` alone: ``Traded``
carries the amounts that its two sides exchanged, every other movement of money is a
``LedgerPosted``.
"""

from __future__ import annotations

from exchange_sim.ids import (
    AccountId,
    AssetId,
    ClientOrderId,
    InstrumentId,
    OrderId,
    TradeId,
    VenueId,
)
from exchange_sim.messages.gateway import (  # noqa: F401 registered with the others
    CommandRefused,
    ValueRecorded,
)
from exchange_sim.messages.reasons import (
    CancelReason,
    LiquidationAction,
    LiquidationOutcome,
    MarginBand,
    NoteKind,
    PostingKind,
    RejectReason,
)
from exchange_sim.messages.registry import Message, event
from exchange_sim.model.account import AccountMode
from exchange_sim.model.enums import InstrumentStatus, OrderType, Side, TimeInForce
from exchange_sim.units import Amount, Lots, Ticks


@event(1)
class OrderAccepted(Message):
    """An order passed all checks.  A trigger order now waits; any other order matches at once."""

    order_id: OrderId
    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    price: Ticks
    qty: Lots
    display: Lots
    trigger: Ticks
    flags: int


@event(2)
class OrderRejected(Message):
    """A command about an order was refused.  ``command`` is the type id of the refused command."""

    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    reason: RejectReason
    command: int


@event(3)
class OrderCanceled(Message):
    """``qty`` open lots left the market without trading; ``leaves`` stay open (0: the order has
    ended).
    """

    order_id: OrderId
    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    qty: Lots
    leaves: Lots
    reason: CancelReason


@event(4)
class OrderReplaced(Message):
    """An order was changed.  ``kept_priority`` 1 means that it kept its place in the queue."""

    order_id: OrderId
    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    price: Ticks
    leaves: Lots
    kept_priority: int


@event(5)
class OrderTriggered(Message):
    """A stop, take-profit or trailing order saw its price and enters the book."""

    order_id: OrderId
    account: AccountId
    instrument: InstrumentId
    client_order_id: ClientOrderId
    trigger: Ticks


@event(6)
class Traded(Message):
    """A resting and an incoming order were matched at the resting order's price.

    ``base_amount`` and ``quote_amount`` change hands for spot; for a perpetual ``base_amount`` is 0
    and ``quote_amount`` is the notional.  Fees are in the quote asset (of inverse contracts in the
    base asset); realized PnL (perpetuals) is in the same asset and moves between the account and
    the instrument's clearing account.
    """

    trade_id: TradeId
    instrument: InstrumentId
    price: Ticks
    qty: Lots
    aggressor: Side
    maker_order: OrderId
    taker_order: OrderId
    maker_account: AccountId
    taker_account: AccountId
    base_amount: Amount
    quote_amount: Amount
    maker_fee: Amount
    taker_fee: Amount
    maker_pnl: Amount
    taker_pnl: Amount
    taker_flags: int
    maker_client_order_id: ClientOrderId
    taker_client_order_id: ClientOrderId
    maker_leaves: Lots
    taker_leaves: Lots


@event(10)
class LedgerPosted(Message):
    """``amount`` of ``asset`` moved from one ledger account to another."""

    asset: AssetId
    from_account: AccountId
    to_account: AccountId
    amount: Amount
    kind: PostingKind


@event(11)
class LoanChanged(Message):
    """The liability of an account in an asset is now ``loan`` (principal and charged interest)."""

    account: AccountId
    asset: AssetId
    loan: Amount
    change: Amount
    kind: PostingKind


@event(12)
class AccountOpened(Message):
    """An account exists from now on."""

    account: AccountId
    venue: VenueId
    owner: int
    mode: AccountMode
    fee_tier: int


@event(13)
class TransferStarted(Message):
    """An asset left an account and is under way; ``fee`` was charged on top."""

    transfer: int
    from_account: AccountId
    to_account: AccountId
    asset: AssetId
    amount: Amount
    fee: Amount


@event(14)
class TransferFinished(Message):
    """A transfer arrived."""

    transfer: int
    to_account: AccountId
    asset: AssetId
    amount: Amount


@event(15)
class RequestRefused(Message):
    """A command that is not about an order was refused."""

    account: AccountId
    command: int
    reason: RejectReason


@event(16)
class PositionOpened(Message):
    """Initial state: two accounts hold opposite positions since a trade at ``price``."""

    long_account: AccountId
    short_account: AccountId
    instrument: InstrumentId
    price: Ticks
    qty: Lots


@event(20)
class MarkPriceUpdated(Message):
    """Prices of a perpetual in micro-ticks (ticks * 1,000,000); ``open_interest`` counts one
    side.
    """

    instrument: InstrumentId
    mark: int
    index: int
    last: Ticks
    premium_ppm: int
    open_interest: Lots


@event(21)
class AssetPriceUpdated(Message):
    """Collateral price of an asset on a venue, in millionths of a numeraire unit per whole
    asset.
    """

    venue: VenueId
    asset: AssetId
    price: int


@event(22)
class FundingRateSet(Message):
    """The rate that was settled, in parts per billion of notional; positive: longs pay shorts."""

    instrument: InstrumentId
    rate_ppb: int
    paid: Amount


@event(23)
class InstrumentStatusChanged(Message):
    """An instrument was halted, opened for an auction or reopened."""

    instrument: InstrumentId
    status: InstrumentStatus


@event(24)
class AuctionUncrossed(Message):
    """A call auction ended: ``qty`` lots trade at ``price`` (both 0 when nothing crossed)."""

    instrument: InstrumentId
    price: Ticks
    qty: Lots


@event(25)
class TransfersSwitched(Message):
    """Transfers out of a venue were suspended (0) or resumed (1)."""

    venue: VenueId
    enabled: int


@event(30)
class MarginBandChanged(Message):
    """A unified account moved to another band; ``uni_mmr_ppm`` is adjusted equity over
    maintenance.
    """

    account: AccountId
    band: MarginBand
    uni_mmr_ppm: int
    equity: Amount
    maintenance: Amount


@event(31)
class LiquidationStarted(Message):
    """An account fell below its maintenance margin and joined the queue of its venue.

    ``cause_instrument`` or ``cause_asset`` (-1 when not applicable) is what cost the account most
    since it was last healthy.
    """

    account: AccountId
    equity: Amount
    maintenance: Amount
    uni_mmr_ppm: int
    cause_instrument: InstrumentId
    cause_asset: AssetId


@event(32)
class LiquidationStep(Message):
    """The engine acted on an account: ``instrument`` (or asset), lots traded and quote value."""

    account: AccountId
    action: LiquidationAction
    instrument: InstrumentId
    qty: Lots
    value: Amount


@event(33)
class LiquidationEnded(Message):
    """An account left the liquidation queue."""

    account: AccountId
    outcome: LiquidationOutcome
    equity: Amount
    maintenance: Amount


@event(34)
class InsuranceChanged(Message):
    """The insurance fund of a venue moved; ``balance`` is what it holds now."""

    venue: VenueId
    asset: AssetId
    change: Amount
    balance: Amount


@event(35)
class AdlExecuted(Message):
    """A profitable opposite position was closed against one that the market could not take.

    ``price`` is in micro-ticks.  The realized PnL of both sides is also posted (kind ``ADL``).
    """

    instrument: InstrumentId
    price: int
    qty: Lots
    bankrupt_account: AccountId
    victim_account: AccountId
    victim_pnl: Amount
    bankrupt_pnl: Amount
    rank_ppm: int


@event(36)
class BadDebtRecorded(Message):
    """A loss that neither the account nor the insurance fund could pay."""

    venue: VenueId
    account: AccountId
    asset: AssetId
    amount: Amount


@event(37)
class PositionTakenOver(Message):
    """A position passed to the venue's takeover account at ``price`` micro-ticks.

    ``pnl`` is what the account realized by it; it is also posted (kind ``TAKEOVER``).
    """

    account: AccountId
    instrument: InstrumentId
    qty: Lots
    price: int
    pnl: Amount


@event(50)
class AdlRoundStarted(Message):
    """The liquidations of a slot are over; ``accounts`` that they did not save are deleveraged now.

    ``round`` counts the rounds of the venue from 1.
    """

    venue: VenueId
    round: int
    accounts: int


@event(40)
class Noted(Message):
    """A participant's remark (see ``Note``)."""

    account: AccountId
    kind: NoteKind
    a: int
    b: int
