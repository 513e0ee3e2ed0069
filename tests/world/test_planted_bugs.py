"""Every rule is shown to fail: a bug is planted, and the rule with that id must notice it.

Length: one table of planted bugs, each a few lines, read side by side with the list of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from exchange_sim.matching.book import OrderBook
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.messages.reasons import LiquidationOutcome
from exchange_sim.model.enums import GTC, IOC, LIMIT
from exchange_sim.risk import adl as adl_rules
from exchange_sim.risk import watch_list
from exchange_sim.risk.panel import Panel
from exchange_sim.world import (
    World,
    accounts,
    adl,
    auto_loans,
    funding,
    ladder,
    liquidation,
    margin,
    orders,
    positions,
    pretrade,
    screening,
    settlement,
    takeover,
    triggers,
)
from exchange_sim.world.invariants import INVARIANTS, Violation
from exchange_sim.world.steps import StepChecker
from exchange_sim.world.world import HANDLERS
from tests.world.soup import Soup, soup_config
from tests.world.test_defi_soup import CHAIN_PLANTS
from tests.world.test_mode_rules import PLANTS as MODE_PLANTS
from tests.world.test_planted_issuers import ISSUER_PLANTS
from tests.world.test_planted_loans import LOAN_PLANTS
from tests.world.test_planted_profiles import PROFILE_PLANTS

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
PLANTS: dict[str, tuple[str, Plant, int]] = {}
COMMANDS, SEEDS = 1_200, range(40, 60)


def plant(rule: str, first: int = SEEDS[0]) -> Callable[[Plant], Plant]:
    """Register a bug that ``rule`` must find; ``first`` is the seed to be tried first."""

    def register(function: Plant) -> Plant:
        PLANTS[function.__name__] = rule, function, first
        return function

    return register


def violations(seed: int) -> Iterator[Violation]:
    """What the checker finds in a crash; a world that stops with an assertion has been caught."""
    w = World(soup_config(seed))
    soup, checker = Soup(w, seed, crash=seed % 3 > 0), StepChecker(w)
    for _ in range(COMMANDS):
        command = soup.next()
        checker.before(command)
        try:
            events = w.apply(command)
        except AssertionError:
            return
        found = checker.observe(command, events)
        if found:
            yield from found
            return


@plant("LED-1")
def fee_to_nobody(patch: Patch) -> None:
    """The payer pays, the venue gets nothing."""
    real = settlement.pay

    def pay(w, inst, account, pnl, fee):
        real(w, inst, account, pnl, fee)
        w.ledger.posted[w.system[inst.venue][0]][inst.quote] -= fee

    patch.setattr(settlement, "pay", pay)


@plant("LED-2")
def unrecorded_loan(patch: Patch) -> None:
    """The venue lends and writes it down nowhere."""
    real = auto_loans.cover_shortfall

    def cover(w, account, asset):
        real(w, account, asset)
        del w.out[-2:]

    patch.setattr(settlement, "cover_shortfall", cover)


@plant("LED-3")
def unaffordable_order(patch: Patch) -> None:
    """A spot order is accepted without money."""

    def afford(w, engine, inst, account, order):
        if order.order_type != LIMIT:
            return 301
        order.reserved = settlement.hold_for(w, inst, account, order, order.leaves)
        asset = inst.base if order.side else inst.quote
        w.ledger.reserved[account.id][asset] += order.reserved
        return 0

    patch.setattr(pretrade, "_afford_spot", afford)


@plant("LED-4")
def skipped_release(patch: Patch) -> None:
    """A cancelled order keeps its hold."""

    def release(w, inst, account, order):
        if w.brackets[inst.id] is not None:
            account.order_margin -= order.reserved
        order.reserved = 0

    patch.setattr(settlement, "release_all", release)


@plant("LED-5", first=42)
def money_from_outside(patch: Patch) -> None:
    """Bad debt is paid by the outside world instead of being recorded at the venue."""

    def record(w, venue, account, amount):
        w.ledger.post(venue.numeraire, 0, venue.takeover, amount)
        w.out.append((10, venue.numeraire, 0, venue.takeover, amount, 15))

    patch.setattr(takeover, "record_bad_debt", record)


@plant("BOOK-1")
def rests_instead_of_matching(patch: Patch) -> None:
    """Crossing orders rest."""

    def submit(self, order, out, bound=0):
        if order.order_type == LIMIT and order.time_in_force == GTC:
            self.book.rest(order)
        else:
            real(self, order, out, bound)

    real = MatchingEngine.submit
    patch.setattr(MatchingEngine, "submit", submit)


@plant("BOOK-2")
def level_total_forgotten(patch: Patch) -> None:
    """A reduced order leaves the total of its level as it was."""

    def reduce(self, order, new_leaves):
        order.leaves = order.shown = new_leaves

    patch.setattr(OrderBook, "reduce", reduce)


@plant("BOOK-3", first=41)
def priority_reversed(patch: Patch) -> None:
    """Last come, first served."""
    real = OrderBook.rest

    def rest(self, order):
        real(self, order)
        queue = order.level.queue
        queue.insert(order.level.head, queue.pop())

    patch.setattr(OrderBook, "rest", rest)


@plant("BOOK-4")
def ioc_rests(patch: Patch) -> None:
    """An IOC order stays in the book."""
    real = MatchingEngine.submit

    def submit(self, order, out, bound=0):
        if order.time_in_force == IOC and order.order_type == LIMIT:
            order.time_in_force = GTC
        real(self, order, out, bound)

    patch.setattr(MatchingEngine, "submit", submit)


@plant("BOOK-5")
def silent_cancel(patch: Patch) -> None:
    """An order is cancelled without an event."""
    real = orders.cancel

    def cancel(w, order, why):
        real(w, order, why)
        w.out.pop()

    patch.setattr(orders, "cancel", cancel)


@plant("POS-1")
def seller_forgotten(patch: Patch) -> None:
    """Every seventh sale changes no position."""
    real = positions.change_position

    def change(w, inst, account, lots, notional, flags):
        return real(w, inst, account, lots if lots > 0 or w.seq % 7 else 0, notional, flags)

    patch.setattr(settlement, "change_position", change)


@plant("POS-2")
def floor_for_ceil(patch: Patch) -> None:
    """Realized profit is rounded up, the entry that stays is not."""
    real = positions.change_position

    def change(w, inst, account, lots, notional, flags):
        pnl = real(w, inst, account, lots, notional, flags)
        return pnl + 1 if pnl else 0

    patch.setattr(settlement, "change_position", change)


@plant("POS-3")
def dust_in_flat_positions(patch: Patch) -> None:
    """Closing moves one unit from the entry to the clearing account and forgets the rest."""
    real = positions.change_position

    def change(w, inst, account, lots, notional, flags):
        pnl = real(w, inst, account, lots, notional, flags)
        position = account.positions.get(inst.id)
        if position is not None and not position.qty:
            position.entry_notional += 1
            return pnl + 1
        return pnl

    patch.setattr(settlement, "change_position", change)


@plant("FUND-1")
def receivers_get_more(patch: Patch) -> None:
    """Whoever receives funding gets one unit that nobody paid."""
    real = funding._flow

    def flow(w, account_id, clearing, asset, amount):
        real(w, account_id, clearing, asset, amount + 1 if amount > 0 else amount)

    patch.setattr(funding, "_flow", flow)


@plant("RISK-1", first=52)
def loss_not_counted(patch: Patch) -> None:
    """The check forgets that a fill away from the mark loses money."""
    patch.setattr(pretrade, "trade_cost", lambda *_: (0, 0))


@plant("RISK-2", first=44)
def reduce_only_not_trimmed(patch: Patch) -> None:
    """Reduce-only orders outlive the position that they close."""
    patch.setattr(settlement, "trim_reduce_only", lambda *_: None)
    patch.setattr(orders, "trim_reduce_only", lambda *_: None)


@plant("RISK-3")
def order_margin_kept(patch: Patch) -> None:
    """A cancelled order gives its margin back twice."""
    real = settlement.release_all

    def release(w, inst, account, order):
        if w.brackets[inst.id] is not None:
            account.order_margin -= order.reserved
        real(w, inst, account, order)

    patch.setattr(settlement, "release_all", release)


@plant("RISK-3")
def margins_kept_after_a_fill(patch: Patch) -> None:
    """A fill changes what is available, the margins that were worked out before it stay."""
    real = margin.loosen

    def loosen(w, inst, account, *terms):
        exact = not account.loose
        real(w, inst, account, *terms)
        if exact and not account.stale:
            equity, initial, _ = margin.requirements(w, account)
            account.available, account.loose = equity - initial, False

    patch.setattr(settlement, "loosen", loosen)


@plant("MIR-1")
def screening_looks_away(patch: Patch) -> None:
    """The screening never names anybody."""
    patch.setattr(watch_list.WatchList, "at_risk", lambda *_: [])


@plant("MIR-1")
def watch_forgets(patch: Patch) -> None:
    """Accounts are believed to be safe whatever prices do."""
    patch.setattr(watch_list, "room_of", lambda seen, *_: seen.equity * 0 + 1e9)


@plant("MIR-1")
def lines_stay_as_they_were(patch: Patch) -> None:
    """What an account does is not seen in the panel, which takes it for what it was."""
    patch.setattr(Panel, "forget", lambda *_: None)


@plant("LIQ-1")
def healthy_account_liquidated(patch: Patch) -> None:
    """Whoever gets a reminder is liquidated."""
    patch.setattr(screening, "liquidatable", lambda *_: True)


@plant("LIQ-1", first=42)
def queue_overtaken(patch: Patch) -> None:
    """Last in queue, first served."""
    real = liquidation.liquidation_tick

    def tick(w, c):
        if 0 <= c[2] < len(w.venues):
            w.venues[c[2]].queue.reverse()
        real(w, c)

    patch.setitem(HANDLERS, 13, tick)


@plant("LIQ-2")
def liquidation_overshoots(patch: Patch) -> None:
    """A liquidation order is larger than the position."""
    real = ladder.next_step

    def twice(*args):
        qty, tif = real(*args)
        return 2 * qty, tif

    patch.setattr(ladder, "next_step", twice)


@plant("LIQ-3")
def ended_but_flagged(patch: Patch) -> None:
    """An account leaves the queue and stays blocked."""
    real = liquidation._end

    def end(w, venue, account, *rest):
        done = real(w, venue, account, *rest)
        account.liquidating = True
        return done

    patch.setattr(liquidation, "_end", end)


@plant("INS-1")
def unrecorded_payout(patch: Patch) -> None:
    """The fund pays without saying so."""
    real = takeover.move_insurance

    def move(w, *rest):
        real(w, *rest)
        w.out.pop()

    patch.setattr(takeover, "move_insurance", move)


@plant("INS-2")
def fund_pays_twice(patch: Patch) -> None:
    """The fund pays more than what was lost."""
    real = takeover._pay_deficit
    patch.setattr(takeover, "_pay_deficit", lambda w, v, a, lost: real(w, v, a, 2 * lost + 100))


@plant("ADL-1")
def adl_before_fund(patch: Patch) -> None:
    """Winners pay although the fund could."""
    patch.setattr(triggers, "capacity", lambda *_: -(10**15))


@plant("ADL-2", first=42)
def adl_from_the_bottom(patch: Patch) -> None:
    """The least profitable goes first."""

    def reversed_queue(candidates, qty, salt=0):
        shares = []
        for candidate in reversed(adl_rules.ranked(candidates, salt)):
            taken = min(candidate.qty, qty)
            qty -= taken
            if taken:
                shares.append((candidate.account, taken))
        return shares

    rules = {**adl_rules.ADL_RULES, "production_queue": reversed_queue}
    patch.setattr(adl_rules, "ADL_RULES", rules)


@plant("ADL-3", first=42)
def winners_pay_beyond_profit(patch: Patch) -> None:
    """Whoever is in profit at the mark is taken at any price."""
    real = adl._candidates

    def candidates(w, venue, bankrupt, instrument, sign, qty, price):
        return real(w, venue, bankrupt, instrument, sign, qty, w.marks[instrument])

    patch.setattr(adl, "_candidates", candidates)


@plant("ADL-4")
def takeover_forgets_assets(patch: Patch) -> None:
    """The bankrupt account keeps what it has and owes."""
    patch.setattr(takeover, "_absorb", lambda *_: None)


@plant("LOG-1")
def seq_jumps(patch: Patch) -> None:
    """A deposit counts twice."""
    real = accounts.deposit

    def deposit(w, c):
        real(w, c)
        w.seq += 1

    patch.setitem(HANDLERS, 21, deposit)


@pytest.mark.parametrize("name", PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """The first broken rules of some crash include the one that the bug breaks."""
    rule, install, first = PLANTS[name]
    install(monkeypatch)

    assert any(rule in {found.id for found in violations(seed)} for seed in (first, *SEEDS))


def test_every_rule_has_a_planted_bug():
    """No rule is trusted that was never seen to fail."""
    planted = {rule for rule, _, _ in PLANTS.values()}
    planted |= {rule for rule, _ in (*LOAN_PLANTS.values(), *MODE_PLANTS.values())}
    planted |= {rule for rule, _ in (*ISSUER_PLANTS.values(), *PROFILE_PLANTS.values())}
    planted |= {rule for rule, _ in CHAIN_PLANTS.values()}
    assert sorted(planted) == sorted(INVARIANTS)


def test_outcomes_of_takeover_are_known():
    """The rule about accounts that were taken over covers both ways to end so."""
    assert {LiquidationOutcome.TAKEN_OVER, LiquidationOutcome.BANKRUPT} <= set(LiquidationOutcome)
