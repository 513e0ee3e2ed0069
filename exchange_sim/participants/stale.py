"""Stale orders: old limit orders far from the market that nobody ever cancels.

They are what a falling price meets when everybody else has left: on 10 October 2025 sells reached
bids that were years old.  Their density per unit of log price, in D1 per 10 %, decides where a
vacuum ends. With ``sells`` they are offers far above the market: what holders once asked for.
Density is ``exp(-(d - d0) / decay)`` in log distance d, or log-normal around a
favourite distance.
"""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import NormalDist

import attrs

from exchange_sim.rng import Stream

_SIZE_LOG_SD = 1.0
"""Spread of single sizes around their mean: small savers and a few large ones."""


class StaleShape(StrEnum):
    """How the resting money is spread over the log distance from the market."""

    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"


@attrs.frozen
class StaleBook:
    """Stale bids (``sells``: offers) of one book; ``lot_usd`` is a lot's value at ``mid_ticks``.

    ``density_d1`` is resting notional in D1 per 10 % of log price at the near end (EXPONENTIAL) or
    on average over the range (LOGNORMAL); it is multiplied by a log-normal factor of
    ``density_log_sd`` drawn once per book, which makes some coins fall further than others.
    ``decay_log`` is the e-folding of the density in log price.  ``accounts`` of each venue share
    the orders: what befalls one holder (ADL cancels his orders) leaves the others'.
    """

    instrument: str
    mid_ticks: int
    lot_usd: float
    depth_usd: float
    density_d1: float = 0.06
    density_log_sd: float = 1.0
    nearest_fall: float = 0.10
    farthest_fall: float = 0.99
    decay_log: float = 4.0
    shape: StaleShape = StaleShape.EXPONENTIAL
    favourite_log: float = 0.7
    favourite_log_sd: float = 0.8
    orders: int = 150
    accounts: int = 1
    sells: bool = False


@attrs.frozen
class StaleBid:
    """One limit order, good till cancelled."""

    instrument: str
    price_ticks: int
    qty_lots: int


def draw_stale_bids(book: StaleBook, stream: Stream) -> list[StaleBid]:
    """The stale bids of one book, nearest first.

    Raises ``ValueError`` unless 0 < nearest_fall < farthest_fall < 1, and without an account.
    """
    if not 0.0 < book.nearest_fall < book.farthest_fall < 1.0:
        raise ValueError(f"{book.instrument}: stale bids need 0 < nearest_fall < farthest_fall < 1")
    if book.accounts < 1:
        raise ValueError(f"{book.instrument}: stale bids need at least one account")
    factor = math.exp(book.density_log_sd * stream.gauss(0.0, 1.0))
    near, far = -math.log(1.0 - book.nearest_fall), -math.log(1.0 - book.farthest_fall)
    total_usd = factor * book.depth_usd * _total_d1(book, near, far)
    distances = sorted(
        _distance(book, near, far, (k + stream.random()) / book.orders) for k in range(book.orders)
    )
    weights = [math.exp(_SIZE_LOG_SD * stream.gauss(0.0, 1.0)) for _ in distances]
    scale = total_usd / sum(weights)
    bids = []
    for distance, weight in zip(distances, weights, strict=True):
        if book.sells:
            price = math.ceil(book.mid_ticks * math.exp(distance))
        else:
            price = max(1, int(book.mid_ticks * math.exp(-distance)))
        lots = round(scale * weight / (book.lot_usd * price / book.mid_ticks))
        if lots:
            bids.append(StaleBid(book.instrument, price, lots))
    return bids


def _total_d1(book: StaleBook, near: float, far: float) -> float:
    per_log = book.density_d1 * 10.0
    if book.shape is StaleShape.LOGNORMAL:
        return per_log * (far - near)
    return per_log * book.decay_log * -math.expm1((near - far) / book.decay_log)


def _distance(book: StaleBook, near: float, far: float, quantile: float) -> float:
    """Log distance below which the share ``quantile`` of the money rests."""
    if book.shape is StaleShape.LOGNORMAL:
        normal = NormalDist(math.log(book.favourite_log), book.favourite_log_sd)
        low, high = normal.cdf(math.log(near)), normal.cdf(math.log(far))
        return math.exp(normal.inv_cdf(low + quantile * (high - low)))
    reach = -math.expm1((near - far) / book.decay_log)
    return near - book.decay_log * math.log1p(-quantile * reach)
