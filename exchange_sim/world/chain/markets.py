"""Actions of isolated markets (Morpho Blue kind).

::

    MARKET_SUPPLY, MARKET_WITHDRAW                          market, amount of the loan asset
    MARKET_BORROW, MARKET_REPAY                             market, amount of the loan asset
    MARKET_ADD_COLLATERAL, MARKET_REMOVE_COLLATERAL         market, amount of the collateral
    MARKET_LIQUIDATE                                        market, borrower, debt to repay
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.defi import morpho
from exchange_sim.defi.isolated import Market, MarketPosition
from exchange_sim.defi.reserves import WAD
from exchange_sim.messages.reasons import PoolCause, PoolSide, PostingKind, RejectReason
from exchange_sim.units import PPM
from exchange_sim.world.chain.execution import ALL, Action, Execution, Revert
from exchange_sim.world.chain.feeds import fresh_price, price_of
from exchange_sim.world.chain.health import HEALTH_PPM_MAX
from exchange_sim.world.chain.pools import MarketState

if TYPE_CHECKING:
    from exchange_sim.world.world import World

R = RejectReason


def market_at(x: Execution, action: Action) -> tuple[MarketState, Market]:
    """The market that an action names, with interest up to now."""
    if not 0 <= action[1] < len(x.chain.markets):
        raise Revert(R.UNKNOWN_POOL)
    state = x.chain.markets[action[1]]
    x.touch(state.market)
    if state.market.updated_ns != x.w.time_ns:
        state.market.accrue(x.w.time_ns)
    return state, state.market


def position_at(x: Execution, state: MarketState, wallet: int) -> MarketPosition:
    """The position of a wallet, made when there is none."""
    position = state.positions.get(wallet)
    if position is None:
        position = MarketPosition()
        x.put(state.positions, wallet, position)
    state.dirty[wallet] = None
    x.touch(position)
    return position


def collateral_price(w: World, state: MarketState, fresh: bool = False) -> int:
    """Units of the loan asset per unit of collateral, in WAD, rounded down."""
    read, spec, assets = fresh_price if fresh else price_of, state.spec, w.config.assets
    up = read(w, spec.collateral_oracle) * assets[spec.loan].asset.scale
    down = read(w, spec.loan_oracle) * assets[spec.collateral].asset.scale
    return up * WAD // down if down else 0


def health_ppm(w: World, state: MarketState, position: MarketPosition) -> int:
    """What the collateral carries over what is owed, in ppm."""
    market = state.market
    owed = market.owed(position.borrow_shares, market.interest_until(w.time_ns))
    if not owed:
        return HEALTH_PPM_MAX
    price = collateral_price(w, state)
    most = morpho.max_borrow(position.collateral, price, state.spec.lltv)
    return min(HEALTH_PPM_MAX, most * PPM // owed)


def _check_healthy(x: Execution, state: MarketState, position: MarketPosition) -> None:
    owed = state.market.owed(position.borrow_shares)
    if not owed:
        return
    price = collateral_price(x.w, state, fresh=True)
    if not morpho.is_healthy(owed, position.collateral, price, state.spec.lltv):
        raise Revert(R.HEALTH_FACTOR_TOO_LOW)


def _cash(x: Execution, state: MarketState) -> int:
    return x.w.ledger.posted[state.account][state.spec.loan]


def _changed(
    x: Execution,
    state: MarketState,
    wallet: int,
    side: PoolSide,
    change: tuple[int, int],
    amount: int,
    cause: PoolCause,
) -> None:
    """Say what a position is now and how the market stands; ``change`` is (now, by how much)."""
    market = state.market
    market.roundings += 1
    market.set_rate()
    x.emit(116, state.id, wallet, side, *change, amount, cause)
    x.emit(
        117, state.id, market.supply_assets, market.supply_shares, market.borrow_assets,
        market.borrow_shares, market.rate_ppm,
    )  # fmt: skip


def supply(x: Execution, action: Action) -> None:
    """Lend."""
    state, market = market_at(x, action)
    asset = state.spec.loan
    if market.supply_shares and not market.supply_assets:
        raise Revert(R.MARKET_DEAD)
    amount = x.amount(action[2], x.free(asset))
    shares = market.supply_for(amount)
    if not shares:
        raise Revert(R.BAD_AMOUNT)
    position = position_at(x, state, x.wallet)
    x.post(asset, x.wallet, state.account, amount, PostingKind.POOL_SUPPLY)
    position.supply_shares += shares
    market.supply_assets += amount
    market.supply_shares += shares
    held = position.supply_shares, shares
    _changed(x, state, x.wallet, PoolSide.SUPPLY, held, amount, PoolCause.SUPPLY)
    x.output = amount


def withdraw(x: Execution, action: Action) -> None:
    """Take back what was lent, if it is not borrowed."""
    state, market = market_at(x, action)
    position = position_at(x, state, x.wallet)
    most = market.claim(position.supply_shares)
    amount = x.amount(action[2], most)
    if amount > most:
        raise Revert(R.NOTHING_SUPPLIED)
    if _cash(x, state) < amount:
        raise Revert(R.NO_LIQUIDITY)
    shares = position.supply_shares if amount == most else market.supply_burnt(amount)
    position.supply_shares -= shares
    market.supply_assets -= amount
    market.supply_shares -= shares
    x.post(state.spec.loan, state.account, x.wallet, amount, PostingKind.POOL_WITHDRAW)
    held = position.supply_shares, -shares
    _changed(x, state, x.wallet, PoolSide.SUPPLY, held, amount, PoolCause.WITHDRAW)
    x.output = amount


def add_collateral(x: Execution, action: Action) -> None:
    """Pledge."""
    state, _ = market_at(x, action)
    asset = state.spec.collateral
    amount = x.amount(action[2], x.free(asset))
    position = position_at(x, state, x.wallet)
    x.post(asset, x.wallet, state.account, amount, PostingKind.POOL_SUPPLY)
    position.collateral += amount
    held = position.collateral, amount
    _changed(x, state, x.wallet, PoolSide.COLLATERAL, held, amount, PoolCause.SUPPLY)
    x.output = amount


def remove_collateral(x: Execution, action: Action) -> None:
    """Take collateral back while the debt stays healthy."""
    state, _ = market_at(x, action)
    position = position_at(x, state, x.wallet)
    amount = x.amount(action[2], position.collateral)
    if amount > position.collateral:
        raise Revert(R.NOTHING_SUPPLIED)
    position.collateral -= amount
    _check_healthy(x, state, position)
    x.post(state.spec.collateral, state.account, x.wallet, amount, PostingKind.POOL_WITHDRAW)
    held = position.collateral, -amount
    _changed(x, state, x.wallet, PoolSide.COLLATERAL, held, amount, PoolCause.WITHDRAW)
    x.output = amount


def borrow(x: Execution, action: Action) -> None:
    """Borrow up to the LLTV; ``ALL`` is as much as the collateral carries and the market has."""
    state, market = market_at(x, action)
    position = position_at(x, state, x.wallet)
    price = collateral_price(x.w, state, fresh=True)
    carried = morpho.max_borrow(position.collateral, price, state.spec.lltv)
    room = max(0, carried - market.owed(position.borrow_shares) - 1)
    amount = x.amount(action[2], min(room, _cash(x, state)))
    if _cash(x, state) < amount:
        raise Revert(R.NO_LIQUIDITY)
    shares = market.borrow_for(amount)
    position.borrow_shares += shares
    market.borrow_assets += amount
    market.borrow_shares += shares
    _check_healthy(x, state, position)
    x.post(state.spec.loan, state.account, x.wallet, amount, PostingKind.POOL_BORROW)
    held = position.borrow_shares, shares
    _changed(x, state, x.wallet, PoolSide.DEBT, held, amount, PoolCause.BORROW)
    x.output = amount


def _pay(
    x: Execution, state: MarketState, wallet: int, amount: int, owed: int, cause: PoolCause
) -> None:
    """The acting wallet pays ``amount`` of what ``wallet`` owes."""
    market, position = state.market, position_at(x, state, wallet)
    shares = position.borrow_shares if amount == owed else market.borrow_burnt(amount)
    position.borrow_shares -= shares
    market.borrow_shares -= shares
    # The last unit of a debt may be the rounding of its shares.
    market.borrow_assets = max(0, market.borrow_assets - amount)
    x.post(state.spec.loan, x.wallet, state.account, amount, PostingKind.POOL_REPAY)
    held = position.borrow_shares, -shares
    _changed(x, state, wallet, PoolSide.DEBT, held, amount, cause)


def repay(x: Execution, action: Action) -> None:
    """Pay a debt back, at most what is owed."""
    state, market = market_at(x, action)
    owed = market.owed(position_at(x, state, x.wallet).borrow_shares)
    if not owed:
        raise Revert(R.NOTHING_OWED)
    amount = min(owed, x.amount(action[2], x.free(state.spec.loan)))
    _pay(x, state, x.wallet, amount, owed, PoolCause.REPAY)
    x.output = amount


def liquidate(x: Execution, action: Action) -> None:
    """Repay debt of an unhealthy position for collateral at the market's incentive."""
    state, market = market_at(x, action)
    borrower, spec = action[2], state.spec
    if not spec.liquidations:
        raise Revert(R.LIQUIDATIONS_OFF)
    if borrower not in state.positions:
        raise Revert(R.NOTHING_OWED)
    if borrower == x.wallet:
        raise Revert(R.OWN_POSITION)
    position = position_at(x, state, borrower)
    owed = market.owed(position.borrow_shares)
    price = collateral_price(x.w, state, fresh=True)
    if morpho.is_healthy(owed, position.collateral, price, spec.lltv):
        raise Revert(R.HEALTHY)
    before = health_ppm(x.w, state, position)
    most = min(owed, x.free(spec.loan)) if action[3] == ALL else owed
    offer = min(owed, x.amount(action[3], most))
    deal = morpho.liquidate(owed, position.collateral, price, spec.lltv, offer)
    if deal.repaid <= 0 or deal.seized <= 0:
        raise Revert(R.BAD_AMOUNT)
    _pay(x, state, borrower, deal.repaid, owed, PoolCause.LIQUIDATION)
    position.collateral -= deal.seized
    x.post(spec.collateral, state.account, x.wallet, deal.seized, PostingKind.POOL_SEIZURE)
    held = position.collateral, -deal.seized
    _changed(x, state, borrower, PoolSide.COLLATERAL, held, deal.seized, PoolCause.SEIZED)
    bad = _socialise(x, state, borrower, position)
    x.emit(118, state.id, borrower, x.wallet, deal.repaid, deal.seized, bad, before)
    x.output = deal.seized


def _socialise(x: Execution, state: MarketState, borrower: int, position: MarketPosition) -> int:
    """Debt without collateral falls on the lenders at once; the amount."""
    market = state.market
    if position.collateral or not position.borrow_shares:
        return 0
    shares = position.borrow_shares
    bad = min(market.owed(shares), market.borrow_assets, market.supply_assets)
    position.borrow_shares = 0
    market.borrow_shares -= shares
    market.borrow_assets -= bad
    market.supply_assets -= bad
    _changed(x, state, borrower, PoolSide.DEBT, (0, -shares), bad, PoolCause.WRITE_OFF)
    return bad
