"""The words of the market as small integers, spelled as Binance spells them.

The hot path compares the plain ``Final`` integers; the ``IntEnum`` classes give people the names.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Side(IntEnum):
    """Side of an order, a trade's aggressor or a book."""

    BUY = 0
    SELL = 1


class OrderType(IntEnum):
    """What an order does on entry; trigger types wait off-book until their price is reached."""

    LIMIT = 0
    MARKET = 1
    STOP_MARKET = 2
    STOP = 3
    TAKE_PROFIT_MARKET = 4
    TAKE_PROFIT = 5
    TRAILING_STOP_MARKET = 6


class TimeInForce(IntEnum):
    """How long the remainder of an order lives."""

    GTC = 0
    IOC = 1
    FOK = 2
    GTX = 3
    GTD = 4


class OrderStatus(IntEnum):
    """State of an order as its owner sees it."""

    NEW = 0
    PARTIALLY_FILLED = 1
    FILLED = 2
    CANCELED = 3
    REJECTED = 4
    EXPIRED = 5
    EXPIRED_IN_MATCH = 6
    PENDING_NEW = 7


class StpMode(IntEnum):
    """Self-trade prevention: what happens when an owner would meet its own resting order.

    TRANSFER is DECREMENT, and moves what would have traded between two accounts of one trade group
    when both orders ask for it; venues have it from 2026 on.
    """

    NONE = 0
    EXPIRE_TAKER = 1
    EXPIRE_MAKER = 2
    EXPIRE_BOTH = 3
    DECREMENT = 4
    TRANSFER = 5


class WorkingType(IntEnum):
    """Which price fires a trigger order."""

    CONTRACT_PRICE = 0
    MARK_PRICE = 1


class PositionSide(IntEnum):
    """Which position of an instrument: the only one, or one of the two of hedge mode."""

    BOTH = 0
    LONG = 1
    SHORT = 2


class InstrumentKind(IntEnum):
    """What is traded."""

    SPOT = 0
    PERPETUAL = 1
    INVERSE_PERPETUAL = 2


class InstrumentStatus(IntEnum):
    """Whether orders may enter and match."""

    TRADING = 0
    HALT = 1
    AUCTION = 2
    CANCEL_ONLY = 3


BUY: Final = 0
SELL: Final = 1

LIMIT: Final = 0
MARKET: Final = 1
STOP_MARKET: Final = 2
STOP: Final = 3
TAKE_PROFIT_MARKET: Final = 4
TAKE_PROFIT: Final = 5
TRAILING_STOP_MARKET: Final = 6

GTC: Final = 0
IOC: Final = 1
FOK: Final = 2
GTX: Final = 3
GTD: Final = 4

FLAG_REDUCE_ONLY: Final = 1
"""The order may only shrink the owner's position."""
FLAG_SLIDE: Final = 2
"""A GTX order that would cross rests one tick inside the far touch instead of being refused."""
FLAG_LIQUIDATION: Final = 4
"""Sent by a liquidation engine on behalf of the account."""
FLAG_MARK_TRIGGER: Final = 8
"""The trigger watches the mark price instead of the last trade price."""
FLAG_PRICE_PROTECT: Final = 16
"""The trigger does not fire while last and mark price are too far apart."""
FLAG_FORCED: Final = 32
"""Forced by another system (loan sale, margin call): logged apart from voluntary flow."""
FLAG_LONG: Final = 64
"""Hedge mode: the order is about the long position."""
FLAG_SHORT: Final = 128
"""Hedge mode: the order is about the short position."""
