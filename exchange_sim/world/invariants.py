"""The rules that must hold in every state of the world, each with an id and a sentence.

``INVARIANTS`` is the registry: what a rule says, what it costs, and its checkers.  Checkers of kind
``state`` look at a world and may run at any moment; those of kind ``step`` need a command with its
events and live in ``world.steps``.  A violation is a defect of the emulator, never of its user.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import attrs

from exchange_sim.errors import InvariantViolation
from exchange_sim.limits import LIQUIDATION_STEPS_MAX
from exchange_sim.model.account import CASH, Account
from exchange_sim.model.enums import FLAG_REDUCE_ONLY, LIMIT, SELL, STOP_MARKET
from exchange_sim.world.margin import liquidatable, requirements
from exchange_sim.world.settlement import hold_for

if TYPE_CHECKING:
    from exchange_sim.world.world import World

TRANSIT: Final = 1
CHEAP, SAMPLED, FULL = "cheap", "sampled", "full"
LEVELS: Final = (CHEAP, SAMPLED, FULL)
"""Per command: what it touched; the same and now and then everything; always everything."""


@attrs.frozen
class Violation:
    """A broken rule: which, after which command, and what was found instead of what."""

    id: str
    seq: int
    time_ns: int
    expected: str
    actual: str
    accounts: tuple[int, ...] = ()

    def error(self) -> InvariantViolation:
        """The exception that ends a run."""
        who = f" (accounts {', '.join(map(str, self.accounts))})" if self.accounts else ""
        message = f"expected {self.expected}, found {self.actual}{who}"
        return InvariantViolation(message, self.id, self.seq)


@attrs.define
class Invariant:
    """A rule with its checkers by kind."""

    id: str
    sentence: str
    cost: str
    checks: list[tuple[str, Callable[..., Iterator[Violation]]]] = attrs.field(factory=list)


INVARIANTS: Final[dict[str, Invariant]] = {}
"""All rules by id, in the order of declaration."""
STATE, STEP = "state", "step"


def invariant(id: str, sentence: str, cost: str, kind: str = STATE) -> Callable[[Any], Any]:
    """Declare a checker of a rule; several checkers may share a rule and its sentence."""

    def register(check: Any) -> Any:
        rule = INVARIANTS.setdefault(id, Invariant(id, sentence, cost))
        if rule.sentence != sentence:
            raise ValueError(f"{id} is declared with two sentences")
        rule.checks.append((kind, check))
        return check

    return register


def broken(w: World, id: str, expected: object, actual: object, *accounts: int) -> Violation:
    """A violation of rule ``id`` in the present state of ``w``."""
    return Violation(id, w.seq, w.time_ns, str(expected), str(actual), accounts)


def check_world(w: World, level: str = FULL) -> list[Violation]:
    """Every violation of the state rules.

    ``cheap`` leaves out what recomputes margins and books: O(accounts + open orders) instead of
    O(accounts * (assets + positions)).  Changes nothing.
    """
    found: list[Violation] = []
    for rule in INVARIANTS.values():
        for kind, check in rule.checks:
            if kind == STATE and (level != CHEAP or check not in EXPENSIVE):
                found.extend(check(w))
    return found


@invariant("LED-1", "Every asset's postings sum to zero over all accounts.", "O(accounts * assets)")
def conservation(w: World) -> Iterator[Violation]:
    """Money is moved, never made."""
    for asset in range(w.ledger.asset_count):
        total = w.ledger.total(asset)
        if total:
            yield broken(w, "LED-1", f"asset {asset} sums to 0", total)


@invariant("LED-3", "No balance is negative: 0 <= reserved <= posted.", "O(accounts * assets)")
def solvency(w: World) -> Iterator[Violation]:
    """Accounts that may overdraw are the outside, pools, clearing and bad debt."""
    for account in range(len(w.accounts)):
        yield from solvency_of(w, account)


def solvency_of(w: World, account: int) -> Iterator[Violation]:
    """LED-3 for one account."""
    if w.ledger.may_overdraw[account]:
        return
    rows = zip(w.ledger.posted[account], w.ledger.reserved[account], strict=True)
    for asset, (posted, reserved) in enumerate(rows):
        if not 0 <= reserved <= posted:
            found = f"reserved {reserved} of {posted} of asset {asset}"
            yield broken(w, "LED-3", "0 <= reserved <= posted", found, account)


@invariant(
    "LED-4", "What is reserved is what the open orders need, order by order.", "O(open orders)"
)
def reservations(w: World) -> Iterator[Violation]:
    """Ledger holds are those of resting spot orders."""
    for account in w.accounts:
        yield from reservations_of(w, account)


def reservations_of(w: World, account: Account) -> Iterator[Violation]:
    """LED-4 for one account."""
    held = [0] * w.ledger.asset_count
    for order in account.orders.values():
        inst = w.instruments[order.instrument]
        need = 0
        if order.order_type == LIMIT and order.level is not None:
            need = hold_for(w, inst, account, order, order.leaves)
        if order.reserved != need:
            found = f"order {order.order_id} holds {order.reserved}"
            yield broken(w, "LED-4", need, found, account.id)
        if not inst.perpetual:
            held[inst.base if order.side == SELL else inst.quote] += order.reserved
    if held != w.ledger.reserved[account.id]:
        yield broken(w, "LED-4", held, w.ledger.reserved[account.id], account.id)


@invariant("BOOK-1", "The best bid is below the best ask outside of auctions.", "O(books)")
def uncrossed(w: World) -> Iterator[Violation]:
    """A halt during an auction keeps what the auction collected."""
    for instrument, engine in enumerate(w.engines):
        bid, ask = engine.book.best_bid, engine.book.best_ask
        if bid and ask and bid >= ask and not engine.auction:
            yield broken(w, "BOOK-1", "bid < ask", f"{bid} >= {ask} in {instrument}")


@invariant("BOOK-2", "No empty level; level totals are the sums of their orders.", "O(open orders)")
def levels(w: World) -> Iterator[Violation]:
    """The book's own check, and that accounts and books know the same orders."""
    resting = armed = 0
    for engine in w.engines:
        try:
            engine.book.check(crossed=True)
        except InvariantViolation as error:
            yield broken(w, "BOOK-2", "a consistent book", error.message)
        resting, armed = resting + len(engine.book.orders), armed + len(engine.stops.orders)
        for order in [*engine.book.orders.values(), *engine.stops.orders.values()]:
            if w.accounts[order.account].orders.get(order.client_order_id) is not order:
                yield broken(w, "BOOK-2", "an open order", f"{order.order_id}", order.account)
    known = sum(len(account.orders) for account in w.accounts)
    if known != resting + armed:
        yield broken(w, "BOOK-2", f"{resting} resting and {armed} armed orders", known)


