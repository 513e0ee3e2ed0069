"""Borrowers against coins: thousands of loans as plain data for the first instant of a run.

Sizes are log-normal, loan-to-values lie between a low and a high bound, both stratified (one
quantile per borrower), so that the supply of forced sales does not depend on a few draws.  Each
borrower has one way to answer a margin call, and what that way needs in reserve.
"""

from __future__ import annotations

import math
from enum import StrEnum
from statistics import NormalDist
from typing import Final

import attrs

from exchange_sim.rng import Stream

_GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0


class Answer(StrEnum):
    """What a borrower does when called."""

    TOP_UP = "top_up"
    REPAY = "repay"
    SELL = "sell"
    IGNORE = "ignore"


@attrs.frozen
class AssetShare:
    """One collateral asset and the share of borrowers who pledge it."""

    asset: str
    share: float = 1.0


@attrs.frozen
class BorrowerCrowd:
    """A population of borrowers of one product.

    ``total_usd`` of collateral is pledged by ``count`` borrowers; loan-to-values lie between
    ``ltv_low`` and ``ltv_high`` (as parts of the collateral value at the start).  The shares of
    answers sum to at most one, the rest ignores.  Who tops up holds ``reserve`` times the pledged
    coins free, who repays ``reserve`` times the principal in cash.  Who sells, sells down to
    ``target_ltv``.
    """

    product: str
    collateral: tuple[AssetShare, ...]
    count: int = 1000
    total_usd: float = 100e6
    size_log_sd: float = 1.2
    ltv_low: float = 0.4
    ltv_high: float = 0.7
    top_up: float = 0.25
    repay: float = 0.15
    sell: float = 0.3
    reserve: float = 0.25
    target_ltv: float = 0.5
    reaction_mean_s: float = 1200.0
    reaction_sd_s: float = 150.0


@attrs.frozen
class BorrowerSpec:
    """One borrower in dollars: what is pledged, what is owed, how a call is answered."""

    asset: str
    collateral_usd: float
    principal_usd: float
    answer: Answer


def draw_borrowers(crowd: BorrowerCrowd, stream: Stream) -> list[BorrowerSpec]:
    """All borrowers of a population, in random order.  Raises ``ValueError`` for bad shares."""
    shares = [item.share for item in crowd.collateral]
    answers = (crowd.top_up, crowd.repay, crowd.sell)
    if crowd.count < 1 or not shares or min(shares) < 0 or sum(shares) <= 0:
        raise ValueError("borrowers need a count and collateral with positive shares")
    if min(answers) < 0 or sum(answers) > 1 + 1e-9:
        raise ValueError("the shares of top_up, repay and sell must sum to at most 1")
    if not 0 < crowd.ltv_low <= crowd.ltv_high < 1:
        raise ValueError("loan-to-values must rise within (0, 1): ltv_low, ltv_high")
    normal, n = NormalDist(), crowd.count
    sizes = [math.exp(crowd.size_log_sd * normal.inv_cdf((i + 0.5) / n)) for i in range(n)]
    scale = crowd.total_usd / sum(sizes)
    shift = stream.random()
    found = []
    for i, size in enumerate(sizes):
        place = (shift + i * _GOLDEN) % 1.0
        ltv = crowd.ltv_low + (crowd.ltv_high - crowd.ltv_low) * place
        usd = size * scale
        asset = stream.choices(crowd.collateral, shares)[0].asset
        found.append(BorrowerSpec(asset, usd, usd * ltv, _answer(answers, stream.random())))
    stream.shuffle(found)
    return found


def _answer(shares: tuple[float, float, float], draw: float) -> Answer:
    for answer, share in zip((Answer.TOP_UP, Answer.REPAY, Answer.SELL), shares, strict=True):
        if draw < share:
            return answer
        draw -= share
    return Answer.IGNORE
