"""Markets that the parameters of strategies name: those that do not exist are told before the run.

A parameter is the name of a market by convention: it is called ``symbol``, ends in ``_symbol``, or
is one of the words below that the reference strategies use.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs

from exchange_sim.errors import Problem
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.tree import nearest

WORDS: Final = ("symbol", "symbols", "hedge", "first", "second", "sibling")


def symbol_problems(scenario: Scenario, where: str, params: Any) -> Iterator[Problem]:
    """A located problem for every market that does not exist; ``where`` names the parameters."""
    known = [item.name for item in scenario.instruments]
    for path, name in _named(params, ""):
        if name and name not in known:
            message = f"there is no market {name!r} for parameter {path!r}"
            yield scenario.problem(f"{where}.{path}", message, nearest(name, known))


def _named(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Paths and values of the parameters that name markets."""
    if not attrs.has(type(value)):
        return
    for field in attrs.fields(type(value)):
        key = field.alias or field.name
        inner = f"{path}.{key}" if path else key
        item = getattr(value, field.name)
        chosen = key in WORDS or key.endswith(("_symbol", "_symbols"))
        for each in item if _is_list(item) else (item,):
            if chosen and isinstance(each, str):
                yield inner, each
            yield from _named(each, inner)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
