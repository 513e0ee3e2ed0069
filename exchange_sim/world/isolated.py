"""Isolated margin: a position with a wallet of its own, and nothing else behind it.

The wallet is a ledger account that belongs to a parent account.  To the rest of the world it is a
cross-margin account with one position: it is screened, liquidated, taken over and deleveraged like
any other, and its losses end with what it holds.

What an order may cost moves from the parent into the wallet when the order is accepted.  After the
command, ``sweep`` gives back what neither the position nor an open order needs::

    margin of the position = notional of its entry / leverage, in proportion when it shrinks,
                             plus what the owner added by hand
    need of an open order  = notional / leverage + fee + loss of a fill against the mark

What is given back never takes the wallet below its initial margin at the mark.

Sources: https://www.binance.com/en/support/faq/360038447311 (margin modes),
https://www.binance.com/en/support/faq/87fa7ab33b574f7084d8bd2ce2d1462b (cost of an order).

Simplifications
---------------
Realized profit of a position that only shrinks goes back to the parent with the margin set free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.model.account import CASH, CROSS, PORTFOLIO, Account, AccountModes
from exchange_sim.model.enums import FLAG_REDUCE_ONLY, SELL
from exchange_sim.units import PPM
from exchange_sim.world import pretrade
from exchange_sim.world.margin import MarginState, available_margin, margin_state
from exchange_sim.world.positions import new_position

if TYPE_CHECKING:
    from exchange_sim.matching.engine import MatchingEngine
    from exchange_sim.model.instrument import Instrument
    from exchange_sim.model.order import Order
    from exchange_sim.world.world import World

R = RejectReason
ISOLATED_MARGIN: Final = int(PostingKind.ISOLATED_MARGIN)


class Wallet:
    """What is known about the wallet of one position beyond its account.

    ``assigned`` is the margin of the position in units; ``qty`` and ``entry`` are those of the
    position when it was last swept.
    """

    __slots__ = ("assigned", "entry", "instrument", "parent", "position_side", "qty")

    def __init__(self, parent: int, instrument: int, position_side: int) -> None:
        self.parent = parent
        self.instrument = instrument
        self.position_side = position_side
        self.assigned = self.qty = self.entry = 0


def wallets_of(w: World, account: Account) -> list[Account]:
    """The isolated wallets of an account, in the order in which they were opened."""
    if account.modes is None:
        return []
    return [w.accounts[wallet] for wallet in account.modes.wallets.values()]


def wallet_for(w: World, parent: Account, instrument: int, position_side: int) -> Account:
    """The wallet of one position, opened when it is needed first."""
    modes = parent.modes
    assert modes is not None
    key = instrument, position_side
    known = modes.wallets.get(key)
    if known is not None:
        return w.accounts[known]
    opened = w.add_account(parent.venue, parent.owner, CROSS, parent.fee_tier)
    modes.wallets[key] = opened
    account = w.accounts[opened]
    account.parent = parent.id
    w.wallets[opened] = Wallet(parent.id, instrument, position_side)
    chosen = parent.positions.get(instrument)
    if chosen is not None and chosen.leverage:
        choose_leverage(w, account, instrument, chosen.leverage)
    w.out.append((12, opened, parent.venue, parent.owner, CROSS, parent.fee_tier))
    w.out.append((60, opened, parent.id, instrument, position_side))
    return account


def choose_leverage(w: World, account: Account, instrument: int, leverage: int) -> None:
    """Keep the leverage that an account chose, as a position that may be flat."""
    position = account.positions.get(instrument)
    if position is None:
        position = account.positions[instrument] = new_position(account)
        w.holders[instrument][account.id] = None
    position.choose(leverage)


def spendable(w: World, account: Account, asset: int, amount: int) -> bool:
    """Whether a parent may give an amount into a wallet: it is free and not needed as margin."""
    free = w.ledger.posted[account.id][asset] - w.ledger.reserved[account.id][asset]
    if account.liquidating or free < amount:
        return False
    return account.mode == CASH or available_margin(w, account) >= amount


def move(w: World, source: Account, target: Account, asset: int, amount: int) -> None:
    """Move margin between a parent and a wallet."""
    w.ledger.post(asset, source.id, target.id, amount)
    w.out.append((10, asset, source.id, target.id, amount, ISOLATED_MARGIN))
    for account in (source, target):
        account.stale = True
        w.dirty[account.id] = True


def afford(
    w: World, engine: MatchingEngine, inst: Instrument, account: Account, order: Order
) -> int:
    """Pay for an order of a wallet out of the parent's free balance; 0 or the reason why not.

    What closes a position needs nothing from the parent.
    """
    w.unsettled[account.id] = None
    position = account.positions.get(inst.id)
    held = position.qty if position else 0
    closes = 0 < order.leaves <= (held if order.side == SELL else -held)
    if not closes and not order.flags & FLAG_REDUCE_ONLY:
        need, reason = pretrade.cost_of(w, engine, inst, account, order)
        parent = w.accounts[account.parent]
        if reason:
            return reason
        if not spendable(w, parent, inst.quote, need):
            return R.INSUFFICIENT_MARGIN
        move(w, parent, account, inst.quote, need)
    return pretrade.afford(w, engine, inst, account, order)


def sweep(w: World) -> None:
    """Settle every wallet that the command touched with its parent."""
    for account_id in w.unsettled:
        account = w.accounts[account_id]
        if not account.liquidating:
            _settle(w, account, w.wallets[account_id])
    w.unsettled.clear()


def _settle(w: World, account: Account, wallet: Wallet) -> None:
    """Work out what the position and the open orders need, and give the rest back."""
    instrument = wallet.instrument
    inst = w.instruments[instrument]
    position = account.positions.get(instrument)
    qty, entry = (position.qty, position.entry_notional) if position else (0, 0)
    leverage = (position.leverage if position else 0) or w.leverages[instrument]
    before = wallet.qty
    if qty == 0:
        wallet.assigned = 0
    elif before == 0 or (before > 0) != (qty > 0):
        wallet.assigned = -(-abs(entry) // leverage)
    elif abs(qty) > abs(before):
        wallet.assigned += max(0, -(-(abs(entry) - abs(wallet.entry)) // leverage))
    else:
        wallet.assigned = -(-wallet.assigned * abs(qty) // abs(before))
    wallet.qty, wallet.entry = qty, entry
    excess = w.ledger.posted[account.id][inst.quote] - wallet.assigned
    excess -= sum(_order_need(w, inst, account, order) for order in account.orders.values())
    if excess > 0 and (qty or account.orders or account.loans):
        excess = min(excess, available_margin(w, account))
    if excess > 0:
        move(w, account, w.accounts[wallet.parent], inst.quote, excess)


def _order_need(w: World, inst: Instrument, account: Account, order: Order) -> int:
    """What must stay in the wallet for an open order; nothing for one that only closes."""
    if not order.reserved:
        return 0
    notional = order.price * order.leaves * inst.unit_value
    at_mark = order.leaves * w.marks[inst.id] * inst.unit_value // PPM
    loss = at_mark - notional if order.side == SELL else notional - at_mark
    return order.reserved + -(-notional * account.hold_ppm // PPM) + max(0, loss)


def margin_of(w: World, account: Account) -> MarginState:
    """Margin of an account with its wallets: sums, and the ratio of the worst of them.

    Each wallet fails alone, so the account is as close to a liquidation as its worst wallet.
    """
    wallets = wallets_of(w, account)
    if not wallets:
        return margin_state(w, account)
    states = [margin_state(w, part) for part in (account, *wallets)]
    worst = min(states, key=lambda state: state.uni_mmr_ppm)
    return MarginState(
        sum(state.equity for state in states),
        sum(state.initial for state in states),
        sum(state.maintenance for state in states),
        worst.uni_mmr_ppm,
        worst.band,
        states[0].available,
    )


def set_margin_mode(w: World, c: tuple[int, ...]) -> None:
    """Choose the margin mode of a perpetual; refused while it has orders or a position."""
    _, _, account_id, instrument, isolated = c
    account = owner_of(w, account_id)
    if account is None:
        return refuse(w, c, R.UNKNOWN_ACCOUNT)
    reason = _perpetual_refusal(w, account, instrument)
    if reason:
        return refuse(w, c, reason)
    modes = account.modes
    if isolated not in (0, 1):
        return refuse(w, c, R.MALFORMED)
    if modes is not None and modes.margin is not None:
        return refuse(w, c, R.MARGIN_MODE_NOT_OFFERED)
    if account.mode == PORTFOLIO or (account.mode == CASH and not isolated):
        return refuse(w, c, R.MARGIN_MODE_NOT_OFFERED)
    if isolated and w.instruments[instrument].inverse:
        return refuse(w, c, R.MARGIN_MODE_NOT_OFFERED)
    if bool(isolated) == (modes is not None and modes.isolates(instrument)):
        return refuse(w, c, R.NO_NEED_TO_CHANGE)
    parts = [account, *wallets_of(w, account)]
    if any(o.instrument == instrument for part in parts for o in part.orders.values()):
        return refuse(w, c, R.MARGIN_MODE_HAS_ORDERS)
    if any(instrument in part.positions and part.positions[instrument].qty for part in parts):
        return refuse(w, c, R.MARGIN_MODE_HAS_POSITION)
    if modes is None:
        modes = account.modes = AccountModes()
    modes.chosen[instrument] = bool(isolated)
    w.out.append((61, account_id, instrument, isolated))
    return None


def change_margin(w: World, c: tuple[int, ...]) -> None:
    """Add margin to an isolated position, or take out what it does not need."""
    _, _, account_id, instrument, position_side, amount = c
    parent = owner_of(w, account_id)
    if parent is None:
        return refuse(w, c, R.UNKNOWN_ACCOUNT)
    reason = _perpetual_refusal(w, parent, instrument)
    if reason or not amount:
        return refuse(w, c, reason or R.BAD_AMOUNT)
    known = parent.modes.wallets.get((instrument, position_side)) if parent.modes else None
    account = w.accounts[known] if known is not None else None
    position = account.positions.get(instrument) if account is not None else None
    if account is None or position is None or not position.qty:
        return refuse(w, c, R.ISOLATED_ONLY)
    if account.liquidating or parent.liquidating:
        return refuse(w, c, R.ACCOUNT_IN_LIQUIDATION)
    wallet, asset = w.wallets[account.id], w.instruments[instrument].quote
    if amount > 0:
        if not spendable(w, parent, asset, amount):
            return refuse(w, c, R.INSUFFICIENT_BALANCE)
        move(w, parent, account, asset, amount)
    else:
        most = available_margin(w, account) - account.order_margin
        if -amount > min(wallet.assigned, most, w.ledger.posted[account.id][asset]):
            return refuse(w, c, R.ISOLATED_BALANCE_INSUFFICIENT)
        move(w, account, parent, asset, -amount)
    wallet.assigned += amount
    return None


def owner_of(w: World, account_id: int) -> Account | None:
    """The account of a participant, wallets excepted."""
    if not 0 <= account_id < len(w.accounts):
        return None
    account = w.accounts[account_id]
    return account if account.owner >= 0 and account.parent < 0 else None


def _perpetual_refusal(w: World, account: Account, instrument: int) -> int:
    if not 0 <= instrument < len(w.instruments) or w.brackets[instrument] is None:
        return R.UNKNOWN_INSTRUMENT
    return 0 if w.instruments[instrument].venue == account.venue else R.WRONG_VENUE


def refuse(w: World, c: tuple[int, ...], reason: int) -> None:
    """Refuse a command of an account."""
    w.out.append((15, c[2], c[0], int(reason)))
