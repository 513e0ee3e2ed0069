"""Accounts: opening, deposits and withdrawals, margin loans, leverage, initial positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.limits import INT64_MAX, PRICE_TICKS_MAX, QTY_LOTS_MAX
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.model.account import (
    CASH,
    CROSS,
    ISOLATED,
    PORTFOLIO,
    SPOT_MARGIN,
    Account,
    AccountMode,
    AccountModes,
)
from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT, PositionSide
from exchange_sim.units import PPM
from exchange_sim.world import isolated
from exchange_sim.world.adl import post_pnl
from exchange_sim.world.auto_loans import repay_loan
from exchange_sim.world.costs import in_numeraire
from exchange_sim.world.margin import (
    affordable,
    asset_value,
    collateral_change,
    debt_margin,
    exposed,
    position_value,
)
from exchange_sim.world.positions import change_position
from exchange_sim.world.settlement import trim_reduce_only

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason
EXTERNAL = 0
NOTIONAL_MAX = INT64_MAX // 4
"""Bounds the positions and the cash that are there from the start, so that sums stay in 64 bits."""
ACCOUNT_MODES = range(len(AccountMode))
LONG, SHORT = int(PositionSide.LONG), int(PositionSide.SHORT)
LOAN_ROUNDING = 2
"""Units by which rounding may make a loan dearer than computed from its amount alone."""


def refuse(w: World, c: Command, reason: int) -> None:
    """Refuse a command that is not about an order."""
    w.out.append((15, c[2], c[0], int(reason)))


def move(w: World, asset: int, source: int, target: int, amount: int, kind: int) -> None:
    """Post an amount from one account to another and say so with its ``PostingKind``."""
    w.ledger.post(asset, source, target, amount)
    w.out.append((10, asset, source, target, amount, int(kind)))


def user_account(w: World, c: Command, account_id: int) -> Account | None:
    """The account of a participant, or a refusal."""
    if 0 <= account_id < len(w.accounts):
        account = w.accounts[account_id]
        if account.owner >= 0 and account.parent < 0:
            return account
    refuse(w, c, R.UNKNOWN_ACCOUNT)
    return None


def _amount_ok(w: World, c: Command, asset: int, amount: int) -> bool:
    if 0 <= asset < len(w.config.assets) and amount > 0:
        return True
    refuse(w, c, R.BAD_AMOUNT)
    return False


def open_account(w: World, c: Command) -> None:
    """Create the next account of a venue."""
    _, _, venue, owner, mode, fee_tier = c
    if not (0 <= venue < len(w.venues) and owner >= 0 and mode in ACCOUNT_MODES):
        return refuse(w, (c[0], c[1], -1), R.MALFORMED)
    if not 0 <= fee_tier < len(w.config.venues[venue].fee_tiers):
        return refuse(w, (c[0], c[1], -1), R.MALFORMED)
    if w.chain is not None and venue == w.chain.venue and mode != CASH:
        return refuse(w, (c[0], c[1], -1), R.MALFORMED)
    kept = CASH if mode == ISOLATED else CROSS if mode in SPOT_MARGIN else mode
    account = w.add_account(venue, owner, kept, fee_tier)
    if kept != mode:
        modes = w.accounts[account].modes = AccountModes(isolated=mode == ISOLATED)
        modes.margin = SPOT_MARGIN.get(mode)
    if mode == PORTFOLIO:
        w.venues[venue].has_portfolio = True
    w.out.append((12, account, venue, owner, mode, fee_tier))
    return None


def touch(w: World, account: Account) -> None:
    """Tell the margin engine that an account's holdings changed."""
    if account.mode != CASH:
        account.stale = True
        w.dirty[account.id] = True


def deposit(w: World, c: Command) -> None:
    """Bring an asset in from outside."""
    _, _, account_id, asset, amount = c
    account = user_account(w, c, account_id)
    if account is None or not _amount_ok(w, c, asset, amount):
        return None
    total = amount - w.ledger.posted[EXTERNAL][asset]
    if max(total, asset_value(w, account.venue, asset, total)) > NOTIONAL_MAX:
        return refuse(w, c, R.BAD_AMOUNT)
    move(w, asset, EXTERNAL, account_id, amount, PostingKind.DEPOSIT)
    touch(w, account)
    return None


