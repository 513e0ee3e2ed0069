"""Step rules about liquidation, the insurance fund and ADL; see ``world.steps``.

Importing this module declares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from exchange_sim.limits import INT64_MAX
from exchange_sim.messages.reasons import LiquidationOutcome, PostingKind
from exchange_sim.model.enums import FLAG_LIQUIDATION
from exchange_sim.risk.profile import (
    BANKRUPTCY,
    BANKRUPTCY_NEAR_MARK,
    FUND_DROP,
    FUND_EXHAUSTED,
    NEGATIVE_EQUITY,
    PREVIOUS_MARK,
    SYMBOL_DRAWDOWN,
)
from exchange_sim.units import PPM
from exchange_sim.world.invariants import STEP, Violation, broken, invariant
from exchange_sim.world.margin import liquidatable, net_worth, position_worth

if TYPE_CHECKING:
    from exchange_sim.world.steps import Step
    from exchange_sim.world.venue import VenueState
    from exchange_sim.world.world import World

Event = tuple[int, ...]
ROUNDING: Final = 2
LIFELESS: Final = (
    int(LiquidationOutcome.TAKEN_OVER),
    int(LiquidationOutcome.BANKRUPT),
    int(LiquidationOutcome.BACKSTOP),
)
BANKRUPT: Final = int(LiquidationOutcome.BANKRUPT)
REPAY = int(PostingKind.REPAY)


def of(step: Step, kind: int) -> list[Event]:
    """The events of one kind."""
    return [event for event in step.events if event[0] == kind]


@invariant(
    "LIQ-1",
    "Only accounts below their maintenance are liquidated, and the first in queue first.",
    "O(events)",
    STEP,
)
def liquidation_is_due(step: Step) -> Iterator[Violation]:
    """The queue may only be left, never overtaken; an ADL round goes through it once more."""
    w = step.world
    for _, account, equity, maintenance, _, _, _ in of(step, 31):
        if not liquidatable(w, w.accounts[account], equity, maintenance):
            yield broken(w, "LIQ-1", "not above maintenance", (equity, maintenance), account)
    if step.command[0] != 13:
        return
    places = {account: place for place, account in enumerate(step.before.queue)}
    began = next((k for k, e in enumerate(step.events) if e[0] == 50), len(step.events))
    for part in (step.events[:began], step.events[began:]):
        served = [e[1] for e in part if e[0] in {32, 33} and w.accounts[e[1]].owner >= 0]
        order = [places.get(account, -1) for account in served]
        if order != sorted(order) or -1 in order:
            yield broken(w, "LIQ-1", f"the order of the queue {step.before.queue}", served)


@invariant(
    "INS-1", "The insurance fund is what flowed in less payouts, and never negative.", "O(1)", STEP
)
def fund_adds_up(step: Step) -> Iterator[Violation]:
    """Every movement of the fund is an event that carries the right balance."""
    w, funds = step.world, list(step.before.funds)
    for _, venue, _, change, balance in of(step, 34):
        funds[venue] += change
        if funds[venue] != balance or balance < 0:
            yield broken(w, "INS-1", funds[venue], balance)
    held = [w.ledger.posted[v.insurance][v.numeraire] for v in w.venues]
    if funds != held:
        yield broken(w, "INS-1", funds, held)


@invariant(
    "INS-2", "The fund pays only recorded deficits, and never more than them.", "O(events)", STEP
)
def payouts_are_due(step: Step) -> Iterator[Violation]:
    """Deficits of bankrupt accounts, and debts of the takeover account that it cannot pay.

    Each position that changes hands may add one unit of rounding to a deficit, and ADL at the mark
    before, which may be a worse price than the mark, the difference.
    """
    w, events = step.world, step.events
    for venue in w.venues:
        paid = -sum(e[3] for e in events if e[0] == 34 and e[1] == venue.id and e[3] < 0)
        if not paid:
            continue
        lost = sum(
            -e[3]
            for e in events
            if e[0] == 33 and e[2] == BANKRUPT and w.accounts[e[1]].venue == venue.id
        )
        repaid = sum(
            e[4] for e in events if e[0] == 10 and e[2] == venue.takeover and e[5] == REPAY
        )
        rounded = len(of(step, 35)) + len(of(step, 37))
        if venue.profile.adl_price.kind == PREVIOUS_MARK:
            lost += sum(_beside_the_mark(w, e) for e in events if e[0] == 35)
        if paid > lost + repaid + rounded:
            yield broken(w, "INS-2", f"at most {lost} + {repaid}", paid)


def _beside_the_mark(w: World, event: Event) -> int:
    """What the price of an ADL differs from the mark, on the quantity that was closed."""
    _, instrument, price, qty, *_ = event
    inst = w.instruments[instrument]
    return abs(inst.value_at(qty, price) - inst.value_at(qty, w.marks[instrument])) + ROUNDING


@invariant(
    "ADL-1",
    "Positions go to ADL only when the trigger is met, or the venue may not take more over.",
    "O(events)",
    STEP,
)
def fund_comes_first(step: Step) -> Iterator[Violation]:
    """Judged with the better of what the fund had lost on takeovers before and after.

    A vault that is deleveraged itself has no ending and is not judged here.
    """
    if step.command[0] != 13:
        return
    w, funds = step.world, list(step.before.funds)
    pending: dict[int, int] = {}
    closed: dict[int, int] = {}
    taken = 0
    for event in step.events:
        if event[0] == 34:
            funds[event[1]] = event[4]
        elif event[0] == 35:
            account = event[4]
            pending.setdefault(account, funds[w.accounts[account].venue])
            closed[account] = closed.get(account, 0) + position_worth(w, event[1], event[3])
            if w.specs[event[1]].takeover_limit:
                pending[account] = -1
        elif event[0] == 37 and event[1] in pending:
            closed[event[1]] += position_worth(w, event[2], abs(event[3]))
        elif event[0] == 37:
            taken += position_worth(w, event[2], abs(event[3]))
        elif event[0] == 33 and event[1] in pending:
            fund, venue = pending.pop(event[1]), w.venues[w.accounts[event[1]].venue]
            lost = min(step.before.keepers[venue.id], net_worth(w, w.accounts[venue.takeover]), 0)
            if fund < 0 or _full(venue, step.before.rooms[venue.id], taken, closed[event[1]]):
                continue
            if not _adl_due(w, venue, fund, lost, event[3]):
                yield broken(w, "ADL-1", f"the fund of {fund} pays {-event[3]}", "ADL", event[1])


def _full(venue: VenueState, room: int, taken: int, value: int) -> bool:
    """Whether a vault that had ``room`` and took ``taken`` in this slot may not take ``value``."""
    rule = venue.profile.takeover
    if not rule.leverage_ppm:
        return False
    return value > room if not taken else taken + value > room * rule.slot_ppm // PPM


def _adl_due(w: World, venue: VenueState, fund: int, lost: int, worth: int) -> bool:
    """Whether the venue's trigger sends an account of this worth to ADL; told from the figures."""
    rule = venue.profile.adl_trigger
    if rule.kind == NEGATIVE_EQUITY:
        return worth < 0
    if rule.kind == FUND_EXHAUSTED:
        return fund + worth <= 0
    if rule.kind == SYMBOL_DRAWDOWN:
        return fund + worth <= 0 or bool(venue.adl_running)
    peak = venue.fund_history.peak(w.time_ns)
    fallen = fund <= 0 or (peak - fund) * PPM >= rule.start_ppm * peak
    return fund + lost < -worth or (rule.kind == FUND_DROP and fallen)


