"""Changes from the command line: ``--set path=value``, ``--without mechanism``, ``--seed``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from exchange_sim.scenario.kinds import Kind, Of, Reader, Table, fields_of
from exchange_sim.scenario.mechanisms import Mechanisms
from exchange_sim.scenario.schema import Tables
from exchange_sim.scenario.tree import NAMED_ARRAYS, Mark, Node, build, identity, nearest

NAMED_TABLES = ("assets", "venues", "brackets", "latency", "templates")
"""Tables whose keys are names; ``--set`` changes what exists and adds nothing to them."""


def apply_overrides(root: Node, overrides: Iterable[str], reader: Reader) -> None:
    """Apply ``path=value`` texts in order; a later one wins.

    A path addresses tables by key and array items by name or by position from 1:
    ``instruments.leading:BTCUSDT.depth_usd=2000000``.  Problems are recorded with the nearest
    names.
    """
    for text in overrides:
        mark = Mark(f"--set {text}")
        path, equals, value = text.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or not all(keys):
            reader.bad(mark, "must be path=value", "--set venues.leading.service_time=50us")
            continue
        _assign(root, keys, read_value(value.strip(), mark, ".".join(keys)), mark, reader)


def apply_without(root: Node, mechanisms: Iterable[str], reader: Reader) -> None:
    """Switch mechanisms off."""
    known = fields_of(Mechanisms)
    for name in mechanisms:
        mark = Mark(f"--without {name}")
        if name not in known:
            reader.bad(mark, f"unknown mechanism {name!r}", nearest(name, known))
            continue
        node = Node(False, mark, mark, f"mechanisms.{name}")
        _assign(root, ["mechanisms", name], node, mark, reader)


def apply_seed(root: Node, seed: int, reader: Reader) -> None:
    """Replace the seed."""
    mark = Mark(f"--seed {seed}")
    node = Node(seed, mark, mark, "scenario.seed")
    _assign(root, ["scenario", "seed"], node, mark, reader)


def read_value(text: str, mark: Mark, name: str) -> Node:
    """The value as TOML; what is not TOML is taken as text, so that quotes are rarely needed."""
    value: Any = text
    try:
        document = tomllib.loads(f"value = {text}", parse_float=Decimal)
        if set(document) == {"value"}:
            value = document["value"]
    except (ValueError, ArithmeticError, RecursionError):
        value = text
    node = build({"value": value}, {}, mark.path).table["value"]
    stack = [node]
    while stack:
        item = stack.pop()
        item.mark = item.key_mark = mark
        item.name = name + item.name[len("value") :]
        stack.extend([*item.table.values(), *item.items])
    return node


def _assign(root: Node, keys: list[str], value: Node, mark: Mark, reader: Reader) -> None:
    node = root
    kind: Kind | None = Of(Tables)
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        where = ".".join(keys[: depth + 1])
        if isinstance(node.value, list):
            found = _item(node, key)
            if found is None:
                known = [identity(item) for item in node.items if identity(item)]
                hint = nearest(key, known) or f"positions: 1 to {len(node.items)}"
                reader.bad(mark, f"there is no {where!r}", hint)
                return
            if last:
                node.value[node.items.index(found)] = value
                return
            node = found
            continue
        if not isinstance(node.value, dict):
            reader.bad(mark, f"{node.name!r} is a value, not a table")
            return
        names = _names(node, kind, depth, keys)
        if names is not None and key not in names:
            reader.bad(mark, f"there is no {where!r}", nearest(key, names))
            return
        kind = _kind_below(kind, key)
        if last and depth == 0 and not _same_shape(node.table.get(key), value):
            reader.bad(mark, f"{key!r} is not one value", "name the value in it: --set a.b=c")
            return
        if last:
            node.value[key] = value
            return
        if key not in node.value:
            node.value[key] = Node({}, mark, mark, where)
        node = node.value[key]


def _same_shape(old: Node | None, new: Node) -> bool:
    return old is None or type(old.value) is type(new.value)


def _item(array: Node, key: str) -> Node | None:
    for item in array.items:
        if identity(item) == key:
            return item
    if key.isdecimal() and len(key) < 9 and 1 <= int(key) <= len(array.items):
        return array.items[int(key) - 1]
    return None


def _names(node: Node, kind: Kind | None, depth: int, keys: list[str]) -> list[str] | None:
    """The keys that may follow here, or None when anything may."""
    if depth == 0:
        return [*fields_of(Tables), "templates"]
    if depth == 1 and keys[0] in NAMED_TABLES:
        return list(node.value)
    if keys[0] in NAMED_ARRAYS or keys[0] == "templates":
        return None
    return list(fields_of(kind.cls)) if isinstance(kind, Of) else None


def _kind_below(kind: Kind | None, key: str) -> Kind | None:
    if isinstance(kind, Of) and key in fields_of(kind.cls):
        below: Kind = fields_of(kind.cls)[key].metadata["kind"]
        return below
    return kind.kind if isinstance(kind, Table) else None
