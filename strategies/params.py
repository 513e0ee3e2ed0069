"""Parameters of one market of a maker."""

from __future__ import annotations

import attrs


@attrs.frozen
class PairParams:
    """One market that a maker quotes.

    ``depth_usd`` is D1, the calm bid notional within 1 % x ``beta`` of the whole book; the maker
    rests ``share`` of it on each side.  ``calm_vol_bp`` is the calm volatility of one minute.
    ``lead_beta`` is the part of the lead market's move that quotes follow at once (0: none);
    ``sibling`` is the same asset elsewhere (see ``link_siblings``).  ``inventory_limit_d1`` times
    share is divided by beta. ``link_gap`` is the gap to the sibling, per unit of beta, from which
    the maker believes its own market instead (0: the maker's); wide where nothing has to be moved
    to close it, as between spot and perpetual of one venue. ``every``: quoted each so many
    wake-ups. ``initial_price`` opens an empty book. ``group`` names pairs that ``GroupPolicy``
    treats as one.
    """

    symbol: str
    depth_usd: float
    initial_price: float = 0.0
    beta: float = 1.0
    is_major: bool = False
    share: float = 0.1
    half_spread_bp: float = 1.0
    calm_vol_bp: float = 2.0
    lead_beta: float = 0.0
    sibling: str = ""
    inventory_limit_d1: float = 3.0
    link_gap: float = 0.0
    every: int = 1
    group: str = ""
