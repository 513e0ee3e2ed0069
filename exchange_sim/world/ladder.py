"""How much of a position one step of a liquidation closes: the ladder of the venue's profile.

``next_step`` answers with lots and a time in force, with ``WAIT`` or with ``HAND_OVER``.  The kinds
of ladder are those of ``risk.profile.LadderRule``:

- ``target``: the quantity that restores the target ratio of equity to maintenance margin, which on
  the lowest brackets is the whole position, because the fee exceeds the margin that is set free;
- ``tiers``: the difference to a lower bracket, and the whole from the lowest ones;
- ``share``: a share of a large position first, all of it soon after.

Sources: https://www.binance.com/en/support/faq/360033525271 (target);
https://www.bybit.com/en/help-center/article/UTA-Trading-Rules and
https://www.okx.com/help-center/360054690531 (tiers);
https://hyperliquid.gitbook.io/hyperliquid-docs/trading/liquidations (share).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.model.account import CROSS, Account
from exchange_sim.model.enums import FOK, IOC
from exchange_sim.risk.profile import BY_SHARE, BY_TIERS, TAKEOVER, LadderRule
from exchange_sim.units import PPM
from exchange_sim.world.margin import position_value, position_worth

if TYPE_CHECKING:
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

Step = tuple[int, int]
"""Lots to close and the time in force of the order."""
HAND_OVER: Final[Step] = (-1, IOC)
"""The position is not for the book: the venue takes the account over."""


def next_step(
    w: World, venue: VenueState, account: Account, instrument: int, equity: int, maintenance: int
) -> Step:
    """The next step for a position under liquidation, which is not flat."""
    rule = venue.profile.ladder
    whole = abs(account.positions[instrument].qty)
    if account.owner < 0:
        return whole, IOC
    if rule.kind == BY_TIERS:
        return _by_tiers(w, rule, account, instrument, whole)
    if rule.kind == BY_SHARE:
        return _by_share(w, venue, rule, account, instrument, whole), IOC
    return _to_target(w, rule, account, instrument, equity, maintenance), IOC


def _to_target(
    w: World, rule: LadderRule, account: Account, instrument: int, equity: int, maintenance: int
) -> int:
    """What restores a cross-margin account to its target, else the whole position."""
    position = account.positions[instrument]
    whole = abs(position.qty)
    if account.mode != CROSS or maintenance <= 0:
        return whole
    inst, table = w.instruments[instrument], w.brackets[instrument]
    assert table is not None
    value = abs(position_value(w, instrument, position))
    rate = table.rates_ppm[table.bracket(value)] * rule.target_ppm // PPM
    gain = rate - w.venues[inst.venue].spec.liquidation_fee_ppm - account.taker_ppm
    missing = maintenance * rule.target_ppm // PPM - equity
    if gain <= 0 or value == 0:
        return whole
    lots = -(-missing * PPM * whole // (gain * position_worth(w, instrument, whole)))
    return min(whole, max(1, lots))


def _by_tiers(w: World, rule: LadderRule, account: Account, instrument: int, whole: int) -> Step:
    """Lots above the upper bound of the bracket ``tier_step`` below the present one, rounded up."""
    table = w.brackets[instrument]
    assert table is not None
    value = abs(position_value(w, instrument, account.positions[instrument]))
    tier = table.bracket(value)
    if tier < rule.last_tiers:
        return HAND_OVER if rule.last == TAKEOVER else (whole, IOC)
    bound = table.floors[max(1, tier - rule.tier_step + 1)]
    kept = bound * whole // value
    return whole - kept, FOK if rule.fill_or_kill else IOC


def _by_share(
    w: World, venue: VenueState, rule: LadderRule, account: Account, instrument: int, whole: int
) -> int:
    """A share of a large position, rounded up, unless another partial step was just taken."""
    value = position_worth(w, instrument, whole)
    scale = w.config.assets[venue.numeraire].asset.scale
    last = venue.partial_ns.get(account.id)
    cooling = last is not None and w.time_ns - last < rule.cooldown_ns
    if cooling or value <= rule.whole_below * scale:
        return whole
    return -(-whole * rule.share_ppm // PPM)


def waiting(w: World, venue: VenueState, account: Account) -> bool:
    """Whether the pause after the account's last step is not over."""
    wait, last = venue.profile.ladder.wait_ns, venue.partial_ns.get(account.id)
    return wait > 0 and last is not None and w.time_ns - last < wait
