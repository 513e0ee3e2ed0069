"""Rules about isolated wallets and the two positions of hedge mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import PostingKind
from exchange_sim.world.invariants import STEP, Violation, broken, invariant

if TYPE_CHECKING:
    from exchange_sim.world.steps import Step
    from exchange_sim.world.world import World

ISOLATED_MARGIN = int(PostingKind.ISOLATED_MARGIN)


@invariant(
    "ISO-1",
    "An isolated wallet has one position, belongs to one account, and is empty when it margins"
    " nothing.",
    "O(wallets)",
)
def wallets_are_sound(w: World) -> Iterator[Violation]:
    """What a wallet does not need has gone back to its parent when the command is over."""
    for wallet_id, wallet in w.wallets.items():
        account, parent = w.accounts[wallet_id], w.accounts[wallet.parent]
        key = wallet.instrument, wallet.position_side
        known = parent.modes.wallets.get(key) if parent.modes else None
        if account.parent != parent.id or known != wallet_id:
            yield broken(w, "ISO-1", f"the wallet of {parent.id} for {key}", known, wallet_id)
        others = [i for i, p in account.positions.items() if p.qty and i != wallet.instrument]
        others += [o.instrument for o in account.orders.values() if o.instrument != key[0]]
        if others:
            yield broken(w, "ISO-1", f"instrument {key[0]} alone", others, wallet_id)
        held = account.positions.get(wallet.instrument)
        idle = not (account.orders or account.loans or account.liquidating)
        idle = idle and not (held and held.qty)
        if wallet_id not in w.unsettled and idle and any(w.ledger.posted[wallet_id]):
            yield broken(w, "ISO-1", "nothing", w.ledger.posted[wallet_id], wallet_id)


@invariant(
    "ISO-2",
    "Margin moves only between an account and its own wallets; nothing else leaves a parent for"
    " them.",
    "O(events)",
    STEP,
)
def wallets_stand_alone(step: Step) -> Iterator[Violation]:
    """So the loss of an isolated position ends with its wallet."""
    w = step.world
    for _, _, source, target, amount, kind in (e for e in step.events if e[0] == 10):
        ends = w.wallets.get(source), w.wallets.get(target)
        if kind == ISOLATED_MARGIN:
            pair = (ends[0] is not None and ends[0].parent == target) or (
                ends[1] is not None and ends[1].parent == source
            )
            if not pair:
                yield broken(w, "ISO-2", "a parent and its wallet", (source, target), source)
        elif ends[1] is not None and w.accounts[source].owner >= 0:
            yield broken(w, "ISO-2", f"kind {ISOLATED_MARGIN}", (kind, amount), source, target)


@invariant(
    "HEDGE-1",
    "A hedged position is the sum of a long and a short leg, and only hedge mode has legs.",
    "O(positions)",
)
def legs_add_up(w: World) -> Iterator[Violation]:
    """The rest of the world sees the sum; it must be one."""
    for account in w.accounts:
        hedged = account.modes is not None and account.modes.hedge
        for instrument, position in account.positions.items():
            if (position.legs is not None) != hedged:
                yield broken(w, "HEDGE-1", f"hedge mode {hedged}", position.legs, account.id)
            if position.legs is None:
                continue
            long, short = position.legs
            entries = long.entry_notional + short.entry_notional
            added = long.qty + short.qty, entries
            summed = position.qty, position.entry_notional
            if long.qty < 0 or short.qty > 0 or added != summed:
                found = f"{long.qty} and {short.qty} in {instrument} make {summed}"
                yield broken(w, "HEDGE-1", added, found, account.id)
