"""Every reason that a client of the leading venue can meet has that venue's code."""

from __future__ import annotations

import pytest

from exchange_sim.messages.reasons import CancelReason as C
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.messages.venue_codes import CANCEL_CODES, REJECT_CODES, venue_code


def test_every_reason_of_a_venue_has_codes() -> None:
    """All but those of lenders and chains, which have no such clients."""
    own = {reason for reason in R if reason < 502 or 801 <= reason <= 804}
    assert own <= set(REJECT_CODES)
    assert all(code.spot < 0 and code.futures < 0 for code in REJECT_CODES.values())
    assert venue_code(R.OUT_OF_GAS).futures == -1000


@pytest.mark.parametrize(
    ("reason", "spot", "futures"),
    [
        (R.RATE_LIMIT, -1015, -1015), (R.VENUE_DOWN, -1007, -1007),
        (R.SERVER_OVERLOADED, -1008, -1008), (R.QTY_BELOW_MIN, -1013, -4004),
        (R.INSUFFICIENT_BALANCE, -2010, -2018), (R.INSUFFICIENT_MARGIN, -2010, -2019),
        (R.UNKNOWN_ORDER, -2011, -2011), (R.TRIGGER_WOULD_FIRE, -2010, -2021),
        (R.REDUCE_ONLY_REJECTED, -2022, -2022), (R.PERCENT_PRICE_ABOVE, -1013, -4016),
        (R.PERCENT_PRICE_BELOW, -1013, -4024), (R.NOTIONAL_TOO_SMALL, -1013, -4164),
        (R.ACCOUNT_REDUCE_ONLY, -4401, -4401), (R.POST_ONLY_WOULD_CROSS, -2010, -5022),
    ],
)  # fmt: skip
def test_published_codes(reason: R, spot: int, futures: int) -> None:
    """Those of the error pages."""
    assert (venue_code(reason).spot, venue_code(reason).futures) == (spot, futures)


def test_endings_with_a_code() -> None:
    """Fill-or-kill, post-only and price bounds are errors to futures clients."""
    assert CANCEL_CODES[C.FOK].futures == -5021
    assert CANCEL_CODES[C.POST_ONLY].futures == -5022
    assert CANCEL_CODES[C.PRICE_BOUND].futures == -4131
