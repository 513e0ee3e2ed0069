"""The error codes that clients of the leading venue know, by numbered reason.

The core refuses with ``RejectReason`` and ends orders with ``CancelReason``; whoever speaks to
clients of that venue, a gateway or a report, finds here what they would have been told.

Sources: https://developers.binance.com/docs/binance-spot-api-docs/errors and
https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code.
"""

from __future__ import annotations

from typing import Final

import attrs

from exchange_sim.messages.reasons import CancelReason, RejectReason

R, C = RejectReason, CancelReason


@attrs.frozen
class VenueCode:
    """What a client is told on the spot and on the futures venue; ``note`` names the filter."""

    spot: int
    futures: int
    note: str = ""


_FILTER: Final = -1013
_NEW_ORDER: Final = -2010
_UNKNOWN: Final = VenueCode(-1000, -1000)

REJECT_CODES: Final[dict[RejectReason, VenueCode]] = {
    R.UNKNOWN_ACCOUNT: VenueCode(-2015, -2015),
    R.UNKNOWN_INSTRUMENT: VenueCode(-1121, -1121),
    R.WRONG_VENUE: VenueCode(-1121, -1121),
    R.MALFORMED: VenueCode(-1102, -1102),
    R.RATE_LIMIT: VenueCode(-1015, -1015),
    R.OUTBOX_FULL: VenueCode(-1003, -1003),
    R.SESSION_DISABLED: VenueCode(-2015, -2015),
    R.VENUE_DOWN: VenueCode(-1007, -1007, "execution status unknown"),
    R.UNKNOWN_VENUE: VenueCode(-1121, -1121),
    R.INSTRUMENT_HALTED: VenueCode(_NEW_ORDER, -4109, "market is closed"),
    R.CANCEL_ONLY: VenueCode(_NEW_ORDER, -4109, "market is closed"),
    R.BAD_PRICE: VenueCode(_FILTER, -4001, "PRICE_FILTER"),
    R.BAD_QTY: VenueCode(_FILTER, -4003, "LOT_SIZE"),
    R.PRICE_ABOVE_MAX: VenueCode(_FILTER, -4002, "PRICE_FILTER"),
    R.QTY_BELOW_MIN: VenueCode(_FILTER, -4004, "LOT_SIZE"),
    R.QTY_ABOVE_MAX: VenueCode(_FILTER, -4005, "LOT_SIZE"),
    R.NOTIONAL_TOO_SMALL: VenueCode(_FILTER, -4164, "NOTIONAL"),
    R.PERCENT_PRICE_ABOVE: VenueCode(_FILTER, -4016, "PERCENT_PRICE_BY_SIDE"),
    R.PERCENT_PRICE_BELOW: VenueCode(_FILTER, -4024, "PERCENT_PRICE_BY_SIDE"),
    R.MAX_NUM_ORDERS: VenueCode(_FILTER, -2025, "MAX_NUM_ORDERS"),
    R.MAX_NUM_ALGO_ORDERS: VenueCode(_FILTER, -4045, "MAX_NUM_ALGO_ORDERS"),
    R.BAD_ICEBERG: VenueCode(_FILTER, -1106, "ICEBERG_PARTS"),
    R.BAD_TRIGGER: VenueCode(_FILTER, -4006, "TRAILING_DELTA for trailing stops"),
    R.BAD_EXPIRY: VenueCode(-1106, -1102),
    R.INVALID_COMBINATION: VenueCode(-1106, -1106),
    R.NOTIONAL_TOO_LARGE: VenueCode(_FILTER, -4005, "NOTIONAL"),
    R.BAD_LOT_STEP: VenueCode(_FILTER, -4023, "LOT_SIZE"),
    R.BAD_TICK_STEP: VenueCode(_FILTER, -4014, "PRICE_FILTER"),
    R.AUCTION_LIMIT_ONLY: VenueCode(-1106, -1106),
    R.INSUFFICIENT_BALANCE: VenueCode(_NEW_ORDER, -2018, "insufficient balance"),
    R.INSUFFICIENT_MARGIN: VenueCode(_NEW_ORDER, -2019),
    R.REDUCE_ONLY_REJECTED: VenueCode(-2022, -2022),
    R.ACCOUNT_REDUCE_ONLY: VenueCode(-4401, -4401),
    R.ACCOUNT_IN_LIQUIDATION: VenueCode(-2023, -2023),
    R.POSITION_LIMIT: VenueCode(_FILTER, -2027, "MAX_POSITION"),
    R.LEVERAGE_LIMIT: VenueCode(-4028, -4028),
    R.BORROW_LIMIT: VenueCode(-3006, -3006),
    R.NOT_COLLATERAL: VenueCode(-3012, -3012),
    R.POOL_EMPTY: VenueCode(-3045, -3045),
    R.STP_MODE_NOT_OFFERED: VenueCode(_FILTER, -1106, "mode not permitted for this symbol"),
    R.ACCOUNT_ORDER_RATE: VenueCode(-1015, -1015, "limit of the account"),
    R.MARGIN_MODE_HAS_ORDERS: VenueCode(-4047, -4047),
    R.MARGIN_MODE_HAS_POSITION: VenueCode(-4048, -4048),
    R.MARGIN_MODE_NOT_OFFERED: VenueCode(-4168, -4168),
    R.NO_NEED_TO_CHANGE: VenueCode(-4046, -4046, "-4059 for the position side"),
    R.ISOLATED_ONLY: VenueCode(-4054, -4054),
    R.ISOLATED_BALANCE_INSUFFICIENT: VenueCode(-4051, -4051),
    R.POSITION_SIDE_MISMATCH: VenueCode(-4061, -4061),
    R.POSITION_MODE_HAS_ORDERS: VenueCode(-4067, -4067),
    R.POSITION_MODE_HAS_POSITION: VenueCode(-4068, -4068),
    R.SERVER_OVERLOADED: VenueCode(-1008, -1008, "reduce-only orders are exempt"),
    R.DUPLICATE_CLIENT_ORDER_ID: VenueCode(_NEW_ORDER, -4116, "duplicate order sent"),
    R.UNKNOWN_ORDER: VenueCode(-2011, -2011, "-2013 for a query"),
    R.POST_ONLY_WOULD_CROSS: VenueCode(_NEW_ORDER, -5022, "would immediately match and take"),
    R.TRIGGER_WOULD_FIRE: VenueCode(_NEW_ORDER, -2021, "would trigger immediately"),
    R.NO_REFERENCE_PRICE: VenueCode(-1013, -4131),
    R.NOTHING_TO_REPAY: VenueCode(-3015, -3015),
    R.TRANSFER_SUSPENDED: VenueCode(-5013, -5013),
    R.TRANSFER_LIMIT: VenueCode(-5013, -5013),
    R.UNKNOWN_TRANSFER: VenueCode(-1102, -1102),
    R.BAD_AMOUNT: VenueCode(-1102, -4013),
}
"""Refusals of orders and of requests about accounts."""

CANCEL_CODES: Final[dict[CancelReason, VenueCode]] = {
    C.FOK: VenueCode(0, -5021, "spot: EXPIRED"),
    C.POST_ONLY: VenueCode(_NEW_ORDER, -5022, "a stop-limit that would cross when it fires"),
    C.PRICE_BOUND: VenueCode(0, -4131, "spot: EXPIRED, EXECUTION_RULE_PRICE_RANGE_EXCEEDED"),
    C.STP: VenueCode(0, 0, "EXPIRED_IN_MATCH"),
    C.REDUCE_ONLY: VenueCode(-2022, -2022),
    C.INSUFFICIENT_FUNDS: VenueCode(_NEW_ORDER, -2019),
}
"""Orders that end without trading in full, where clients see more than a status."""


def venue_code(reason: int) -> VenueCode:
    """What clients see for a reject reason; -1000 for those that only this emulator has."""
    return REJECT_CODES.get(RejectReason(reason), _UNKNOWN)
