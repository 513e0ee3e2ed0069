"""Numbered reasons.  A number, once published, is never reused for another meaning.

Reject reasons are grouped by the stage that refuses: 1xx gateway, 2xx instrument and filters, 3xx
risk, 4xx matching, 5xx lending, 6xx AMM, 7xx issuer, 8xx transfers.
"""

from __future__ import annotations

from enum import IntEnum


class RejectReason(IntEnum):
    """Why a command was refused.  Checks run in numerical order of their hundreds, money last."""

    UNKNOWN_ACCOUNT = 101
    UNKNOWN_INSTRUMENT = 102
    WRONG_VENUE = 103
    MALFORMED = 104
    RATE_LIMIT = 105
    OUTBOX_FULL = 106
    SESSION_DISABLED = 107
    VENUE_DOWN = 108
    UNKNOWN_VENUE = 109

    INSTRUMENT_HALTED = 201
    CANCEL_ONLY = 202
    BAD_PRICE = 203
    BAD_QTY = 204
    PRICE_ABOVE_MAX = 205
    QTY_BELOW_MIN = 206
    QTY_ABOVE_MAX = 207
    NOTIONAL_TOO_SMALL = 208
    PERCENT_PRICE_ABOVE = 209
    PERCENT_PRICE_BELOW = 210
    MAX_NUM_ORDERS = 211
    MAX_NUM_ALGO_ORDERS = 212
    BAD_ICEBERG = 213
    BAD_TRIGGER = 214
    BAD_EXPIRY = 215
    INVALID_COMBINATION = 216
    NOTIONAL_TOO_LARGE = 217
    BAD_LOT_STEP = 218
    BAD_TICK_STEP = 219
    AUCTION_LIMIT_ONLY = 220

    INSUFFICIENT_BALANCE = 301
    INSUFFICIENT_MARGIN = 302
    REDUCE_ONLY_REJECTED = 303
    ACCOUNT_REDUCE_ONLY = 304
    ACCOUNT_IN_LIQUIDATION = 305
    POSITION_LIMIT = 306
    LEVERAGE_LIMIT = 307
    BORROW_LIMIT = 308
    NOT_COLLATERAL = 309
    POOL_EMPTY = 310
    STP_MODE_NOT_OFFERED = 311
    ACCOUNT_ORDER_RATE = 312
    MARGIN_MODE_HAS_ORDERS = 330
    MARGIN_MODE_HAS_POSITION = 331
    MARGIN_MODE_NOT_OFFERED = 332
    NO_NEED_TO_CHANGE = 333
    ISOLATED_ONLY = 334
    ISOLATED_BALANCE_INSUFFICIENT = 335
    POSITION_SIDE_MISMATCH = 336
    POSITION_MODE_HAS_ORDERS = 337
    POSITION_MODE_HAS_POSITION = 338
    SERVER_OVERLOADED = 339

    DUPLICATE_CLIENT_ORDER_ID = 401
    UNKNOWN_ORDER = 402
    POST_ONLY_WOULD_CROSS = 403
    TRIGGER_WOULD_FIRE = 404
    NO_REFERENCE_PRICE = 405

    NOTHING_TO_REPAY = 501
    UNKNOWN_PRODUCT = 502
    UNKNOWN_LOAN = 503
    COLLATERAL_NOT_ACCEPTED = 504
    LOAN_TO_VALUE = 505
    LENDER_EMPTY = 506
    LOAN_IN_LIQUIDATION = 507

    NO_CHAIN = 510
    NOT_A_WALLET = 511
    UNKNOWN_ACTION = 512
    TOO_MANY_ACTIONS = 513
    NEEDS_TRANSACTION = 514
    NO_ACTIONS = 515
    UNKNOWN_TRANSACTION = 516
    REPLACEMENT_UNDERPRICED = 517
    MEMPOOL_FULL = 518
    GAS_LIMIT_TOO_HIGH = 519
    CANNOT_PAY_GAS = 520
    OUT_OF_GAS = 521
    CANCELED_BY_OWNER = 522
    REPLACED = 523
    NOT_AT_START = 524
    BAD_ACTION = 525

    UNKNOWN_POOL = 530
    UNKNOWN_RESERVE = 531
    SUPPLY_CAP = 532
    BORROW_CAP = 533
    NOT_BORROWABLE = 534
    COLLATERAL_TOO_LOW = 535
    HEALTH_FACTOR_TOO_LOW = 536
    HEALTHY = 537
    NOTHING_SUPPLIED = 538
    NOTHING_OWED = 539
    NO_LIQUIDITY = 540
    LEAVES_DUST = 541
    STALE_PRICE = 542
    BAD_CATEGORY = 543
    LIQUIDATIONS_OFF = 544
    FLASH_LOAN_NOT_REPAID = 545
    MARKET_DEAD = 546
    OWN_POSITION = 547

    UNKNOWN_AMM = 600
    UNKNOWN_COIN = 601
    TOO_LITTLE_OUT = 602
    TOO_LITTLE_LIQUIDITY = 603
    BAD_RANGE = 604
    POOL_OUT_OF_BALANCE = 605
    TOO_LARGE = 606

    UNKNOWN_ISSUER = 701
    NOT_WHITELISTED = 702
    MINT_LIMIT = 703
    REDEEM_LIMIT = 704
    BUFFER_EMPTY = 705
    ISSUER_CLOSED = 706
    NOT_WRAPPABLE = 711
    UNKNOWN_UNWRAP = 712

    TRANSFER_SUSPENDED = 801
    TRANSFER_LIMIT = 802
    UNKNOWN_TRANSFER = 803
    BAD_AMOUNT = 804


