"""The tables of a scenario while it is being checked: what could be read, and where it stands.

Reading goes on after a mistake, so that all of them are reported at once.  An item with a mistake
is left out of its table but its name stays known, so that it causes no dangling references.
"""

from __future__ import annotations

from typing import Any, TypeVar

import attrs

from exchange_sim.scenario.kinds import INVALID, Items, Of, Reader, Table, fields_of
from exchange_sim.scenario.schema import Tables
from exchange_sim.scenario.times import instant_ns
from exchange_sim.scenario.tree import Node, identity, nearest

T = TypeVar("T")


@attrs.define
class Parts:
    """Readable items per top-level key, each with its node."""

    root: Node
    reader: Reader
    values: dict[str, Any] = attrs.field(factory=dict)
    tables: dict[str, dict[str, tuple[Node, Any]]] = attrs.field(factory=dict)
    arrays: dict[str, list[tuple[Node, Any]]] = attrs.field(factory=dict)

    def chain_name(self) -> str:
        """What the chain is called among the venues; empty when there is none."""
        node = self.root.table.get("chain")
        return (node.text("name") or "chain") if node is not None else ""

    def names(self, key: str) -> list[str]:
        """All names under a key, those of unreadable items included; the chain is a venue too."""
        found = self._names(key)
        return [*found, self.chain_name()] if key == "venues" and self.chain_name() else found

    def _names(self, key: str) -> list[str]:
        node = self.root.table.get(key)
        if node is None:
            return []
        return list(node.table) or [identity(item) for item in node.items if identity(item)]

    def get(self, key: str, name: str) -> Any:
        """A readable item of a table, or None if it does not exist or could not be read."""
        found = self.tables.get(key, {}).get(name)
        return found[1] if found is not None else None

    def resolve(self) -> None:
        """Record every reference to something that does not exist."""
        names = {ref.table: self.names(ref.table) for _, ref in self.reader.references}
        misplaced = self._misplaced_symbols()
        for node, ref in self.reader.references:
            follows = ref.table == "instruments" and node.value.partition(":")[2] in misplaced
            if node.value not in names[ref.table] and not follows:
                hint = nearest(node.value, names[ref.table])
                self.reader.bad(node.mark, f"there is no {ref.what} {node.value!r}", hint)

    def build(self, cls: type[T], **more: Any) -> T:
        """The whole, when no problem was found, in the order of the names."""
        values = dict(self.values)
        for key, items in self.tables.items():
            values[key] = {name: item for name, (_, item) in sorted(items.items())}
        for key, listed in self.arrays.items():
            values[key] = tuple(item for _, item in sorted(listed, key=_by_name))
        return cls(**values, **more)

    def _misplaced_symbols(self) -> set[str]:
        """Symbols on venues that do not exist: references to them are no mistake of their own."""
        array, venues = self.root.table.get("instruments"), self.names("venues")
        items = array.items if array is not None else []
        return {item.text("symbol") for item in items if item.text("venue") not in venues}


def read_parts(root: Node, reader: Reader) -> Parts:
    """Read every table and item on its own.  Problems are recorded in ``reader``."""
    about = root.table.get("scenario")
    start = about.table.get("start") if about is not None else None
    reader.start_ns = (instant_ns(start.value) or 0) if start is not None else 0
    parts = Parts(root, reader)
    fields = fields_of(Tables)
    for key, node in root.table.items():
        if key not in fields:
            reader.bad(node.key_mark, f"unknown table {key!r}", nearest(key, fields))
    for key, field in fields.items():
        kind, found = field.metadata["kind"], root.table.get(key)
        if found is None:
            if field.metadata["required"]:
                header = f"[[{key}]]" if isinstance(kind, Items) else f"[{key}]"
                reader.bad(root.mark, f"the scenario lacks {header}", field.metadata["doc"])
        elif isinstance(kind, Table) and isinstance(found.value, dict):
            readable = {
                name: (item, kind.kind.read(item, reader)) for name, item in found.table.items()
            }
            Table(_Anything(), kind.keys).read(found, reader)
            parts.tables[key] = {k: v for k, v in readable.items() if v[1] is not INVALID}
        elif (
            isinstance(kind, Items) and isinstance(kind.kind, Of) and isinstance(found.value, list)
        ):
            listed = [(item, kind.kind.read(item, reader)) for item in found.items]
            parts.arrays[key] = [pair for pair in listed if pair[1] is not INVALID]
        else:
            value = kind.read(found, reader)
            if value is not INVALID:
                parts.values[field.name] = value
    parts.resolve()
    return parts


def _by_name(pair: tuple[Node, Any]) -> tuple[str, int, int]:
    node, _ = pair
    return identity(node), node.mark.line, node.mark.column


@attrs.frozen
class _Anything:
    """Reads nothing: lets ``Table`` check the names alone."""

    def read(self, node: Node, reader: Reader) -> Any:
        del reader
        return node

    def describe(self) -> str:
        return "anything"
