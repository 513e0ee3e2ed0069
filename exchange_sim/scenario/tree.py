"""A parsed scenario in which every value knows where it was written.

Tables are ``dict[str, Node]``, arrays ``list[Node]``, everything else is the plain value.  Nodes
are what ``extends``, templates and ``--set`` work on; the structurer turns them into schema
classes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import attrs

from exchange_sim.errors import Problem
from exchange_sim.scenario.positions import Path, Place

NAMED_ARRAYS = ("instruments", "participants", "populations", "shocks", "outages", "halts")
"""Top-level arrays of tables whose items have a name and are merged by it."""


@attrs.frozen
class Mark:
    """A place that an error can point at; line 0 when it is not in a file (``--set``)."""

    path: str
    line: int = 0
    column: int = 0

    def problem(self, message: str, hint: str = "") -> Problem:
        """The located mistake."""
        return Problem(self.path, self.line, self.column, message, hint)


@attrs.define
class Node:
    """A value, the place of its key and of itself, and its dotted address for people."""

    value: Any
    mark: Mark
    key_mark: Mark
    name: str

    @property
    def table(self) -> dict[str, Node]:
        """Its items if it is a table, else nothing."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Its items if it is an array, else nothing."""
        return self.value if isinstance(self.value, list) else []

    def text(self, key: str) -> str:
        """The text under ``key``, or nothing if there is none."""
        item = self.table.get(key)
        return item.value if item is not None and isinstance(item.value, str) else ""


def identity(item: Node) -> str:
    """What an item of a named array is called: its name, or venue and symbol; empty if neither."""
    if item.text("name"):
        return item.text("name")
    venue, symbol = item.text("venue"), item.text("symbol")
    return f"{venue}:{symbol}" if venue and symbol else ""


def build(data: Any, found: dict[Path, Place], file: str) -> Node:
    """Join a parsed document with the positions of its parts."""

    def visit(value: Any, path: Path, name: str) -> Node:
        place = found.get(path, Place((1, 1), (1, 1)))
        node = Node(value, Mark(file, *place.value), Mark(file, *place.key), name)
        if isinstance(value, dict):
            node.value = {
                key: visit(item, (*path, key), f"{name}.{key}" if name else key)
                for key, item in value.items()
            }
        elif isinstance(value, list):
            node.value = [
                visit(item, (*path, index), f"{name}[{index + 1}]")
                for index, item in enumerate(value)
            ]
        return node

    root = visit(data, (), "")
    for key in NAMED_ARRAYS:
        array = root.table.get(key)
        for item in array.items if array is not None else []:
            if identity(item):
                rename(item, f"{key}.{identity(item)}")
    return root


def rename(node: Node, name: str) -> None:
    """Give a node and everything in it a new address."""
    old = len(node.name)
    stack = [node]
    while stack:
        item = stack.pop()
        item.name = name + item.name[old:]
        stack.extend(item.table.values())
        stack.extend(item.items)


def merge(base: Node, over: Node, *, top: bool = False) -> Node:
    """Lay ``over`` on ``base``: tables key by key, named arrays item by item, the rest replaced.

    The base keeps its order; what is new comes behind it.  Neither input is changed.
    """
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(base.value)
    for key, node in over.value.items():
        if key not in merged:
            merged[key] = node
        elif top and key in NAMED_ARRAYS:
            merged[key] = _merge_named(merged[key], node)
        else:
            merged[key] = merge(merged[key], node)
    return Node(merged, over.mark, over.key_mark, over.name)


def _merge_named(base: Node, over: Node) -> Node:
    if not (isinstance(base.value, list) and isinstance(over.value, list)):
        return over
    items = list(base.value)
    by_name = {identity(item): at for at, item in reversed(list(enumerate(items)))}
    for item in over.value:
        name = identity(item)
        if name and name in by_name:
            at = by_name.pop(name)  # once: the second of a file stays behind and is found later
            items[at] = merge(items[at], item)
        else:
            items.append(item)
    return Node(items, over.mark, over.key_mark, over.name)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest of the known words, or lists them when none is close."""
    names = sorted(known)
    folded = {name.casefold(): name for name in names}
    close = [folded[word.casefold()]] if word.casefold() in folded else []
    close = close or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not names:
        return ""
    listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {listed}"