class CancelReason(IntEnum):
    """Why an open quantity left the market without trading."""

    USER = 1
    IOC = 2
    FOK = 3
    NO_LIQUIDITY = 4
    STP = 5
    MASS = 6
    EXPIRED = 7
    LIQUIDATION = 8
    REDUCE_ONLY = 9
    PRICE_BOUND = 10
    HALT = 11
    ADL = 12
    DISCONNECT = 13
    INSUFFICIENT_FUNDS = 14
    AUCTION = 15
    POST_ONLY = 16


class PostingKind(IntEnum):
    """What a ledger movement is for."""

    DEPOSIT = 1
    WITHDRAWAL = 2
    TRADE = 3
    FEE = 4
    REALIZED_PNL = 5
    FUNDING = 6
    BORROW = 7
    REPAY = 8
    INTEREST = 9
    LIQUIDATION_FEE = 10
    INSURANCE_PAYOUT = 11
    INSURANCE_SURPLUS = 12
    ADL = 13
    TAKEOVER = 14
    BAD_DEBT = 15
    TRANSFER = 16
    TRANSFER_FEE = 17
    GENESIS = 18
    DUST = 19
    ISOLATED_MARGIN = 30
    LEGS_OFFSET = 31
    AUTO_EXCHANGE = 32
    STP_TRANSFER = 33

    GAS_BURNED = 40
    GAS_TIP = 41
    SEND = 42
    POOL_SUPPLY = 43
    POOL_WITHDRAW = 44
    POOL_BORROW = 45
    POOL_REPAY = 46
    POOL_SEIZURE = 47
    FLASH_LOAN = 48
    FLASH_REPAY = 49
    FLASH_PREMIUM = 50
    SWAP_IN = 51
    SWAP_OUT = 52
    LIQUIDITY_IN = 53
    LIQUIDITY_OUT = 54
    FEES_COLLECTED = 55

    LOAN_COLLATERAL = 60
    LOAN_PRINCIPAL = 61
    LOAN_CHARGES = 62
    LOAN_SURPLUS = 63
    WRAP = 64
    UNWRAP = 65
    ISSUER_MINT = 66
    ISSUER_REDEEM = 67
    ISSUER_YIELD = 68


class MarginBand(IntEnum):
    """State of a unified account by its uniMMR (rulebook: portfolio margin, status bands)."""

    FREE = 0
    REMINDER = 1
    REDUCE_ONLY = 2
    LIQUIDATION = 3
    LIQUIDATION_AND_CLAIM = 4