@invariant("POS-1", "Signed lots sum to zero per instrument; longs are the open interest.", "O(p)")
def positions_cancel(w: World) -> Iterator[Violation]:
    """Every long has its short."""
    for instrument, holders in enumerate(w.holders):
        held = [w.accounts[a].positions[instrument] for a in holders]
        lots = [position.qty for position in held]
        longs = sum(max(0, part.qty) for position in held for part in position.parts)
        if sum(lots) or longs != w.open_interest[instrument]:
            found = f"sum {sum(lots)}, longs {longs} in {instrument}"
            yield broken(w, "POS-1", f"sum 0, longs {w.open_interest[instrument]}", found)
    known = sum(len(holders) for holders in w.holders)
    kept = sum(len(account.positions) for account in w.accounts)
    if known != kept:
        yield broken(w, "POS-1", f"{kept} positions", f"{known} holders")


@invariant(
    "POS-2", "Entry notionals and the clearing account sum to zero per instrument.", "O(positions)"
)
def entries_cancel(w: World) -> Iterator[Violation]:
    """So that unrealized profit and loss cancel at any mark."""
    for instrument, holders in enumerate(w.holders):
        if w.brackets[instrument] is None:
            continue
        entries = sum(w.accounts[a].positions[instrument].entry_notional for a in holders)
        cleared = w.ledger.posted[w.clearing[instrument]][w.instruments[instrument].settle]
        if entries + cleared:
            found = f"{entries} + {cleared} in {instrument}"
            yield broken(w, "POS-2", "entries + clearing = 0", found)


