"""Unified account rules of the Bybit profile.

::

    account MM rate = total MM / (margin balance - haircut loss + order loss)    liquidation at >= 1
    borrowed        = |min(0, equity - frozen)|
    penalty         = borrowed * hourly rate * (borrowed / limit)^3               above the limit

``order loss`` carries its sign (a loss is negative).  Sources:
https://www.bybit.com/en/help-center/article/Glossary-Unified-Trading-Account,
https://www.bybit.com/en/help-center/article/Borrowing-Repayment-UTA,
https://github.com/bybit-exchange/docs (docs/v5/market/adl-alert.mdx).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import attrs

Number = int | Fraction

LIQUIDATION_RATE: Final = Fraction(1)
ADL_START: Final = Fraction(-30, 100)
ADL_STOP: Final = Fraction(-25, 100)


def account_rate(
    margin: Number, margin_balance: Number, haircut_loss: Number = 0, order_loss: Number = 0
) -> Fraction | None:
    """Initial or maintenance margin rate of the account.

    None when there is margin to hold but no positive balance left: beyond any rate.
    """
    available = Fraction(margin_balance) - haircut_loss + order_loss
    if available <= 0:
        return Fraction(0) if margin <= 0 else None
    return Fraction(margin) / available


def is_liquidated(rate: Fraction | None) -> bool:
    """Whether an account at this maintenance rate is liquidated."""
    return rate is None or rate >= LIQUIDATION_RATE


def borrowed(
    equity: Number,
    frozen: Number = 0,
    buy_option_initial_margin: Number = 0,
    positive_option_value: Number = 0,
) -> Number:
    """Coins that the account borrows by itself because its free equity in the coin is negative."""
    return max(0, frozen + buy_option_initial_margin + positive_option_value - equity)


def hourly_interest(loan: Number, limit: Number, hourly_rate: Number) -> Number:
    """Interest of one hour; beyond the borrowing limit it grows with utilisation cubed.

    Raises ``ValueError`` for a limit that is not positive.
    """
    if limit <= 0:
        raise ValueError(f"the borrowing limit must be positive, not {float(limit)}")
    base = loan * hourly_rate
    utilisation = Fraction(loan) / limit
    return base * utilisation**3 if utilisation > 1 else base


@attrs.frozen
class AdlTrigger:
    """Outcome of the fund test: the drawdown ratio, whether ADL runs, and the loss it must take."""

    pnl_ratio: Fraction | None
    triggered: bool
    loss_to_adl: Number


def adl_trigger(
    pool_balance: Number,
    pool_peak_8h: Number,
    symbol_pnl: Number,
    *,
    pnl_ratio: Number | None = None,
    start: Number = ADL_START,
    stop: Number = ADL_STOP,
    running: bool = False,
    active_above: Number | None = None,
) -> AdlTrigger:
    """Drawdown rule of the insurance pool (API text of 2026).

    ADL starts when the symbol's loss reaches ``-start`` of the pool's eight-hour peak or the pool
    is empty, and a running one stops above ``stop``.  The drawdown counts only while the pool
    holds more than ``active_above``.  The loss beyond ``start`` is moved to ADL.
    """
    if pnl_ratio is None and pool_peak_8h > 0:
        pnl_ratio = Fraction(symbol_pnl) / pool_peak_8h
    ratio = None if pnl_ratio is None else Fraction(pnl_ratio)
    edge = stop if running else start
    watched = active_above is None or pool_balance > active_above
    drawn = watched and ratio is not None and ratio <= edge
    moved: Number = max(0, start * pool_peak_8h - symbol_pnl) if drawn else 0
    return AdlTrigger(ratio, drawn or pool_balance <= 0, moved)


def adl_trigger_2025_09(fund: Number, position_margin: Number, upnl: Number) -> bool:
    """Rule in force on 10 October 2025: only when the fund and the position itself cannot pay."""
    return fund + position_margin + upnl <= 0


def adl_trigger_2025_11(drawdown_8h: Number, peak_8h: Number) -> bool:
    """Rule of 5 November 2025: the symbol's eight-hour drawdown reaches the fund's whole peak."""
    return drawdown_8h >= peak_8h
