"""Checks between tables that concern loans: levels, what is traded, who may pledge what."""

from __future__ import annotations

from itertools import pairwise

from exchange_sim.scenario.checks import check_amount
from exchange_sim.scenario.lending import LoanProductDef
from exchange_sim.scenario.participants import ParticipantDef
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.tree import Node, nearest


def check_lending(parts: Parts) -> None:
    """Run the checks of loan products and pledges."""
    for node, item in parts.tables.get("loans", {}).values():
        _check_product(parts, node, item)
    for node, participant in parts.arrays.get("participants", []):
        _check_pledges(parts, node, participant)
    for name, (node, _) in parts.tables.get("wrappers", {}).items():
        asset = parts.get("assets", name)
        if asset is not None and asset.redemption_value is None:
            hint = f"give assets.{name} a redemption_asset and a redemption_value"
            parts.reader.bad(node.key_mark, f"{name} is a wrapper, but redeemed into nothing", hint)
    people = parts.names("participants")
    for node, issuer in parts.tables.get("issuers", {}).values():
        for key, names in (("wallet", (issuer.wallet,)), ("members", issuer.members)):
            for name in names:
                if name not in people:
                    at, message = node.table[key].mark, f"there is no participant {name!r}"
                    parts.reader.bad(at, f"{node.name}.{key}: {message}", nearest(name, people))
        asset = parts.get("assets", issuer.asset)
        for key in ("mint_limit", "redeem_limit"):
            if asset is not None and key in node.table:
                check_amount(parts, node.table[key], getattr(issuer, key), asset.decimals)


def _check_product(parts: Parts, node: Node, item: LoanProductDef) -> None:
    bad, venue = parts.reader.bad, parts.get("venues", item.venue)
    numeraire = parts.get("assets", venue.numeraire) if venue is not None else None
    if numeraire is not None:
        for key in ("fund", "slice"):
            if key in node.table:
                check_amount(parts, node.table[key], getattr(item, key), numeraire.decimals)
    traded = [
        other.base
        for _, other in parts.arrays.get("instruments", [])
        if venue is not None
        and (other.kind, other.venue, other.quote) == ("SPOT", item.venue, venue.numeraire)
    ]
    rows = node.table["collateral"]
    for asset, ladder in item.collateral.items():
        at = rows.table[asset]
        levels = (ladder.initial, ladder.call, ladder.liquidation)
        if not ladder.initial > 0 or not all(a <= b for a, b in pairwise(levels)):
            bad(at.mark, f"{at.name}: levels must rise: 0 < initial <= call <= liquidation <= 1")
        if venue is not None and asset not in traded and asset in parts.names("assets"):
            message = f"{at.name}: {item.venue!r} has no spot market of {asset} in its numeraire"
            bad(at.key_mark, message, nearest(asset, traded))


def _check_pledges(parts: Parts, node: Node, item: ParticipantDef) -> None:
    bad, array = parts.reader.bad, node.table.get("pledges")
    for row, given in zip(array.items if array is not None else [], item.pledges, strict=True):
        product = parts.get("loans", given.product)
        if product is None:
            continue
        if product.venue not in item.venues:
            message = f"{node.name} has a loan at {product.venue!r}, where it has no account"
            bad(row.table["product"].mark, message, nearest(product.venue, item.venues))
        if given.asset not in product.collateral:
            message = f"{given.product!r} takes no {given.asset} as collateral"
            bad(row.table["asset"].mark, message, nearest(given.asset, product.collateral))
        asset = parts.get("assets", given.asset)
        if asset is not None:
            check_amount(parts, row.table["qty"], given.qty, asset.decimals)
        venue = parts.get("venues", product.venue)
        numeraire = parts.get("assets", venue.numeraire) if venue is not None else None
        if numeraire is not None:
            check_amount(parts, row.table["principal"], given.principal, numeraire.decimals)
