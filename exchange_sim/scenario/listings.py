"""Many instruments from a few lines: what is listed on a venue, for which assets.

``[assets.NAME.market]`` holds what all books of an asset share: ``price``, ``tick_size``,
``lot_size`` and ``depth_usd`` (D1 of its deepest book).  ``[listings.NAME]`` makes one instrument
per asset of ``bases`` (names or kinds of assets): its other keys are those of an instrument, texts
may hold ``{base}``, and three keys are worked out per asset:

- ``depth_share``: the part of the asset's ``depth_usd`` (default 1),
- ``collar_per_beta``: ``liquidation_collar`` is this times the asset's beta,
- ``slice_d1`` and ``takeover_d1``: ``liquidation_slice`` and ``takeover_limit`` in D1 of the book.

An ``[[instruments]]`` item of the same venue and symbol is laid on what a listing made.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from exchange_sim.scenario.kinds import Reader
from exchange_sim.scenario.tree import Node, identity, merge, nearest, rename

SHARED: Final = ("price", "tick_size", "lot_size", "depth_usd")
_MONEY_STEP: Final = Decimal("0.01")
_RATIO_STEP: Final = Decimal("0.000001")
_OWN: Final[tuple[str, ...]] = (
    "bases",
    "depth_share",
    "collar_per_beta",
    "slice_d1",
    "takeover_d1",
)


def expand_listings(root: Node, reader: Reader) -> None:
    """Turn listings into instruments, in place.  Problems are recorded."""
    assets = root.table.get("assets")
    known = assets.table if assets is not None else {}
    markets = {name: asset.table.pop("market", None) for name, asset in known.items()}
    listings = root.table.pop("listings", None)
    if listings is None:
        return
    if not isinstance(listings.value, dict):
        reader.wrong(listings, "a table of tables")
        return
    made: list[Node] = []
    for listing in listings.table.values():
        if not isinstance(listing.value, dict):
            reader.wrong(listing, "a table")
            continue
        for base in _bases(listing, known, reader):
            market = markets[base]
            if market is None or not isinstance(market.value, dict):
                where = listing.table["bases"].mark
                reader.bad(where, f"asset {base!r} has no market", f"write [assets.{base}.market]")
                continue
            made.append(_instrument(listing, base, known[base], market, reader))
    array = root.table.get("instruments")
    items = list(array.items) if array is not None else []
    by_name = {identity(item): item for item in items if identity(item)}
    laid = [
        merge(item, by_name.pop(identity(item))) if identity(item) in by_name else item
        for item in made
    ]
    for item in laid:
        rename(item, f"instruments.{identity(item)}")
    rest = [item for item in items if not identity(item) or identity(item) in by_name]
    like = array if array is not None else listings
    root.table["instruments"] = Node([*laid, *rest], like.mark, like.key_mark, "instruments")


def _bases(listing: Node, assets: dict[str, Node], reader: Reader) -> list[str]:
    """Assets of a listing, each once, in the order written; kinds stand for all of their assets."""
    written = listing.table.get("bases")
    if written is None:
        reader.bad(listing.mark, f"{listing.name} lacks 'bases'", "names or kinds of assets")
        return []
    nodes = written.items if isinstance(written.value, list) else [written]
    kinds = {asset.text("kind") for asset in assets.values()}
    found: dict[str, bool] = {}
    for node in nodes:
        of_kind = [name for name, asset in assets.items() if asset.text("kind") == node.value]
        if node.value in assets:
            found[node.value] = True
        elif of_kind:
            found.update(dict.fromkeys(of_kind, True))
        else:
            hint = nearest(str(node.value), [*assets, *kinds])
            reader.bad(node.mark, f"there is no asset or kind {node.value!r}", hint)
    return list(found)


def _instrument(listing: Node, base: str, asset: Node, market: Node, reader: Reader) -> Node:
    """One instrument; values that belong to the asset point at the asset's line."""

    def copy(node: Node) -> Node:
        value = node.value
        if isinstance(value, dict):
            value = {key: copy(item) for key, item in value.items()}
        elif isinstance(value, list):
            value = [copy(item) for item in value]
        elif isinstance(value, str):
            value = value.replace("{base}", base)
        return Node(value, node.mark, node.key_mark, node.name)

    item = copy(listing)
    table = item.table
    table["base"] = Node(base, listing.mark, listing.key_mark, f"{listing.name}.base")
    for key in SHARED:
        unused = key == "lot_size" and "contract_size" in table
        if key in market.table and key not in table and not unused:
            table[key] = copy(market.table[key])
    own = {key: table.pop(key) for key in _OWN if key in table}
    depth = _number(own, "depth_share", reader, 1) * _number(table, "depth_usd", reader, 0)
    if "depth_usd" in table:
        table["depth_usd"].value = depth.quantize(_MONEY_STEP)
    if "collar_per_beta" in own:
        beta = _number(asset.table, "beta", reader, 1)
        collar = (_number(own, "collar_per_beta", reader, 0) * beta).quantize(_RATIO_STEP)
        table.setdefault("liquidation_collar", _like(own["collar_per_beta"], collar))
    for key, target in (("slice_d1", "liquidation_slice"), ("takeover_d1", "takeover_limit")):
        if key in own:
            value = (_number(own, key, reader, 0) * depth).quantize(_MONEY_STEP)
            table.setdefault(target, _like(own[key], value))
    return item


def _like(node: Node, value: Decimal) -> Node:
    return Node(value, node.mark, node.key_mark, node.name)


def _number(table: dict[str, Node], key: str, reader: Reader, default: int) -> Decimal:
    """A number of a table as a decimal; what is none is recorded and counts as the default."""
    node = table.get(key)
    if node is None:
        return Decimal(default)
    value: Any = node.value
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not _sane(value):
        reader.wrong(node, "a number between 0 and 10^15")
        return Decimal(default)
    return Decimal(value)


def _sane(value: int | Decimal) -> bool:
    return Decimal(value).is_finite() and 0 <= value <= 10**15
