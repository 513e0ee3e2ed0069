"""Auto-deleveraging: who is ranked first, and how a quantity is shared out among the winners.

Ranks are integers in ppm; only their order matters.  Allocation rules are pure functions from a
list of candidates and a quantity to ``(account, quantity)`` pairs, registered by name in
``ADL_RULES``.

::

    Binance:  max(0, UPnL) / max(1, wallet) * MM / (wallet + UPnL)   0 if wallet + UPnL <= 0
    leverage: pnl% * leverage if in profit, pnl% / leverage if in loss;
              leverage = |mark value| / |mark value - bankruptcy value|
    gain:     mark / entry * notional / account value                       (entry / mark if short)

Sources: https://www.binance.com/en/support/faq/360033525471,
https://www.bybit.com/en/help-center/article/Auto-Deleveraging-ADL; the alternatives to the queue
follow https://arxiv.org/abs/2512.01112.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from exchange_sim.units import PPM

_MIX_FACTOR: Final = 0x9E3779B97F4A7C15
_MIX_MASK: Final = (1 << 64) - 1


@attrs.frozen
class AdlCandidate:
    """A holder of the opposite side.

    ``qty`` is the size of the position in lots (positive), ``rank`` what the venue's ranking gives,
    ``equity`` its account equity in quote units, ``profit`` its unrealised profit at the mark.
    """

    account: int
    qty: int
    rank: int
    equity: int = 0
    profit: int = 0


Allocation = list[tuple[int, int]]
AdlRule = Callable[[Sequence[AdlCandidate], int, int], Allocation]
"""``rule(candidates, qty, salt)``: shares of ``qty`` in the order of execution."""


def adl_rank(
    unrealised: int, wallet: int, maintenance: int, one_unit: int = 1, scale: int = PPM
) -> int:
    """Binance's LeveragePnL in 1/``scale``, rounded down.

    ``one_unit`` is one whole quote coin in quote units: the floor of the wallet in the PnL per
    cent.
    """
    equity = wallet + unrealised
    if unrealised <= 0 or equity <= 0:
        return 0
    return unrealised * maintenance * scale // (max(one_unit, wallet) * equity)


def pnl_percent(unrealised: int, wallet: int, one_unit: int = 1, scale: int = PPM) -> int:
    """``max(0, UPnL) / max(1, wallet)`` in 1/``scale``, rounded down."""
    return max(0, unrealised) * scale // max(one_unit, wallet)


def leverage_rank(
    side: int, entry_value: int, mark_value: int, bankruptcy_value: int, scale: int = PPM
) -> int:
    """PnL per cent times leverage in profit, divided by leverage in loss; in 1/``scale``, floored.

    ``side`` is 1 for a long position and -1 for a short one; the values are position size times
    price. A position already at its bankruptcy price has unbounded leverage: a loss then ranks 0.
    """
    profit = side * (mark_value - entry_value)
    distance = abs(mark_value - bankruptcy_value)
    if profit > 0:
        return profit * mark_value * scale // (entry_value * max(1, distance))
    return profit * distance * scale // (entry_value * max(1, mark_value))


def account_leverage_rank(profit: int, entry: int, notional: int, equity: int) -> int:
    """``leverage_rank`` of a position in profit in a cross account, in ppm, floored.

    All of the account's equity stands behind the position, so its bankruptcy value is the notional
    less the equity; an account without equity has unbounded leverage and counts one unit.
    """
    return profit * notional * PPM // (max(1, entry) * max(1, equity))


def gain_rank(side: int, entry: int, notional: int, equity: int) -> int:
    """``mark / entry * notional / equity`` in ppm, floored; for a short the inverse of the first.

    The page prints no convention for shorts.  ``entry`` and ``notional`` are positive values.
    """
    up, down = (notional, entry) if side > 0 else (entry, notional)
    return up * notional * PPM // (max(1, down) * max(1, equity))


def quantile(position: int, users: int) -> int:
    """The 0-4 light of a user ranked ``position`` (0 is first to go) among ``users``."""
    if users <= 0:
        return 0
    return 4 - min(4, 5 * position // users)


def tie_key(account: int, salt: int) -> int:
    """Order of equally ranked accounts: mixes the id with a salt, so that no low id is favoured."""
    mixed = (account + 1) * _MIX_FACTOR + (salt + 1) * 0xBF58476D1CE4E5B9 & _MIX_MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MIX_MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MIX_MASK
    return mixed ^ mixed >> 31


def ranked(candidates: Sequence[AdlCandidate], salt: int) -> list[AdlCandidate]:
    """Candidates from the highest rank down, ties in salted order."""
    return sorted(candidates, key=lambda c: (-c.rank, tie_key(c.account, salt), c.account))


def production_queue(candidates: Sequence[AdlCandidate], qty: int, salt: int = 0) -> Allocation:
    """The rule of the venues: whole positions in the order of rank, the last one in part."""
    shares: Allocation = []
    for candidate in ranked(candidates, salt):
        if qty <= 0:
            break
        taken = min(candidate.qty, qty)
        if taken > 0:
            shares.append((candidate.account, taken))
            qty -= taken
    return shares


def pro_rata(candidates: Sequence[AdlCandidate], qty: int, salt: int = 0) -> Allocation:
    """The same fraction of every position, by largest remainder."""
    return _share_out(candidates, [c.qty for c in candidates], qty, salt)


def optimised(candidates: Sequence[AdlCandidate], qty: int, salt: int = 0) -> Allocation:
    """Shares that make the largest loss relative to equity as small as possible.

    All are closed at one price, so a winner's loss is its share times one gap; the worst loss per
    equity is least when shares are proportional to equity, each capped by its position.
    """
    return _share_out(candidates, [max(1, c.equity) for c in candidates], qty, salt)


def _share_out(
    candidates: Sequence[AdlCandidate], weights: Sequence[int], qty: int, salt: int
) -> Allocation:
    """``qty`` in proportion to ``weights``, nobody above the own position; exact and complete."""
    order = sorted(
        (k for k, c in enumerate(candidates) if c.qty > 0),
        key=lambda k: (-candidates[k].rank, tie_key(candidates[k].account, salt), k),
    )
    shares = dict.fromkeys(order, 0)
    left = min(qty, sum(candidates[k].qty for k in order))
    free = order
    while left > 0:
        total = sum(weights[k] for k in free)
        full = [k for k in free if weights[k] * left >= (candidates[k].qty - shares[k]) * total]
        if not full:
            break
        for k in full:
            left -= candidates[k].qty - shares[k]
            shares[k] = candidates[k].qty
        free = [k for k in free if shares[k] < candidates[k].qty]
    if left > 0:
        _largest_remainder(shares, free, weights, left)
    return [(candidates[k].account, shares[k]) for k in order if shares[k]]


def _largest_remainder(
    shares: dict[int, int], free: Sequence[int], weights: Sequence[int], left: int
) -> None:
    """Add ``left`` to ``shares``: floors first, then one lot each to the largest fractions."""
    total = sum(weights[k] for k in free)
    rest = left
    for k in free:
        shares[k] += weights[k] * left // total
        rest -= weights[k] * left // total
    for k in sorted(free, key=lambda k: -(weights[k] * left % total))[:rest]:
        shares[k] += 1


def overshoot(loss_taken: int, deficit: int) -> int:
    """By how much the winners' lost profit exceeds the deficit that had to be covered."""
    return max(0, loss_taken - deficit)


ADL_RULES: Final[Mapping[str, AdlRule]] = MappingProxyType(
    {"production_queue": production_queue, "pro_rata": pro_rata, "optimised": optimised}
)
"""Allocation rules by the name that a venue profile uses."""
