"""Staking wrappers: an underlying in a vault, units of it as tokens, a rate that grows.

    units = underlying * 1e9 / rate      rounded down
    underlying = units * rate / 1e9      rounded down

Wrapping is immediate, redeeming takes the protocol's delay: the units are gone at once, the
underlying is owed until ``FinishUnwrap``.  While a venue has suspended transfers it takes no
redemption either.  The rate is also what ``redemption value`` means for collateral.

Simplifications
---------------
Rewards come from outside at a constant rate and are added when the venue's clock says so.  There is
no slashing, and a redemption's delay does not depend on how many others wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.issuer.conversion import unwrapped, wrapped
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.model.account import Account
from exchange_sim.units import NANOS_PER_HOUR
from exchange_sim.world.accounts import may_leave, move, refuse, touch, user_account
from exchange_sim.world.vaults import EXTERNAL, PPB, Wrapper, supply

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason


def _wrapper(w: World, c: Command, account: Account) -> Wrapper | None:
    """The wrapper that a command names, at a venue that offers it, or a refusal."""
    found = w.wrappers.get(c[3])
    if found is None or account.venue not in found.spec.venues:
        refuse(w, c, R.NOT_WRAPPABLE)
        return None
    return found


def wrap(w: World, c: Command) -> None:
    """Underlying in, units out, at once."""
    account = user_account(w, c, c[2])
    wrapper = _wrapper(w, c, account) if account is not None else None
    if account is None or wrapper is None:
        return None
    amount, asset = c[4], wrapper.spec.asset
    units = wrapped(amount, wrapper.rate_ppb)
    if amount <= 0 or units <= 0:
        return refuse(w, c, R.BAD_AMOUNT)
    reason = may_leave(w, account, wrapper.underlying, amount)
    if reason:
        return refuse(w, c, reason)
    move(w, wrapper.underlying, account.id, wrapper.vault, amount, PostingKind.WRAP)
    move(w, asset, wrapper.mint, account.id, units, PostingKind.WRAP)
    wrapper.taken += amount
    w.out.append((75, account.id, asset, amount, units, wrapper.rate_ppb))
    touch(w, account)
    return None


def unwrap(w: World, c: Command) -> None:
    """Units out at once, underlying later."""
    account = user_account(w, c, c[2])
    wrapper = _wrapper(w, c, account) if account is not None else None
    if account is None or wrapper is None:
        return None
    amount, asset = c[4], wrapper.spec.asset
    underlying = unwrapped(amount, wrapper.rate_ppb)
    if amount <= 0 or underlying <= 0:
        return refuse(w, c, R.BAD_AMOUNT)
    if not w.venues[account.venue].transfers_enabled:
        return refuse(w, c, R.TRANSFER_SUSPENDED)
    if w.ledger.posted[wrapper.vault][wrapper.underlying] - wrapper.owed < underlying:
        return refuse(w, c, R.BUFFER_EMPTY)
    reason = may_leave(w, account, asset, amount)
    if reason:
        return refuse(w, c, reason)
    move(w, asset, account.id, wrapper.mint, amount, PostingKind.UNWRAP)
    wrapper.owed += underlying
    request = w.next_unwrap
    w.next_unwrap += 1
    w.unwraps[request] = account.id, asset, underlying
    w.out.append((76, request, account.id, asset, amount, underlying, wrapper.rate_ppb))
    touch(w, account)
    return None


def finish_unwrap(w: World, c: Command) -> None:
    """Pay a redemption out of the vault."""
    entry = w.unwraps.pop(c[2], None)
    if entry is None:
        return refuse(w, (c[0], c[1], -1), R.UNKNOWN_UNWRAP)
    account_id, asset, underlying = entry
    wrapper = w.wrappers[asset]
    wrapper.owed -= underlying
    wrapper.paid += underlying
    move(w, wrapper.underlying, wrapper.vault, account_id, underlying, PostingKind.UNWRAP)
    w.out.append((77, c[2], account_id, asset, underlying))
    touch(w, w.accounts[account_id])
    return None


def fund_vault(w: World, c: Command) -> None:
    """At the start: what backs the units that came in as deposits, rounded up."""
    wrapper = w.wrappers.get(c[2])
    if wrapper is None:
        return refuse(w, (c[0], c[1], -1), R.NOT_WRAPPABLE)
    missing = -(-supply(w, wrapper) * wrapper.rate_ppb // PPB) + wrapper.owed
    missing -= w.ledger.posted[wrapper.vault][wrapper.underlying]
    if missing > 0:
        move(w, wrapper.underlying, EXTERNAL, wrapper.vault, missing, PostingKind.DEPOSIT)
        wrapper.taken += missing
    return None


def accrue(w: World, c: Command) -> None:
    """Rewards since the last time, into vault and rate; the rate is rounded down."""
    wrapper = w.wrappers.get(c[2])
    if wrapper is None:
        return refuse(w, (c[0], c[1], -1), R.NOT_WRAPPABLE)
    elapsed = w.time_ns - wrapper.accrued_ns
    wrapper.accrued_ns = w.time_ns
    grown = wrapper.rate_ppb * wrapper.spec.reward_ppb_per_hour * elapsed // (PPB * NANOS_PER_HOUR)
    reward = -(-supply(w, wrapper) * grown // PPB)
    if reward > 0:
        wrapper.rate_ppb += grown
        wrapper.taken += reward
        move(w, wrapper.underlying, EXTERNAL, wrapper.vault, reward, PostingKind.DEPOSIT)
        w.out.append((78, wrapper.spec.asset, wrapper.rate_ppb, reward))
    return None
