"""Whether positions of an account that is taken over go to ADL: the trigger of the venue's profile.

The kinds are those of ``risk.profile.AdlTriggerRule``.  Apart from them, a position that would take
the venue's inventory of its instrument beyond the takeover limit always goes to ADL, and so do all
positions of an account that the vault has no room for.

Simplifications
---------------
The losses of one instrument (``symbol_drawdown``) are the deficits that accounts left behind,
shared out by the value of their positions; what the takeover account earns or loses afterwards
counts in the fund alone.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from exchange_sim.model.account import Account
from exchange_sim.risk import bybit, okx
from exchange_sim.risk.profile import (
    FUND_DROP,
    FUND_EXHAUSTED,
    NEGATIVE_EQUITY,
    SYMBOL_DRAWDOWN,
)
from exchange_sim.units import PPM
from exchange_sim.world import backstop
from exchange_sim.world.margin import net_worth, position_worth

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World


def fund_balance(w: World, venue: VenueState) -> int:
    """Cash of the insurance fund in numeraire units."""
    return w.ledger.posted[venue.insurance][venue.numeraire]


def capacity(w: World, venue: VenueState) -> int:
    """What the fund can still pay: its balance less what it has already lost on takeovers."""
    return fund_balance(w, venue) + min(0, net_worth(w, w.accounts[venue.takeover]))


def for_adl(w: World, venue: VenueState, account: Account, worth: int) -> tuple[list[int], int]:
    """Instruments of an account that go to ADL, and the deficit that its winners are to pay.

    ``worth`` is the account's net worth.  The deficit is 0 when the fund can carry the account and
    only single positions are too much.
    """
    held = [i for i in sorted(account.positions) if account.positions[i].qty]
    if worth >= 0 and not backstop.has_room(w, venue, account):
        return held, 0
    if venue.profile.adl_trigger.rounds:
        held = [i for i in held if i in venue.attempted]
    if everything_goes(w, venue, worth):
        return held, max(0, -worth)
    if venue.profile.adl_trigger.kind == SYMBOL_DRAWDOWN:
        drawn = [i for i in held if drawn_down(w, venue, i)]
        return drawn or [i for i in held if _over_limit(w, venue, account, i)], 0
    return [i for i in held if _over_limit(w, venue, account, i)], 0


def everything_goes(w: World, venue: VenueState, worth: int) -> bool:
    """Whether the trigger sends every position of an account to ADL."""
    rule = venue.profile.adl_trigger
    if rule.kind == NEGATIVE_EQUITY:
        return worth < 0
    if rule.kind in {FUND_EXHAUSTED, SYMBOL_DRAWDOWN}:
        return bybit.adl_trigger_2025_09(fund_balance(w, venue), 0, worth)
    short = worth < 0 and capacity(w, venue) < -worth
    if rule.kind == FUND_DROP:
        peak, now = venue.fund_history.peak(w.time_ns), fund_balance(w, venue)
        return okx.adl_due(peak, now, insufficient=short, drop=Fraction(rule.start_ppm, PPM))
    return short


def drawn_down(w: World, venue: VenueState, instrument: int) -> bool:
    """Whether ADL runs in an instrument because of its own losses; remembers that it does."""
    rule, history = venue.profile.adl_trigger, venue.symbol_results[instrument]
    loss = history.peak(w.time_ns) - history.balance
    found = bybit.adl_trigger(
        fund_balance(w, venue), venue.fund_history.peak(w.time_ns), -loss,
        start=Fraction(-rule.start_ppm, PPM), stop=Fraction(-rule.stop_ppm, PPM),
        running=instrument in venue.adl_running,
    )  # fmt: skip
    if found.triggered:
        venue.adl_running[instrument] = None
    else:
        venue.adl_running.pop(instrument, None)
    return found.triggered


def note_fund(w: World, venue: VenueState) -> None:
    """Remember a changed balance of the fund."""
    venue.fund_history.record(w.time_ns, fund_balance(w, venue))


def note_losses(w: World, venue: VenueState, values: dict[int, int], deficit: int) -> None:
    """Charge a deficit to the instruments of an account in proportion to its positions' values."""
    total = sum(values.values())
    for instrument, value in sorted(values.items()):
        history = venue.symbol_results[instrument]
        history.record(w.time_ns, history.balance - deficit * value // total)


def _over_limit(w: World, venue: VenueState, account: Account, instrument: int) -> bool:
    """Whether taking a position over would exceed what the venue carries in its instrument."""
    limit = w.specs[instrument].takeover_limit
    mine = w.accounts[venue.takeover].positions.get(instrument)
    total = abs(account.positions[instrument].qty + (mine.qty if mine else 0))
    value = position_worth(w, instrument, total)
    return bool(limit) and value > limit