@invariant("POS-3", "A flat position has no entry notional.", "O(positions)")
def flat_is_flat(w: World) -> Iterator[Violation]:
    """With POS-2: when everybody is flat, the clearing account is empty."""
    for instrument, holders in enumerate(w.holders):
        for account in holders:
            for position in w.accounts[account].positions[instrument].parts:
                if not position.qty and position.entry_notional:
                    yield broken(w, "POS-3", 0, position.entry_notional, account)


@invariant(
    "RISK-3", "Margin that is kept up to date equals margin computed from scratch.", "O(accounts)"
)
def incremental(w: World) -> Iterator[Violation]:
    """Order margin, order counters, and the cached available margin or its lower bound."""
    for account in w.accounts:
        if account.owner >= 0:
            yield from incremental_of(w, account)


def incremental_of(w: World, account: Account) -> Iterator[Violation]:
    """RISK-3 for one account."""
    open_orders = account.orders.values()
    margin = sum(o.reserved for o in open_orders if w.brackets[o.instrument] is not None)
    counted = (
        margin,
        sum(1 for order in open_orders if order.flags & FLAG_REDUCE_ONLY),
        sum(1 for order in open_orders if order.order_type >= STOP_MARKET),
    )
    kept = account.order_margin, account.reduce_only_orders, account.trigger_orders
    if counted != kept:
        yield broken(w, "RISK-3", counted, kept, account.id)
    if account.open_counts is not None:
        by_instrument: dict[int, list[int]] = {}
        for order in open_orders:
            found = by_instrument.setdefault(order.instrument, [0, 0])
            found[0] += 1
            found[1] += order.order_type >= STOP_MARKET
        counts = {k: found for k, found in account.open_counts.items() if found != [0, 0]}
        if counts != by_instrument:
            yield broken(w, "RISK-3", by_instrument, counts, account.id)
    fresh = account.band_epoch == w.venues[account.venue].mark_epoch and not account.stale
    if account.mode != CASH and fresh:
        exact = requirements(w, account)
        available, cached = exact[0] - exact[1], account.available
        if cached > available or (cached != available and not account.loose):
            yield broken(w, "RISK-3", f"available {available}", cached, account.id)
        elif not account.loose and account.requirements != exact:
            yield broken(w, "RISK-3", f"margins {exact}", account.requirements, account.id)


@invariant(
    "LIQ-3", "The queue holds each account under liquidation once, within its steps.", "O(accounts)"
)
def queue_is_sound(w: World) -> Iterator[Violation]:
    """With bounded steps per slot, the queue of a venue at rest empties."""
    for venue in w.venues:
        flagged = sorted(
            a.id for a in w.accounts if a.liquidating and a.venue == venue.id and a.owner >= 0
        )
        if sorted(venue.queue) != flagged:
            yield broken(w, "LIQ-3", f"queue {flagged}", sorted(venue.queue))
        for account, steps in venue.steps.items():
            if steps > LIQUIDATION_STEPS_MAX or not w.accounts[account].liquidating:
                yield broken(w, "LIQ-3", "at most the bound", f"{steps} steps", account)


