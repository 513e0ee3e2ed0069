"""What exists on the chain at the first instant, as actions without gas.

First what others have put into pools and AMMs, then the positions of participants, then
populations: whoever borrows finds the money there.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from exchange_sim.messages import chain_commands as cc
from exchange_sim.messages import commands as c
from exchange_sim.messages.reasons import ActionKind, RejectReason
from exchange_sim.model.account import AccountMode
from exchange_sim.participants.loopers import LooperCrowd, LooperSpec, draw_loopers
from exchange_sim.rng import Streams
from exchange_sim.scenario.chain import AmmDef, OpeningDef
from exchange_sim.scenario.chain_config import unit_price
from exchange_sim.scenario.participants import ParticipantDef, PopulationDef
from exchange_sim.scenario.tree import nearest
from exchange_sim.sim.loopers import Unwind
from exchange_sim.strategy.load import build_table

if TYPE_CHECKING:
    from exchange_sim.scenario.genesis import Genesis

A = ActionKind
ALL = -1
TICK_BASE = math.log(1.0001)


class OpeningError(ValueError):
    """An opening position that the chain refuses."""


def act(g: Genesis, wallet: int, kind: ActionKind, *fields: int) -> None:
    """One action of a wallet; raises ``OpeningError`` with the reason of a refusal."""
    last = g.send(cc.ApplyAction, wallet, kind, *fields)[-1]
    if last[0] == 15:
        reason = RejectReason(last[3]).name
        raise OpeningError(f"{kind.name} at the start is refused: {reason}")


def wallet_of(g: Genesis, owner: str) -> int:
    """A new wallet with an owner of its own."""
    assert g.scenario.chain is not None
    return g.open(g.scenario.chain.name, g.accounts.owner(owner), AccountMode.CASH)


def provide(g: Genesis) -> None:
    """What others have deposited, lent and provided."""
    if g.scenario.chain is None:
        return
    for name, pool in g.scenario.pools.items():
        if pool.deposits:
            opening = OpeningDef(pool=name, supply=pool.deposits)
            _place(g, f"pools.{name}.deposits", wallet_of(g, f"{name}/lenders"), opening)
    for name, market in g.scenario.markets.items():
        if market.deposits:
            opening = OpeningDef(market=name, supply={market.loan: market.deposits})
            _place(g, f"markets.{name}.deposits", wallet_of(g, f"{name}/lenders"), opening)
    for name, amm in g.scenario.amms.items():
        if amm.liquidity:
            opening = OpeningDef(amm=name, supply=amm.liquidity, range=amm.range)
            _place(g, f"amms.{name}.liquidity", wallet_of(g, f"{name}/providers"), opening)


def open_positions(g: Genesis, item: ParticipantDef, name: str) -> None:
    """The positions of one participant."""
    if g.scenario.chain is None:
        return
    for index, opening in enumerate(item.opening):
        wallet = g.accounts.of[name, g.scenario.chain.name]
        _place(g, f"participants.{item.name}.opening.{index}", wallet, opening)


def _place(g: Genesis, where: str, wallet: int, item: OpeningDef) -> None:
    try:
        for asset, amount in item.supply.items():
            units = g.names.amount(asset, amount)
            if units:
                g.send(c.Deposit, wallet, g.names.assets[asset], units)
        if item.pool:
            _in_pool(g, wallet, item)
        elif item.market:
            _in_market(g, wallet, item)
        else:
            _in_amm(g, wallet, item)
        for asset, amount in item.borrow.items():
            if not item.keeps:
                units = g.names.amount(asset, amount)
                g.send(c.Withdraw, wallet, g.names.assets[asset], units)
    except OpeningError as error:
        g.problems.append(g.scenario.problem(where, str(error)))


def _in_pool(g: Genesis, wallet: int, item: OpeningDef) -> None:
    pool = g.names.pools[item.pool]
    if item.category:
        modes = [mode.name for mode in g.scenario.pools[item.pool].emodes]
        act(g, wallet, A.SET_CATEGORY, pool, modes.index(item.category) + 1)
    for asset, amount in item.supply.items():
        act(g, wallet, A.SUPPLY, pool, g.names.assets[asset], g.names.amount(asset, amount))
    for asset, amount in item.borrow.items():
        act(g, wallet, A.BORROW, pool, g.names.assets[asset], g.names.amount(asset, amount))


def _in_market(g: Genesis, wallet: int, item: OpeningDef) -> None:
    market = g.names.markets[item.market]
    for asset, amount in item.supply.items():
        pledged = asset == g.scenario.markets[item.market].collateral
        kind = A.MARKET_ADD_COLLATERAL if pledged else A.MARKET_SUPPLY
        act(g, wallet, kind, market, g.names.amount(asset, amount))
    for asset, amount in item.borrow.items():
        act(g, wallet, A.MARKET_BORROW, market, g.names.amount(asset, amount))


def _in_amm(g: Genesis, wallet: int, item: OpeningDef) -> None:
    amm, given = g.scenario.amms[item.amm], item.supply
    units = [g.names.amount(asset, given.get(asset, Decimal(0))) for asset in amm.assets]
    if amm.kind == "concentrated":
        ticks = (tick_of(g, amm, price) for price in item.range)
        act(g, wallet, A.ADD_RANGE, g.names.amms[item.amm], *ticks, *units)
        return
    padded = [*units, *[0] * (4 - len(units))]
    act(g, wallet, A.ADD_LIQUIDITY, g.names.amms[item.amm], *padded, 0)


def tick_of(g: Genesis, amm: AmmDef, price: Decimal) -> int:
    """The tick at or below a price of whole coins."""
    return math.floor(math.log(float(unit_price(g.names, amm, price))) / TICK_BASE)


def loopers(g: Genesis, item: PopulationDef, streams: Streams) -> None:
    """Draw a population of loops and open each; nothing of it is a process."""
    crowd = build_table(LooperCrowd, dict(item.params), item.name)
    _check(g, crowd)
    category = 0
    if crowd.category:
        modes = [mode.name for mode in g.scenario.pools[crowd.pool].emodes]
        category = modes.index(crowd.category) + 1
    pool = g.names.pools[crowd.pool]
    collateral, debt = g.names.assets[crowd.collateral], g.names.assets[crowd.debt]
    for spec in draw_loopers(crowd, streams.stream(f"population/{item.name}")):
        _open_loop(g, item.name, spec, (pool, category, collateral, debt), crowd)


def _open_loop(
    g: Genesis,
    name: str,
    spec: LooperSpec,
    ids: tuple[int, int, int, int],
    crowd: LooperCrowd,
) -> None:
    assert g.scenario.chain is not None
    pool, category, collateral, debt = ids
    wallet = wallet_of(g, name)
    units = max(1, int(spec.collateral_usd / g.unit_usd(crowd.collateral)))
    owed = max(1, int(spec.debt_usd / g.unit_usd(crowd.debt)))
    gas = g.names.amount(g.scenario.chain.gas_asset, Decimal(str(crowd.gas)).quantize(
        Decimal(1).scaleb(-g.names.decimals[g.scenario.chain.gas_asset])
    ))  # fmt: skip
    g.send(c.Deposit, wallet, collateral, units)
    if gas:
        g.send(c.Deposit, wallet, g.names.assets[g.scenario.chain.gas_asset], gas)
    if category:
        act(g, wallet, A.SET_CATEGORY, pool, category)
    act(g, wallet, A.SUPPLY, pool, collateral, units)
    if spec.debt_usd > 0:
        act(g, wallet, A.BORROW, pool, debt, owed)
        g.send(c.Withdraw, wallet, debt, owed)
    if spec.unwind_health > 0 or spec.unwind_discount > 0:
        g.accounts.unwinds[wallet] = Unwind(
            pool, collateral, debt, spec.unwind_health, spec.unwind_discount, spec.unwind_share,
            g.names.amms[crowd.amm], crowd.slippage, crowd.reaction_mean_s, crowd.reaction_sd_s,
        )  # fmt: skip


def _check(g: Genesis, crowd: LooperCrowd) -> None:
    """Names that a population's parameters refer to."""
    if g.scenario.chain is None:
        raise ValueError("loopers need a [chain]")
    if crowd.pool not in g.scenario.pools:
        hint = nearest(crowd.pool, g.scenario.pools)
        raise ValueError(f"there is no pool {crowd.pool!r}; {hint}")
    pool = g.scenario.pools[crowd.pool]
    for asset in (crowd.collateral, crowd.debt):
        if asset not in pool.reserves:
            raise ValueError(f"{crowd.pool} has no {asset}; {nearest(asset, pool.reserves)}")
    modes = [mode.name for mode in pool.emodes]
    if crowd.category and crowd.category not in modes:
        hint = nearest(crowd.category, modes)
        raise ValueError(f"{crowd.pool} has no category {crowd.category!r}; {hint}")
    if crowd.unwinders > 0 and crowd.amm not in g.scenario.amms:
        hint = nearest(crowd.amm, g.scenario.amms)
        raise ValueError(f"there is no AMM {crowd.amm!r} to unwind through; {hint}")