class LiquidationAction(IntEnum):
    """One step of a liquidation."""

    CANCEL_ORDERS = 1
    SELL_ASSET = 2
    REDUCE_POSITION = 3
    BUY_LIABILITY = 4
    TAKEOVER = 5
    ADL = 6
    REDUCE_BY_TIER = 7
    REDUCE_BY_SHARE = 8


REDUCTIONS = frozenset(
    {
        LiquidationAction.REDUCE_POSITION,
        LiquidationAction.REDUCE_BY_TIER,
        LiquidationAction.REDUCE_BY_SHARE,
    }
)
"""Steps that close a position through the book: all of it, down by brackets, or a share."""


class LiquidationOutcome(IntEnum):
    """How a liquidation ended."""

    RECOVERED = 1
    CLOSED = 2
    TAKEN_OVER = 3
    BANKRUPT = 4
    DELEVERAGED = 5
    BACKSTOP = 6


class NoteKind(IntEnum):
    """Remarks of participants that belong in the log, because nothing else shows their
    decisions.
    """

    QUOTES_WITHDRAWN = 1
    QUOTES_RESTORED = 2
    QUOTES_REDUCED = 3
    SHOCK = 4
    OUTAGE_STARTED = 5
    OUTAGE_ENDED = 6
    STRATEGY_FAULT = 7
    MARGIN_CALL_REACTION = 8
    USER = 9
    LIQUIDITY_SENTIMENT = 10
    LOOP_UNWINDING = 20
    REDEEMED = 21
    HEDGE_LOST = 22
    BUFFER_REFILL = 23


class WithdrawalCause(IntEnum):
    """Which withdrawal policy made a maker change its quotes."""

    NONE = 0
    VOLATILITY = 1
    INVENTORY = 2
    MARGIN = 3
    DRAWDOWN = 4
    INFRASTRUCTURE = 5
    TOXICITY = 6
    HEDGE_LOSS = 7
    LIQUIDATION = 8
    GROUP = 9
    FACTOR = 10


class ActionKind(IntEnum):
    """What one step of an on-chain transaction does; the meaning of its arguments follows from it.

    An amount of ``-1`` means all that there is (the free balance of the wallet, the whole debt, the
    whole deposit), ``-2`` what the action before it gave to the wallet.
    """

    SEND = 1
    SUPPLY = 2
    WITHDRAW = 3
    BORROW = 4
    REPAY = 5
    SET_CATEGORY = 6
    LIQUIDATE = 7
    FLASH_LOAN = 8
    SWAP = 10
    ADD_LIQUIDITY = 11
    REMOVE_LIQUIDITY = 12
    REMOVE_ONE_COIN = 13
    ADD_RANGE = 14
    REMOVE_RANGE = 15
    MARKET_SUPPLY = 20
    MARKET_WITHDRAW = 21
    MARKET_ADD_COLLATERAL = 22
    MARKET_REMOVE_COLLATERAL = 23
    MARKET_BORROW = 24
    MARKET_REPAY = 25
    MARKET_LIQUIDATE = 26

    TO_VENUE = 60
    ISSUER_MINT = 61
    ISSUER_REDEEM = 62
    ISSUER_YIELD = 63


class LoanChange(IntEnum):
    """Why a loan changed."""

    TOPPED_UP = 1
    REPAID = 2
    SOLD = 3
    FEE = 4


class LoanNoticeKind(IntEnum):
    """What a lender tells a borrower."""

    CALL = 1
    CURED = 2
    LIQUIDATION = 3


class LoanEnd(IntEnum):
    """How a loan ended."""

    REPAID = 1
    LIQUIDATED = 2
    SHORTFALL = 3


class PoolSide(IntEnum):
    """Which side of a lending pool or market a position is on."""

    SUPPLY = 0
    DEBT = 1
    COLLATERAL = 2


class PoolCause(IntEnum):
    """Why a position in a lending pool changed."""

    SUPPLY = 1
    WITHDRAW = 2
    BORROW = 3
    REPAY = 4
    LIQUIDATION = 5
    WRITE_OFF = 6
    SEIZED = 7