@invariant("MIR-1", "The vector screening misses no account at risk.", "O(accounts)")
def mirror_is_complete(w: World) -> Iterator[Violation]:
    """Checked against the accounts as they were copied: those that changed since are left out.

    Neither the pass over all rows nor the list of accounts that are due may leave one out, and
    right after a mark update nobody may wait.
    """
    for venue in w.venues:
        marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
        named = frozenset(venue.mirror.at_risk(venue.asset_prices, w.price_scales, marks))
        for account in w.accounts:
            if account.venue != venue.id or account.mode == CASH or account.owner < 0:
                continue
            if account.id in w.dirty or account.liquidating:
                continue
            waits = account.id in named and venue.watch.is_due(account.id)
            if waits and w.seq != venue.screened_seq:
                continue
            equity, _, maintenance = requirements(w, account)
            if liquidatable(w, account, equity, maintenance):
                yield broken(w, "MIR-1", "named by the screening", "missed", account.id)


@invariant(
    "LOAN-1",
    "Pledged collateral lies in the vault, and what is lent or lost is missing from the fund.",
    "O(loans)",
)
def lenders_add_up(w: World) -> Iterator[Violation]:
    """Per product, to the unit."""
    for lender in w.lenders:
        pledged, lent = [0] * w.ledger.asset_count, 0
        for loan in w.loans.values():
            if loan.product == lender.spec.id:
                pledged[loan.asset] += loan.collateral
                lent += loan.principal
        if pledged != w.ledger.posted[lender.vault]:
            yield broken(w, "LOAN-1", pledged, w.ledger.posted[lender.vault], lender.vault)
        have = w.ledger.posted[lender.fund][w.venues[lender.spec.venue].numeraire]
        if lent != lender.lent or have != lender.funded - lent - lender.lost:
            want = f"{lender.funded} - {lent} - {lender.lost}"
            yield broken(w, "LOAN-1", want, have, lender.fund)


@invariant("TRF-1", "What is under way lies in the transit account, to the unit.", "O(transfers)")
def transit_adds_up(w: World) -> Iterator[Violation]:
    """Venues and chain together."""
    under_way = [0] * w.ledger.asset_count
    for _, asset, amount in w.transfers.values():
        under_way[asset] += amount
    if under_way != w.ledger.posted[TRANSIT]:
        yield broken(w, "TRF-1", under_way, w.ledger.posted[TRANSIT], TRANSIT)


@invariant(
    "ISS-1",
    "Dollars minted and not redeemed are what the mint account lacks; blocks keep their limits.",
    "O(issuers)",
)
def issuers_add_up(w: World) -> Iterator[Violation]:
    """Per issuer, to the unit."""
    for issuer in w.issuers:
        spec, have = issuer.spec, list(w.ledger.posted[issuer.mint])
        want = [0] * w.ledger.asset_count
        want[spec.asset] = issuer.redeemed - issuer.minted
        if want != have:
            yield broken(w, "ISS-1", want, have, issuer.mint)
        for used, limit in (
            (issuer.used_mint, spec.mint_limit), (issuer.used_redeem, spec.redeem_limit),
        ):  # fmt: skip
            if limit and used > limit:
                yield broken(w, "ISS-1", f"at most {limit} in a block", used, issuer.wallet)


@invariant(
    "ISS-2", "A wrapper's vault holds what came in less what was paid, and covers what is owed.",
    "O(wrappers + redemptions)",
)  # fmt: skip
def vaults_add_up(w: World) -> Iterator[Violation]:
    """Per wrapper, to the unit."""
    for asset, wrapper in w.wrappers.items():
        have = w.ledger.posted[wrapper.vault][wrapper.underlying]
        owed = sum(units for _, of, units in w.unwraps.values() if of == asset)
        if have != wrapper.taken - wrapper.paid or not wrapper.owed == owed <= have:
            want = f"{wrapper.taken} - {wrapper.paid} >= {owed}"
            yield broken(w, "ISS-2", want, (have, wrapper.owed), wrapper.vault)


EXPENSIVE: Final = (levels, incremental, mirror_is_complete, reservations)
"""State checkers that the cheap level leaves to the touched accounts."""
