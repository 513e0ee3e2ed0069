"""Mistakes in classes and their parameters, told together with the other mistakes of a file.

Classes are loaded and parameters are checked in full when a run is built.  A file with other
mistakes never gets there, so what can be said without the rest of the scenario is said here.
"""

from __future__ import annotations

import attrs

from exchange_sim.scenario.checks_people import class_file
from exchange_sim.scenario.participants import ParticipantDef
from exchange_sim.scenario.parts import Parts
from exchange_sim.scenario.tree import Node, nearest
from exchange_sim.strategy.load import StrategyLoadError, load_class


def check_classes(parts: Parts) -> None:
    """Record classes that cannot be loaded, and parameters that their classes do not have."""
    for node, item in parts.arrays.get("participants", []):
        _check_class(parts, node, item)


def _check_class(parts: Parts, node: Node, item: ParticipantDef) -> None:
    written = node.table["class"]
    file, _, name = item.class_ref.rpartition(":")
    reference = item.class_ref
    if file.endswith(".py"):
        path = class_file(file, written.mark.path).resolve()
        if not path.is_file():
            return  # Already told.
        reference = f"{path}:{name}"
    try:
        cls = load_class(reference)
    except StrategyLoadError as error:
        for problem in error.problems:
            parts.reader.bad(written.mark, problem.message, problem.hint)
        return
    fields = {field.alias or field.name for field in attrs.fields(cls.Params) if field.init}
    params = node.table.get("params")
    for key, value in params.table.items() if params is not None else ():
        if key not in fields:
            message = f"unknown parameter {key!r}"
            parts.reader.bad(value.key_mark, message, nearest(key, sorted(fields)))
