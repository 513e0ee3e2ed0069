"""Rules about what a command may do, judged from the command and its events.

``StepChecker`` is called around every ``World.apply``::

    checker = StepChecker(world, level)
    checker.before(command)
    events = world.apply(command)
    violations = checker.observe(command, events)

The cheap level costs O(events): a second bookkeeper follows the money and the orders, and no
balance that a command touched may be negative.  ``sampled`` adds holds and margins of the touched
accounts and, every so often, the rules about the whole state; ``full`` adds these always, with the
health of the acting account before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import attrs

from exchange_sim.limits import INT64_MAX
from exchange_sim.messages import events as declared
from exchange_sim.messages.reasons import PostingKind
from exchange_sim.messages.registry import EVENTS
from exchange_sim.model.account import CASH
from exchange_sim.world import mode_rules
from exchange_sim.world.backstop import whole_room
from exchange_sim.world.chain import rules as chain_rules
from exchange_sim.world.chain.shadow import ShadowChain
from exchange_sim.world.invariants import (
    CHEAP,
    FULL,
    INVARIANTS,
    LEVELS,
    STEP,
    Violation,
    broken,
    check_world,
    incremental_of,
    invariant,
    reservations_of,
    solvency_of,
)
from exchange_sim.world.margin import liquidatable, net_worth, requirements
from exchange_sim.world.shadow import ShadowBook, ShadowLedger
from exchange_sim.world.shadow_loans import ShadowLoans, missed_levels
from exchange_sim.world.steps_risk import fund_adds_up, of

if TYPE_CHECKING:
    from exchange_sim.world.world import World

RULES_ELSEWHERE: Final = (mode_rules,)
"""Modules that declare rules of their own; loading them is what registers these."""
Command = tuple[int, ...]
Event = tuple[int, ...]
Check = Callable[["Step"], Iterator[Violation]]

SAMPLE_EVERY: Final = 1000
"""Commands between two sweeps over the whole state at the level ``sampled``, at least; with more
accounts than this, as many commands as accounts, so that the cost per command stays.
"""
OWN_COMMANDS: Final = frozenset(
    {1, 2, 3, 4, 22, 23, 24, 26, 29, 50, 51, 52, 60, 61, 62, 63, 67, 68}
)
"""Commands by which an account acts for itself; the account is the first field."""
LAST_ORDER_COMMAND: Final = 4
UPDATE_MARKS: Final = 10
FIRST_RISK_EVENT: Final = 30
"""Orders and cancels cause no liquidation, insurance or ADL: those rules are skipped for them."""
FUNDING, DUST = int(PostingKind.FUNDING), int(PostingKind.DUST)
_DECLARED: Final = declared.__name__.rpartition(".")[0]
LENGTHS: Final = {
    kind: len(shape.field_names) + 1
    for kind, shape in EVENTS.items()
    if shape.__module__.startswith(_DECLARED)
}
"""Length of the tuple of every kind of event."""


@attrs.define
class Before:
    """What a step rule must know from before the command."""

    seq: int = 0
    time_ns: int = 0
    queue: tuple[int, ...] = ()
    funds: tuple[int, ...] = ()
    keepers: tuple[int, ...] = ()
    rooms: tuple[int, ...] = ()
    healthy: tuple[int, ...] = ()


@attrs.define
class Step:
    """A command that was applied, with its events and the world on both sides of it."""

    world: World
    command: Command
    events: list[Event]
    before: Before


class StepChecker:
    """Checks one world after each of its commands.  Changes nothing in it."""

    def __init__(self, w: World, level: str = FULL, every: int = SAMPLE_EVERY) -> None:
        if level not in LEVELS:
            raise ValueError(f"check level must be one of {', '.join(LEVELS)}, not {level!r}")
        self.world = w
        self.level = level
        self.every = every
        self.ledger = ShadowLedger(w)
        self.book = ShadowBook(w)
        self.loans = ShadowLoans(w)
        self.chain = ShadowChain(w) if w.chain is not None else None
        self._before = Before(w.seq, w.time_ns)
        self._sweep_at = w.seq + every
        self._always: list[Check] = [log_is_sound, own_commands_are_safe, fund_adds_up]
        self._rare: list[Check] = [
            check
            for rule in INVARIANTS.values()
            for kind, check in rule.checks
            if kind == STEP and check not in self._always and check not in SHADOWED
        ]

    def before(self, command: Command) -> None:
        """Remember what the command may change.  O(1); O(assets + positions) at the full level."""
        w, known = self.world, Before(self.world.seq, self.world.time_ns)
        known.funds = tuple(w.ledger.posted[v.insurance][v.numeraire] for v in w.venues)
        if command[0] == 13 and 0 <= command[2] < len(w.venues):
            known.queue = tuple(w.venues[command[2]].queue)
            known.keepers = tuple(net_worth(w, w.accounts[v.takeover]) for v in w.venues)
            known.rooms = tuple(whole_room(w, v) for v in w.venues)
        if self.level == FULL and command[0] in OWN_COMMANDS:
            known.healthy = tuple(a for a in _acting(w, command[2]) if _healthy(w, a))
        self._before = known

    def observe(self, command: Command, events: list[Event]) -> list[Violation]:
        """Every rule that the command broke."""
        w, ledger, book = self.world, self.ledger, self.book
        for event in events:
            ledger.apply(event)
            book.apply(event)
            self.loans.apply(event)
        book.judge_rest(events)
        step = Step(w, command, events, self._before)
        found = [v for check in self._always for v in check(step)]
        if command[0] > LAST_ORDER_COMMAND or any(event[0] >= FIRST_RISK_EVENT for event in events):
            found.extend(v for check in self._rare for v in check(step))
        touched = range(len(w.accounts)) if self.level == FULL else list(ledger.touched)
        problems = [*ledger.problems, *book.problems, *ledger.differences(w, touched)]
        problems.extend(book.differences(w, events))
        problems.extend(self.loans.take_problems(w))
        if command[0] == UPDATE_MARKS and w.loans and self.level != CHEAP:
            problems.extend(missed_levels(w, command[2]))
        sweep = self.level == FULL or (self.level != CHEAP and w.seq >= self._sweep_at)
        if sweep:
            self._sweep_at = w.seq + max(self.every, len(w.accounts))
            problems.extend(book.missing(w))
        if self.chain is not None:
            self.chain.observe(events)
            problems.extend(self.chain.problems)
            self.chain.problems.clear()
        for rule, want, have, who in problems:
            found.append(Violation(rule, w.seq, w.time_ns, want, have, who))
        ledger.problems.clear()
        book.problems.clear()
        ledger.touched.clear()
        found.extend(check_world(w) if sweep else self._touched(touched))
        return found

    def _touched(self, touched: list[int] | range) -> Iterator[Violation]:
        w = self.world
        for account_id in touched:
            account = w.accounts[account_id]
            yield from solvency_of(w, account_id)
            if account.owner >= 0 and self.level != CHEAP:
                yield from reservations_of(w, account)
                yield from incremental_of(w, account)


def _acting(w: World, account_id: int) -> list[int]:
    """An account and its isolated wallets."""
    if not 0 <= account_id < len(w.accounts):
        return []
    modes = w.accounts[account_id].modes
    return [account_id, *(modes.wallets.values() if modes else ())]


def _healthy(w: World, account_id: int) -> bool:
    """Whether a user account exists and would not be liquidated at the present marks."""
    if not 0 <= account_id < len(w.accounts):
        return False
    account = w.accounts[account_id]
    if account.owner < 0 or account.mode == CASH:
        return False
    equity, _, maintenance = requirements(w, account)
    return not liquidatable(w, account, equity, maintenance)


@invariant(
    "LOG-1",
    "Commands count up without gaps, time never goes back, events have their declared shape.",
    "O(events)",
    STEP,
)
def log_is_sound(step: Step) -> Iterator[Violation]:
    """Every field fits 64 bits, as journal and tables need it."""
    w, before = step.world, step.before
    if w.seq != before.seq + 1 or w.time_ns < before.time_ns or w.time_ns != step.command[1]:
        yield broken(w, "LOG-1", f"after {before.seq} at {before.time_ns}", (w.seq, w.time_ns))
    for event in step.events:
        if LENGTHS.get(event[0]) != len(event):
            yield broken(w, "LOG-1", "a registered event", event)
        elif not all(-INT64_MAX <= value <= INT64_MAX for value in event):
            yield broken(w, "LOG-1", "64-bit fields", event)


@invariant(
    "RISK-1",
    "No command of an account takes that account from healthy to liquidatable.",
    "O(assets + positions) of the acting account",
    STEP,
)
def own_commands_are_safe(step: Step) -> Iterator[Violation]:
    """Fills of own orders that rested before are somebody else's doing and do not count."""
    w = step.world
    for account in step.before.healthy:
        if _healthy(w, account):
            continue
        if not any(e[8] == account and e[9] != account for e in of(step, 6)):
            yield broken(w, "RISK-1", "a healthy account stays so", step.command, account)


