"""The leveraged crowd: thousands of accounts as plain data for the first instant of a run.

Sizes are Pareto with a cap in D1, effective leverage is log-normal.  Independent draws would make
the liquidations of the first 3 % vary fourfold between seeds (one large account decides),
therefore both are stratified: one size quantile per account, and leverage quantiles along the size
rank from a golden-ratio sequence, so every band of sizes holds the whole distribution of leverage.

Simplifications: one position per account; collateral keeps its value in
``liquidation_supply_curve``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise
from statistics import NormalDist
from typing import Final

import attrs

from exchange_sim.model.enums import BUY, SELL, Side
from exchange_sim.rng import Stream

_GOLDEN: Final = (math.sqrt(5.0) - 1.0) / 2.0
_SILVER: Final = math.sqrt(2.0) - 1.0
_LEVERAGE_MIN: Final = 0.1
_PROFIT_SHARE_MAX: Final = 0.5
"""Unrealised profit is at most this share of equity: the wallet stays positive."""


class Role(IntEnum):
    """Why an account holds its position."""

    SPECULATOR = 0
    HOLDER = 1
    HEDGER = 2


@attrs.frozen
class CollateralChoice:
    """One collateral asset: share of accounts that use it and dollars of its smallest unit."""

    asset: str
    share: float
    unit_usd: float
    haircut: float = 1.0


@attrs.frozen
class CrowdBook:
    """Population of one perpetual.  ``lot_usd`` is the notional of one lot at ``mid_ticks``.

    ``brackets`` are (notional in dollars from which it holds, highest leverage) of the instrument;
    nobody uses more than the part ``bracket_use`` of what his own bracket allows.  Without this
    the largest accounts stand within half a per cent of their liquidation, and a seed in which one
    of them is first decides the run.  For the same reason a position above ``stop_cap_d1`` has no
    stop: who holds that much works out of it, and does not send it to the market at a stroke.
    """

    venue: str
    instrument: str
    mid_ticks: int
    lot_usd: float
    depth_usd: float
    accounts: int = 400
    speculative_oi_d1: float = 8.0
    total_oi_d1: float = 14.0
    short_share: float = 0.1
    leverage_median: float = 2.5
    leverage_log_sd: float = 0.8
    leverage_cap: float = 30.0
    bracket_use: float = 0.6
    brackets: tuple[tuple[float, float], ...] = ()
    size_pareto_index: float = 1.3
    size_cap_d1: float = 0.15
    entry_log_sd: float = 0.02
    stop_share: float = 0.05
    stop_cap_d1: float = 0.02
    stop_distance_mean: float = 0.04
    stop_distance_min: float = 0.008
    quiet_accounts: int = 12
    quiet_leverage: float = 0.5


@attrs.frozen
class AccountSpec:
    """One account: its position and what it has deposited.  ``stop_ticks`` 0 means no stop order.

    ``leverage`` is notional over equity at the start.  A stop is a reduce-only STOP_MARKET order
    for the whole position; ``collateral`` holds (asset, smallest units).
    """

    venue: str
    instrument: str
    role: Role
    side: Side
    qty_lots: int
    entry_ticks: int
    leverage: float
    notional_usd: float
    collateral: tuple[tuple[str, int], ...]
    stop_ticks: int = 0


@attrs.frozen
class PositionSpec:
    """Two accounts (indices in the list of specs) that traded with each other in the past."""

    long_index: int
    short_index: int
    instrument: str
    price_ticks: int
    qty_lots: int


def draw_crowd(
    book: CrowdBook, collateral: Sequence[CollateralChoice], stream: Stream
) -> list[AccountSpec]:
    """All accounts of one book in random order; longs and shorts hold the same number of lots.

    ``short_share`` is the speculative short interest over all speculative interest.  What
    speculators do not hold is held by a few accounts of low leverage on either side (holders,
    hedgers). Raises ``ValueError`` when the size cap does not allow the open interest, or OI is
    inconsistent.
    """
    longs_usd = book.speculative_oi_d1 * book.depth_usd
    shorts_usd = longs_usd * book.short_share / (1.0 - book.short_share)
    total_lots = round(book.total_oi_d1 * book.depth_usd / book.lot_usd)
    shorts = round(book.accounts * book.short_share)
    specs = _speculators(book, collateral, stream, Side.BUY, longs_usd, book.accounts - shorts)
    specs += _speculators(book, collateral, stream, Side.SELL, shorts_usd, shorts)
    for side, role in ((Side.BUY, Role.HOLDER), (Side.SELL, Role.HEDGER)):
        held = sum(spec.qty_lots for spec in specs if spec.side == side)
        if held > total_lots:
            raise ValueError(f"{book.instrument}: speculative open interest exceeds the total")
        specs += _quiet(book, collateral, stream, side, role, total_lots - held)
    stream.shuffle(specs)
    return specs


def capped_pareto(
    count: int, total: float, cap: float, index: float, stream: Stream, name: str
) -> list[float]:
    """``count`` rising sizes of the given sum, one from each quantile band, none above ``cap``."""
    if count * cap < total:
        raise ValueError(f"{name}: {count} accounts capped at {cap:.6g} cannot hold {total:.6g}")
    if not count or not total:
        return [0.0] * count
    shape = [(1.0 - (k + stream.random()) / count) ** (-1.0 / index) for k in range(count)]
    low, high = 0.0, cap
    for _ in range(80):
        scale = (low + high) / 2.0
        filled = sum(min(cap, scale * x) for x in shape)
        low, high = (scale, high) if filled < total else (low, scale)
    return [min(cap, high * x) for x in shape]


def _speculators(
    book: CrowdBook,
    collateral: Sequence[CollateralChoice],
    stream: Stream,
    side: Side,
    total_usd: float,
    count: int,
) -> list[AccountSpec]:
    cap = book.size_cap_d1 * book.depth_usd
    sizes = capped_pareto(count, total_usd, cap, book.size_pareto_index, stream, book.instrument)
    normal = NormalDist()
    stop_at, asset_at = stream.random(), stream.random()
    specs = []
    for rank, size in enumerate(sizes):
        # which ranks carry the few highest leverages is fixed: it decides the first per cents
        quantile = (0.5 + rank * _GOLDEN + (stream.random() - 0.5) / count) % 1.0
        quantile = min(max(quantile, 1e-6), 1.0 - 1e-6)
        leverage = book.leverage_median * math.exp(book.leverage_log_sd * normal.inv_cdf(quantile))
        leverage = min(max(leverage, _LEVERAGE_MIN), _leverage_allowed(book, size))
        stops = size <= book.stop_cap_d1 * book.depth_usd
        has_stop = stops and (stop_at + rank * _SILVER) % 1.0 < book.stop_share
        choice = _pick(collateral, (asset_at + rank * _GOLDEN * _SILVER) % 1.0)
        lots = max(1, round(size / book.lot_usd))
        specs.append(_spec(book, choice, stream, Role.SPECULATOR, side, lots, leverage, has_stop))
    return specs


def _leverage_allowed(book: CrowdBook, notional_usd: float) -> float:
    allowed = [leverage for floor, leverage in book.brackets if floor < notional_usd]
    return min(book.leverage_cap, book.bracket_use * allowed[-1] if allowed else math.inf)


def _quiet(
    book: CrowdBook,
    collateral: Sequence[CollateralChoice],
    stream: Stream,
    side: Side,
    role: Role,
    lots: int,
) -> list[AccountSpec]:
    count = min(book.quiet_accounts, lots)
    cuts = [lots * k // count for k in range(count + 1)] if count else []
    return [
        _spec(book, collateral[0], stream, role, side, high - low, book.quiet_leverage, stop=False)
        for low, high in pairwise(cuts)
    ]


def _spec(
    book: CrowdBook,
    choice: CollateralChoice,
    stream: Stream,
    role: Role,
    side: Side,
    lots: int,
    leverage: float,
    stop: bool,
) -> AccountSpec:
    sign = 1.0 if side == BUY else -1.0
    notional = lots * book.lot_usd
    equity = notional / leverage
    gain = math.exp(book.entry_log_sd * stream.gauss(0.0, 1.0)) - 1.0
    gain = min(gain, _PROFIT_SHARE_MAX / leverage)
    entry = max(1, round(book.mid_ticks * (1.0 - sign * gain)))
    profit = sign * notional * (1.0 - entry / book.mid_ticks)
    units = math.ceil(max(0.0, equity - profit) / (choice.unit_usd * choice.haircut))
    trigger = 0
    if stop:
        beyond = max(0.0, book.stop_distance_mean - book.stop_distance_min)
        distance = book.stop_distance_min - math.log(1.0 - stream.random()) * beyond
        distance = min(distance, 0.9 / leverage, 0.9)
        trigger = max(1, round(book.mid_ticks * (1.0 - sign * distance)))
    deposits = ((choice.asset, units),)
    return AccountSpec(
        book.venue, book.instrument, role, side, lots, entry, leverage, notional, deposits, trigger
    )


def _pick(choices: Sequence[CollateralChoice], quantile: float) -> CollateralChoice:
    total = sum(choice.share for choice in choices)
    for choice in choices:
        quantile -= choice.share / total
        if quantile < 0.0:
            return choice
    return choices[-1]


def match_positions(specs: Sequence[AccountSpec]) -> list[PositionSpec]:
    """Pair the longs and shorts of one book at the speculator's entry price.

    Speculators meet quiet accounts as far as those suffice, because a quiet account can bear a
    price that differs from its own entry.  Raises ``ValueError`` when the sides do not hold equal
    lots.
    """
    longs = sorted(
        (k for k, spec in enumerate(specs) if spec.side == BUY),
        key=lambda k: specs[k].role == Role.SPECULATOR,
    )
    shorts = sorted(
        (k for k, spec in enumerate(specs) if spec.side == SELL),
        key=lambda k: specs[k].role != Role.SPECULATOR,
    )
    if sum(specs[k].qty_lots for k in longs) != sum(specs[k].qty_lots for k in shorts):
        raise ValueError("longs and shorts differ")
    pairs = []
    left = [spec.qty_lots for spec in specs]
    at = 0
    for long in longs:
        while left[long]:
            short = shorts[at]
            qty = min(left[long], left[short])
            by_short = specs[long].role != Role.SPECULATOR and specs[short].role == Role.SPECULATOR
            price = specs[short if by_short else long].entry_ticks
            pairs.append(PositionSpec(long, short, specs[long].instrument, price, qty))
            left[long] -= qty
            left[short] -= qty
            at += not left[short]
    return pairs


def liquidation_fall(leverage: float, maintenance: float) -> float:
    """Relative fall that leaves a long of this effective leverage its maintenance margin only."""
    return max(0.0, (1.0 / leverage - maintenance) / (1.0 - maintenance))


def liquidation_supply_curve(
    specs: Sequence[AccountSpec],
    falls: Sequence[float],
    depth_usd: float = 1.0,
    maintenance: float = 0.01,
) -> list[float]:
    """L(x): long notional over ``depth_usd`` that is liquidated when its price falls by each x.

    Stop orders are not counted: they leave at their trigger, before any liquidation.
    """
    longs = sorted(
        (liquidation_fall(spec.leverage, maintenance), spec.notional_usd)
        for spec in specs
        if spec.side == BUY
    )
    return [sum(usd for at, usd in longs if at <= fall) / depth_usd for fall in falls]
