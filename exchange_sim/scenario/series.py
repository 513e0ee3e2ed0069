"""Many assets from one table: ``[assets.NAME]`` with ``count``.

``count = 1000`` in ``[assets.C]`` stands for the assets ``C0001`` to ``C1000``, all with the other
keys of the table.  ``beta`` and, in ``market``, ``price`` and ``depth_usd`` may be a table
``{ first, last }``: the numbers of the members then go from one to the other in equal ratios, as
sizes by rank do.  Prices are rounded to the market's ``tick_size``, the rest to 6 decimals.

``--set assets.C.count=100`` makes the market smaller; what was made is addressed by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from typing import Final

from exchange_sim.errors import Problem
from exchange_sim.scenario.kinds import Reader
from exchange_sim.scenario.tree import Node

COUNT_MAX: Final = 100_000
RANGED: Final = ("beta", "price", "depth_usd")
"""Keys that may go from a first to a last number."""
_ENDS: Final = frozenset({"first", "last"})
_STEP: Final = Decimal("0.000001")


def is_count(path: str) -> bool:
    """Whether ``--set`` with this path must come before series are written out."""
    keys = path.split(".")
    return len(keys) == 3 and keys[0] == "assets" and keys[2].strip() == "count"


def expand_series(root: Node, reader: Reader) -> dict[str, str]:
    """Write series of assets out, in place and in order.  Problems are recorded.

    Returns the series of each member.
    """
    assets = root.table.get("assets")
    made: dict[str, str] = {}
    if assets is None or not any("count" in asset.table for asset in assets.table.values()):
        return made
    written: dict[str, Node] = {}
    for name, asset in assets.table.items():
        count = asset.table.pop("count", None)
        if count is None:
            written[name] = asset
            continue
        size = count.value
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= COUNT_MAX:
            reader.wrong(count, f"a whole number from 1 to {COUNT_MAX}")
            size = 1
        width = len(str(size))
        for rank in range(size):
            member = f"{name}{rank + 1:0{width}d}"
            if member in assets.table:
                where = assets.table[member]
                reader.bad(where.key_mark, f"{where.name} is also one of assets.{name}")
            share = Decimal(rank) / max(1, size - 1)
            first = reader if rank == 0 else Reader()
            written[member] = _member(asset, f"assets.{member}", share, first)
            made[member] = name
    assets.value = written
    return made


def told_once(problems: Iterable[Problem], made: Mapping[str, str]) -> list[Problem]:
    """Problems without those that only repeat another one for a further member of a series."""
    found: dict[tuple[str, int, int, str], Problem] = {}
    for problem in problems:
        words = re.split(r"(\w+)", problem.message)
        message = "".join(made.get(word, word) for word in words)
        found.setdefault((problem.path, problem.line, problem.column, message), problem)
    return list(found.values())


def _member(node: Node, name: str, share: Decimal, reader: Reader) -> Node:
    """A copy of the series' table for one member."""
    table: dict[str, Node] = {}
    for key, child in node.table.items():
        ranged = key in RANGED and isinstance(child.value, dict)
        value = _between(child, share, reader) if ranged else child.value
        copied = Node(value, child.mark, child.key_mark, f"{name}.{key}")
        table[key] = _member(copied, copied.name, share, reader) if copied.table else copied
    price, tick = table.get("price"), table.get("tick_size")
    if price is not None and tick is not None and price.value != node.table["price"].value:
        price.value = _on_grid(price.value, tick.value)
    return Node(table, node.mark, node.key_mark, name)


def _between(node: Node, share: Decimal, reader: Reader) -> Decimal:
    """The number at ``share`` of the way, in equal ratios."""
    ends: list[Decimal] = []
    if node.table.keys() == _ENDS:
        ends = [number for number in map(_positive, _values(node)) if number is not None]
    if len(ends) != len(_ENDS):
        reader.wrong(node, "a number, or { first, last } with two numbers above 0")
        return Decimal(1)
    with localcontext() as context:
        context.prec = 28
        return (ends[0] * (ends[1] / ends[0]) ** share).quantize(_STEP, ROUND_HALF_EVEN)


def _values(node: Node) -> Iterable[object]:
    return (node.table[key].value for key in ("first", "last"))


def _positive(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() and 0 < number <= 10**15 else None


def _on_grid(price: object, tick: object) -> object:
    """The nearest multiple of the tick, at least one; anything else is left to the checks."""
    step, number = _positive(tick), _positive(price)
    if step is None or number is None:
        return price
    return max(Decimal(1), (number / step).quantize(Decimal(1), ROUND_HALF_EVEN)) * step