@invariant(
    "ADL-2",
    "ADL takes profitable positions of the other side in the order of their rank.",
    "O(events)",
    STEP,
)
def winners_in_order(step: Step) -> Iterator[Violation]:
    """The order of ranks is that of the production queue; other rules share among everybody."""
    w, last = step.world, (-1, -1, 0)
    for _, instrument, _, _, bankrupt, victim, _, _, rank in of(step, 35):
        venue = w.venues[w.accounts[bankrupt].venue]
        queue = venue.spec.adl_rule == "production_queue"
        if queue and last[:2] == (bankrupt, instrument) and rank > last[2]:
            yield broken(w, "ADL-2", f"rank at most {last[2]}", rank, victim)
        if rank < 0:
            yield broken(w, "ADL-2", "a profitable position", f"rank {rank}", victim)
        last = bankrupt, instrument, rank


@invariant(
    "ADL-3",
    "ADL is at one price per position, without fee, and never makes a winner lose.",
    "O(events)",
    STEP,
)
def winners_do_not_lose(step: Step) -> Iterator[Violation]:
    """The price is the mark or, for a deficit, worse for the winners; both sides book their PnL."""
    prices: dict[tuple[int, int], int] = {}
    for _, instrument, price, _, bankrupt, victim, pnl, _, _ in of(step, 35):
        if prices.setdefault((bankrupt, instrument), price) != price:
            yield broken(step.world, "ADL-3", prices[bankrupt, instrument], price, victim)
        if pnl < -ROUNDING:
            yield broken(step.world, "ADL-3", "profit at the ADL price", pnl, victim)


@invariant(
    "ADL-5",
    "ADL fills at the price of the venue's rule, and in a round after its liquidations.",
    "O(events)",
    STEP,
)
def priced_by_the_rule(step: Step) -> Iterator[Violation]:
    """At the mark of now or before, or near the mark where the rule says how near.

    A venue with rounds touches only instruments in which the same slot sent an order; one whose
    vault has a limit also those of accounts that it had no room for.
    """
    w, tried, round_began = step.world, set(), False
    for event in step.events:
        if event[0] == 1 and event[12] & FLAG_LIQUIDATION:
            tried.add(event[3])
        elif event[0] == 50:
            round_began = True
        if event[0] != 35:
            continue
        _, instrument, price, _, bankrupt, victim, *_ = event
        venue, mark = w.venues[w.accounts[bankrupt].venue], w.marks[instrument]
        rule = venue.profile.adl_price
        expected = venue.previous_marks[instrument] if rule.kind == PREVIOUS_MARK else mark
        room = 0
        if rule.kind == BANKRUPTCY:
            room = INT64_MAX
        elif rule.kind == BANKRUPTCY_NEAR_MARK:
            room = rule.gap_ppm * mark // PPM
        if abs(price - expected) > room:
            yield broken(w, "ADL-5", f"{rule.kind}: at most {room} from {expected}", price, victim)
        limited = venue.profile.takeover.leverage_ppm > 0
        if venue.profile.adl_trigger.rounds and not (
            round_began and (limited or instrument in tried)
        ):
            yield broken(w, "ADL-5", "a round after a liquidation there", event, victim)


@invariant(
    "ADL-4",
    "Who was taken over owns and owes nothing; what nobody paid is recorded as bad debt.",
    "O(assets) of the accounts taken over",
    STEP,
)
def nothing_is_left(step: Step) -> Iterator[Violation]:
    """Assets, loans, positions, holds: all zero."""
    w = step.world
    for _, account_id, outcome, _, _ in of(step, 33):
        account = w.accounts[account_id]
        if outcome not in LIFELESS:
            continue
        lots = [p.qty for p in account.positions.values() if p.qty]
        owned = w.ledger.posted[account_id]
        if any(owned) or account.loans or account.auto_loans or lots or account.order_margin:
            found = owned, account.loans, lots, account.order_margin
            yield broken(w, "ADL-4", "nothing", found, account_id)