def withdraw(w: World, c: Command) -> None:
    """Take an asset out, if it is free and not needed as margin."""
    _, _, account_id, asset, amount = c
    account = user_account(w, c, account_id)
    if account is None or not _amount_ok(w, c, asset, amount):
        return None
    reason = may_leave(w, account, asset, amount)
    if reason:
        return refuse(w, c, reason)
    move(w, asset, account_id, EXTERNAL, amount, PostingKind.WITHDRAWAL)
    touch(w, account)
    return None


def may_leave(w: World, account: Account, asset: int, amount: int) -> int:
    """Reason why an amount may not leave an account, or 0."""
    if account.liquidating:
        return R.ACCOUNT_IN_LIQUIDATION
    if w.ledger.free(account.id, asset) < amount:
        return R.INSUFFICIENT_BALANCE
    if account.mode != CASH and exposed(account):
        need = -collateral_change(w, account, asset, -amount)
        if need > 0 and not affordable(w, account, need):
            return R.INSUFFICIENT_MARGIN
    return 0


def borrow(w: World, c: Command) -> None:
    """Lend from the venue's margin pool against the account's free margin.

    Cash and debt cancel out in the equity; what is done with the cash is checked when it is done.
    Only what the liquidation engine could buy back is lent.
    """
    _, _, account_id, asset, amount = c
    account = user_account(w, c, account_id)
    if account is None or not _amount_ok(w, c, asset, amount):
        return None
    venue = w.venues[account.venue]
    margin = account.modes.margin if account.modes else None
    if account.mode != PORTFOLIO and margin is None:
        return refuse(w, c, R.BORROW_LIMIT)
    if account.liquidating:
        return refuse(w, c, R.ACCOUNT_IN_LIQUIDATION)
    if asset != venue.numeraire and asset not in venue.spot_of:
        return refuse(w, c, R.NOT_COLLATERAL)
    limit = venue.spec.max_loans.get(asset)
    if limit is not None and account.loans.get(asset, 0) + amount > limit:
        return refuse(w, c, R.BORROW_LIMIT)
    if venue.lent[asset] + amount > venue.spec.margin_pool.get(asset, 0):
        return refuse(w, c, R.POOL_EMPTY)
    value = -asset_value(w, venue.id, asset, -amount)
    owed = -asset_value(w, venue.id, asset, -account.loans.get(asset, 0))
    need = debt_margin(venue, margin, asset, owed, value) + LOAN_ROUNDING
    if not affordable(w, account, need):
        return refuse(w, c, R.INSUFFICIENT_MARGIN)
    w.ledger.post(asset, venue.pool, account_id, amount)
    account.loans[asset] = account.loans.get(asset, 0) + amount
    venue.lent[asset] += amount
    kind = int(PostingKind.BORROW)
    w.out.append((10, asset, venue.pool, account_id, amount, kind))
    w.out.append((11, account_id, asset, account.loans[asset], amount, kind))
    touch(w, account)
    return None


def repay(w: World, c: Command) -> None:
    """Repay a loan from the free balance, at most what is owed."""
    _, _, account_id, asset, amount = c
    account = user_account(w, c, account_id)
    if account is None or not _amount_ok(w, c, asset, amount):
        return None
    owed = account.loans.get(asset, 0)
    if not owed:
        return refuse(w, c, R.NOTHING_TO_REPAY)
    amount = min(amount, owed)
    if w.ledger.free(account_id, asset) < amount:
        return refuse(w, c, R.INSUFFICIENT_BALANCE)
    repay_loan(w, account, asset, amount)
    return None


