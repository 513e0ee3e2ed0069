"""Checks between tables that concern the chain: what its parts refer to, and what fits together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from exchange_sim.defi.spec import COINS_MAX
from exchange_sim.scenario.chain import AmmDef, MarketDef, OpeningDef, OracleDef, PoolDef
from exchange_sim.scenario.checks import check_amount, check_amounts
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.tree import Node, nearest

NEEDS = {
    "market": ("sources",),
    "amm": ("amm", "quote"),
    "capped": ("base",),
    "ratio": ("base",),
    "fixed": (),
}
"""Keys that an oracle of a kind must have."""
LIVES_ON_CHAIN = ("oracles", "pools", "markets", "amms", "issuers")


def check_chain(parts: Parts) -> None:
    """Run the checks of the chain and of everything on it."""
    _check_place(parts)
    for name, (node, oracle) in parts.tables.get("oracles", {}).items():
        _check_oracle(parts, node, name, oracle)
    for node, pool in parts.tables.get("pools", {}).values():
        _check_pool(parts, node, pool)
    for node, market in parts.tables.get("markets", {}).values():
        _check_market(parts, node, market)
    for node, amm in parts.tables.get("amms", {}).values():
        _check_amm(parts, node, amm)
    for node, participant in parts.arrays.get("participants", []):
        array = node.table.get("opening")
        rows = array.items if array is not None else []
        for row, item in zip(rows, participant.opening, strict=True):
            _check_opening(parts, row, item, participant.venues)


def _check_place(parts: Parts) -> None:
    """The chain exists when something is on it, and trades nothing."""
    bad, root = parts.reader.bad, parts.root
    if "chain" not in root.table:
        for key in LIVES_ON_CHAIN:
            if root.table.get(key) is not None and root.table[key].table:
                bad(root.table[key].key_mark, f"[{key}] needs a [chain]", "add one")
        return
    name = parts.chain_name()
    venues = root.table.get("venues")
    if venues is not None and name in venues.table:
        bad(root.table["chain"].mark, f"the chain is called {name!r}, like a venue", "rename it")
    for key in ("instruments", "loans", "wrappers"):
        for node in _items(root.table.get(key)):
            at = node.table.get("venue") or node.table.get("venues")
            if at is not None and name in (at.value, *[item.value for item in at.items]):
                bad(at.mark, f"{node.name}: nothing of [{key}] can be on the chain")


def _items(node: Node | None) -> list[Node]:
    if node is None:
        return []
    return [*node.items, *node.table.values()] if isinstance(node.value, dict | list) else []


def _check_oracle(parts: Parts, node: Node, name: str, item: OracleDef) -> None:
    bad = parts.reader.bad
    for key in NEEDS[item.kind]:
        if key not in node.table:
            bad(node.mark, f"{node.name}: an oracle of kind {item.kind!r} needs {key!r}")
    for key in ("sources", "amm", "quote", "base", "cap", "growth"):
        used = key in NEEDS[item.kind] or (key, item.kind) in {
            ("quote", "market"), ("cap", "capped"), ("growth", "ratio"),
        }  # fmt: skip
        if key in node.table and not used:
            bad(node.table[key].key_mark, f"{node.name}: {item.kind!r} has no {key!r}")
    asset = parts.get("assets", item.asset)
    if item.kind == "ratio" and asset is not None and asset.redemption_value is None:
        hint = f"give assets.{item.asset} a redemption_value"
        bad(node.mark, f"{node.name}: {item.asset} is redeemed into nothing", hint)
    amm = parts.get("amms", item.amm) if item.amm else None
    if amm is not None and item.asset not in amm.assets:
        bad(node.table["amm"].mark, f"{node.name}: {item.amm} has no {item.asset}")
    for source in item.sources:
        found = [x for _, x in parts.arrays.get("instruments", []) if x.name == source]
        if found and (found[0].kind != "SPOT" or found[0].base != item.asset):
            message = f"{node.name}: {source} is no spot book of {item.asset}"
            bad(node.table["sources"].mark, message)
    seen: list[str] = [name]
    at: OracleDef | None = item
    while at is not None and (at.base or at.quote):
        step = at.base or at.quote
        if step in seen:
            bad(node.mark, f"{node.name} depends on itself: {' -> '.join([*seen, step])}")
            return
        seen.append(step)
        at = parts.get("oracles", step)


def _check_pool(parts: Parts, node: Node, item: PoolDef) -> None:
    bad = parts.reader.bad
    for asset, reserve in item.reserves.items():
        at = node.table["reserves"].table[asset]
        _check_terms(parts, at, reserve.ltv, reserve.threshold, reserve.bonus)
        oracle = parts.get("oracles", reserve.oracle)
        if oracle is not None and oracle.asset != asset:
            message = f"{at.name}: oracle {reserve.oracle!r} prices {oracle.asset}"
            bad(at.table["oracle"].mark, message)
        amounts = {"supply_cap": reserve.supply_cap, "borrow_cap": reserve.borrow_cap}
        for key, amount in amounts.items():
            if key in at.table:
                _check_units(parts, at.table[key], asset, amount)
    array = node.table.get("emodes")
    for row, mode in zip(array.items if array is not None else [], item.emodes, strict=True):
        _check_terms(parts, row, mode.ltv, mode.threshold, mode.bonus)
        for key in ("collateral", "borrow"):
            for asset in getattr(mode, key):
                if asset not in item.reserves and asset in parts.names("assets"):
                    message = f"{row.name}: {asset} is no reserve of the pool"
                    bad(row.table[key].mark, message, nearest(asset, item.reserves))
    deposits = node.table.get("deposits")
    check_amounts(parts, deposits, item.deposits)
    for asset in item.deposits:
        if asset not in item.reserves and deposits is not None:
            message = f"{node.name}: {asset} is no reserve of the pool"
            bad(deposits.table[asset].key_mark, message, nearest(asset, item.reserves))


def _check_units(parts: Parts, node: Node, asset: str, amount: Decimal) -> None:
    found = parts.get("assets", asset)
    if found is not None:
        check_amount(parts, node, amount, found.decimals)


def _check_terms(
    parts: Parts, node: Node, ltv: Decimal, threshold: Decimal, bonus: Decimal
) -> None:
    if ltv > threshold:
        message = f"{node.name}: ltv {ltv} is above the threshold {threshold}"
        parts.reader.bad(node.mark, message, "a loan would be liquidated at once")
    if threshold * (1 + bonus) > 1:
        message = f"{node.name}: at the threshold the bonus is more than what is left"
        parts.reader.bad(node.mark, message, "threshold * (1 + bonus) must be at most 1")


def _check_market(parts: Parts, node: Node, item: MarketDef) -> None:
    if item.collateral == item.loan:
        parts.reader.bad(node.table["loan"].mark, f"{node.name}: both sides are {item.loan}")
    for key, asset in (("collateral_oracle", item.collateral), ("loan_oracle", item.loan)):
        oracle = parts.get("oracles", getattr(item, key))
        if oracle is not None and oracle.asset != asset:
            message = f"{node.name}: {getattr(item, key)!r} prices {oracle.asset}, not {asset}"
            parts.reader.bad(node.table[key].mark, message)
    if "deposits" in node.table:
        _check_units(parts, node.table["deposits"], item.loan, item.deposits)


def _check_amm(parts: Parts, node: Node, item: AmmDef) -> None:
    bad = parts.reader.bad
    coins = node.table["assets"].mark
    if len(set(item.assets)) < len(item.assets):
        bad(coins, f"{node.name}: a coin is there twice")
    most = COINS_MAX if item.kind == "stableswap" else 2
    if len(item.assets) > most:
        bad(coins, f"{node.name}: a {item.kind} pool has at most {most} coins")
    for key, kind in (
        ("amplification", "stableswap"), ("offpeg", "stableswap"), ("use_rates", "stableswap"),
        ("price", "concentrated"), ("range", "concentrated"),
    ):  # fmt: skip
        if key in node.table and item.kind != kind:
            bad(node.table[key].key_mark, f"{node.name}: only a {kind} pool has {key!r}")
    if item.kind == "concentrated" and item.price is None:
        bad(node.mark, f"{node.name}: a concentrated pool needs a first 'price'")
    check_amounts(parts, node.table.get("liquidity"), item.liquidity)
    _check_liquidity(parts, node, item, item.liquidity, item.range, node.table.get("liquidity"))


def _check_liquidity(
    parts: Parts, node: Node, amm: AmmDef, given: dict[str, Decimal], span: Any, at: Node | None
) -> None:
    """Coins that the pool has; both edges of a range; all coins for its first liquidity."""
    bad = parts.reader.bad
    for asset in given:
        if asset not in amm.assets and at is not None and asset in parts.names("assets"):
            message = f"{node.name}: the pool has no {asset}"
            bad(at.table[asset].key_mark, message, nearest(asset, amm.assets))
    whole = amm.kind != "concentrated"
    if given and whole and not all(given.get(asset) for asset in amm.assets):
        bad(at.mark if at else node.mark, f"{node.name}: liquidity needs every coin of the pool")
    wants = bool(given) and not whole
    if wants and not (len(span) == 2 and span[0] < span[1]):
        where = node.table["range"].mark if "range" in node.table else node.mark
        bad(where, f"{node.name}: liquidity needs a range of two rising prices")


def _check_opening(parts: Parts, node: Node, item: OpeningDef, venues: tuple[str, ...]) -> None:
    bad = parts.reader.bad
    named = [key for key in ("pool", "market", "amm") if key in node.table]
    if len(named) != 1:
        bad(node.mark, f"{node.name} must name one of pool, market and amm")
        return
    if parts.chain_name() not in venues:
        bad(node.mark, f"{node.name}: the participant has no wallet", "add the chain to its venues")
    check_amounts(parts, node.table.get("supply"), item.supply)
    check_amounts(parts, node.table.get("borrow"), item.borrow)
    known: Any = ()
    if named == ["pool"]:
        pool = parts.get("pools", item.pool)
        known = pool.reserves if pool is not None else ()
        modes = [mode.name for mode in pool.emodes] if pool is not None else []
        if pool is not None and item.category and item.category not in modes:
            message = f"{node.name}: {item.pool} has no category {item.category!r}"
            bad(node.table["category"].mark, message, nearest(item.category, modes))
    elif named == ["market"]:
        market = parts.get("markets", item.market)
        known = (market.collateral, market.loan) if market is not None else ()
    else:
        amm = parts.get("amms", item.amm)
        if amm is not None:
            _check_liquidity(parts, node, amm, item.supply, item.range, node.table.get("supply"))
        return
    for key in ("supply", "borrow"):
        for asset in getattr(item, key):
            if known and asset not in known and asset in parts.names("assets"):
                message = f"{node.name}: {getattr(item, named[0])} has no {asset}"
                bad(node.table[key].table[asset].key_mark, message, nearest(asset, known))