@invariant("FUND-1", "Funding paid is funding received, dust included.", "O(holders)", STEP)
def funding_cancels(step: Step) -> Iterator[Violation]:
    """Per clearing account: what comes in goes out in the same command."""
    if step.command[0] != 11:
        return
    clearing = dict.fromkeys(step.world.clearing, 0)
    for _, _, source, target, amount, kind in of(step, 10):
        if kind in {FUNDING, DUST}:
            if source in clearing:
                clearing[source] -= amount
            if target in clearing:
                clearing[target] += amount
    for account, left in clearing.items():
        if left:
            yield broken(step.world, "FUND-1", 0, left, account)


@invariant("LED-2", "Balances and loans are what the events say, to the unit.", "O(touched)", STEP)
@invariant("LED-5", "Money enters and leaves only as deposit and withdrawal.", "O(events)", STEP)
@invariant("BOOK-3", "Best price first, then first come first served.", "O(events)", STEP)
@invariant("BOOK-4", "Limits and times in force are kept.", "O(events)", STEP)
@invariant("BOOK-5", "Filled + canceled + open = quantity; an order ends once.", "O(events)", STEP)
@invariant("RISK-2", "Reduce-only orders never enlarge or turn a position.", "O(events)", STEP)
@invariant("LIQ-2", "A liquidation step only shrinks a position.", "O(events)", STEP)
@invariant(
    "LOAN-2", "Loans are what their events say; forced sales were announced.", "O(events)", STEP
)
@invariant("LOAN-3", "After a mark update no loan stands past a level unnoticed.", "O(loans)", STEP)
def judged_by_the_shadow(step: Step) -> Iterator[Violation]:
    """These are found by ``world.shadow`` while it applies the events."""
    del step
    yield from ()


SHADOWED: Final = (judged_by_the_shadow, chain_rules.judged_by_the_shadow)
"""Rules that second bookkeepers judge: nothing is left to do for them."""
