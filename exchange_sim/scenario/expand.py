"""What is done to the tree before it is read: templates, and ``venue`` for ``venues``."""

from __future__ import annotations

from exchange_sim.scenario.kinds import Reader
from exchange_sim.scenario.tree import Node, identity, merge, nearest, rename

TEMPLATED = ("instruments", "participants", "populations")


def expand(root: Node, reader: Reader) -> None:
    """Fill in templates and normalise participants, in place.  Problems are recorded."""
    templates = root.table.pop("templates", None)
    known = templates.table if templates is not None else {}
    if templates is not None and not isinstance(templates.value, dict):
        reader.wrong(templates, "a table of tables")
    for name, template in known.items():
        if not isinstance(template.value, dict):
            reader.wrong(template, "a table")
            known[name] = Node({}, template.mark, template.key_mark, template.name)
    for key in TEMPLATED:
        array = root.table.get(key)
        if array is None or not isinstance(array.value, list):
            continue
        array.value = [_filled(item, known, reader) for item in array.items]
        for item in array.items:
            if key == "participants":
                _venue_to_venues(item, reader)
            if identity(item):
                rename(item, f"{key}.{identity(item)}")


def _filled(item: Node, templates: dict[str, Node], reader: Reader) -> Node:
    """The item laid on its template, that on its own template, and so on."""
    seen: list[str] = []
    filled = item
    while filled.text("template"):
        name = filled.text("template")
        mark = filled.table["template"].mark
        if name in seen:
            reader.incomplete.add(item.name)
            reader.bad(mark, "templates use each other in a circle: " + " -> ".join([*seen, name]))
            break
        if name not in templates:
            reader.incomplete.add(item.name)
            reader.bad(mark, f"there is no template {name!r}", nearest(name, templates))
            break
        seen.append(name)
        over = Node(dict(filled.table), item.mark, item.key_mark, item.name)
        over.value.pop("template")
        filled = _copy(merge(templates[name], over), item)
    if "template" in filled.table and seen:
        filled.value.pop("template")
    if seen:
        filled.value["template"] = item.table["template"]
    return filled


def _copy(node: Node, like: Node) -> Node:
    """A deep copy of the tables, so that two users of a template share no node."""

    def visit(old: Node) -> Node:
        value = old.value
        if isinstance(value, dict):
            value = {key: visit(item) for key, item in value.items()}
        elif isinstance(value, list):
            value = [visit(item) for item in value]
        return Node(value, old.mark, old.key_mark, old.name)

    fresh = visit(node)
    fresh.mark, fresh.key_mark = like.mark, like.key_mark
    for key, child in fresh.table.items():
        rename(child, f"{like.name}.{key}")
    return fresh


def _venue_to_venues(item: Node, reader: Reader) -> None:
    venue = item.table.pop("venue", None)
    if venue is None:
        return
    if "venues" in item.table:
        reader.bad(venue.key_mark, f"{item.name} has both 'venue' and 'venues'", "keep one")
        return
    rename(venue, f"{item.name}.venues")
    item.table["venues"] = venue