def open_position(w: World, c: Command) -> None:
    """Give two accounts opposite positions, as if they had traded at ``price`` before the start."""
    _, _, long_id, short_id, instrument, price, qty = c
    buyer, seller = user_account(w, c, long_id), user_account(w, c, short_id)
    if buyer is None or seller is None:
        return None
    if not 0 <= instrument < len(w.instruments) or w.brackets[instrument] is None:
        return refuse(w, c, R.UNKNOWN_INSTRUMENT)
    inst = w.instruments[instrument]
    sane = 0 < price <= PRICE_TICKS_MAX and 0 < qty <= QTY_LOTS_MAX
    if not sane or buyer is seller or qty * inst.lot_worth(price) > NOTIONAL_MAX:
        return refuse(w, c, R.MALFORMED)
    if buyer.venue != inst.venue or seller.venue != inst.venue:
        return refuse(w, c, R.WRONG_VENUE)
    notional = inst.entry_at(qty, price * PPM)
    buyer = _margined(w, buyer, instrument, notional, LONG)
    seller = _margined(w, seller, instrument, notional, SHORT)
    if buyer is None or seller is None:
        return refuse(w, c, R.INSUFFICIENT_MARGIN)
    w.out.append((16, buyer.id, seller.id, instrument, price, qty))
    for account, change in ((buyer, qty), (seller, -qty)):
        flags = FLAG_LONG if change > 0 else FLAG_SHORT
        pnl = change_position(w, inst, account, change, notional, flags)
        if pnl:
            post_pnl(w, account, instrument, pnl, PostingKind.GENESIS)
        touch(w, account)
        if account.reduce_only_orders:
            trim_reduce_only(w, account, instrument)
    return None


def _margined(
    w: World, account: Account, instrument: int, notional: int, position_side: int
) -> Account | None:
    """The account that holds a position of the opening state, its wallet funded; None: none may."""
    if account.modes is not None and account.modes.margin is not None:
        return None
    if account.modes is not None and account.modes.isolates(instrument):
        if w.instruments[instrument].inverse:
            return None
        side = position_side if account.modes.hedge else 0
        wallet = isolated.wallet_for(w, account, instrument, side)
        position = wallet.positions.get(instrument)
        leverage = (position.leverage if position else 0) or w.leverages[instrument]
        margin, asset = -(-abs(notional) // leverage), w.instruments[instrument].settle
        if not isolated.spendable(w, account, asset, margin):
            return None
        isolated.move(w, account, wallet, asset, margin)
        w.unsettled[wallet.id] = None
        return wallet
    return None if account.mode == CASH else account


def set_leverage(w: World, c: Command) -> None:
    """Choose the leverage of an account in a perpetual; refused while orders are open in it.

    Less leverage needs more initial margin for what is held, which must be there.
    """
    _, _, account_id, instrument, leverage = c
    account = user_account(w, c, account_id)
    if account is None:
        return None
    if not 0 <= instrument < len(w.instruments) or (table := w.brackets[instrument]) is None:
        return refuse(w, c, R.UNKNOWN_INSTRUMENT)
    if w.instruments[instrument].venue != account.venue:
        return refuse(w, c, R.WRONG_VENUE)
    if not 1 <= leverage <= table.leverage[0]:
        return refuse(w, c, R.LEVERAGE_LIMIT)
    parts = [account]
    parts += [
        x for x in isolated.wallets_of(w, account) if w.wallets[x.id].instrument == instrument
    ]
    if any(order.instrument == instrument for x in parts for order in x.orders.values()):
        return refuse(w, c, R.INVALID_COMBINATION)
    for part in parts:
        position = part.positions.get(instrument)
        if position is not None and position.held:
            before, need = position.leverage or w.leverages[instrument], 0
            for leg in position.parts:
                value = abs(position_value(w, instrument, leg))
                need += table.initial(value, leverage) - table.initial(value, before)
            need = in_numeraire(w, w.instruments[instrument], need)
            if need > 0 and not affordable(w, part, need):
                return refuse(w, c, R.INSUFFICIENT_MARGIN)
    for part in parts:
        isolated.choose_leverage(w, part, instrument, leverage)
        touch(w, part)
    return None
