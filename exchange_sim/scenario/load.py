"""From a scenario's name to a checked ``Scenario``, or to all of its mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.scenario.addition import Addition
from exchange_sim.scenario.checks import check
from exchange_sim.scenario.checks_chain import check_chain
from exchange_sim.scenario.checks_classes import check_classes
from exchange_sim.scenario.checks_lending import check_lending
from exchange_sim.scenario.checks_people import check_people, class_file
from exchange_sim.scenario.expand import expand
from exchange_sim.scenario.files import failed, find, make_strategies_importable, read_chain
from exchange_sim.scenario.kinds import Reader
from exchange_sim.scenario.listings import expand_listings
from exchange_sim.scenario.mechanisms import Mechanisms
from exchange_sim.scenario.overrides import apply_overrides, apply_seed, apply_without
from exchange_sim.scenario.participants import LatencyDef, ParticipantDef
from exchange_sim.scenario.parts import Parts, read_parts
from exchange_sim.scenario.recorded_def import RecordedDef
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.series import expand_series, is_count, told_once
from exchange_sim.scenario.stock import with_stock
from exchange_sim.scenario.tree import Mark, Node

SWITCH_OF_POPULATION = {
    "stale_bids": "stale_bids",
    "borrowers": "cefi_loans",
    "loopers": "loop_lending",
}
"""The mechanism that switches a population when its item names none."""

SWITCH_OF_OUTAGE = {"transfers": "transfer_suspension"}
"""The mechanism that switches an outage when its item names none."""


def load(
    name_or_path: str | Path,
    overrides: Sequence[str] = (),
    without: Iterable[str] = (),
    seed: int | None = None,
    addition: Addition | None = None,
) -> Scenario:
    """Load a scenario by name (``oct10_article``) or by the path of a ``.toml`` file.

    ``overrides`` are ``path=value`` texts, ``without`` the mechanisms to switch off; ``seed``
    replaces the scenario's; ``addition`` is one more participant.  Raises ``ScenarioError`` with
    every problem, each located.
    """
    make_strategies_importable()
    try:
        return _load(str(name_or_path), overrides, without, seed, addition)
    except RecursionError:
        raise failed(Mark(str(name_or_path), 1, 1).problem("nested too deeply")) from None


def _load(
    name_or_path: str,
    overrides: Sequence[str],
    without: Iterable[str],
    seed: int | None,
    addition: Addition | None,
) -> Scenario:
    root, sources = read_chain(find(name_or_path))
    reader = Reader()
    made: dict[str, str] = {}
    if isinstance(root.value, dict):
        counts = [text for text in overrides if is_count(text.partition("=")[0])]
        apply_overrides(root, counts, reader)
        made = expand_series(root, reader)
        expand_listings(root, reader)
        apply_overrides(root, [text for text in overrides if text not in counts], reader)
        apply_without(root, without, reader)
        if seed is not None:
            apply_seed(root, seed, reader)
        if addition is not None:
            addition.apply(root, reader)
    expand(root, reader)
    parts = read_parts(root, reader)
    check(parts)
    check_people(parts)
    check_lending(parts)
    check_chain(parts)
    if reader.problems:
        check_classes(parts)
        raise failed(*sorted(told_once(reader.problems, made), key=_order(sources[0].path)))
    _finish(parts)
    return with_stock(parts.build(Scenario, sources=sources, marks=_marks(root)))


def _order(first: str) -> Any:
    """Problems of the named file first, then by file, line and column."""

    def key(problem: Problem) -> tuple[bool, str, int, int, str]:
        other = problem.path != first
        return other, problem.path, problem.line, problem.column, problem.message

    return key


def _finish(parts: Parts) -> None:
    """Resolve what refers to something, and drop what is switched off."""
    mechanisms = parts.values.get("mechanisms", Mechanisms())
    for key, items in parts.arrays.items():
        if key == "instruments":
            continue
        if key == "shocks":
            # Parameters may refer to a shock that is off: it stays known, as disabled.
            parts.arrays[key] = [
                (node, attrs.evolve(item, enabled=item.enabled and _switched_on(mechanisms, item)))
                for node, item in items
            ]
            continue
        parts.arrays[key] = [
            (node, _resolved(parts, node, item))
            for node, item in items
            if item.enabled and _switched_on(mechanisms, item)
        ]


def _switched_on(mechanisms: Mechanisms, item: Any) -> bool:
    kind = getattr(item, "kind", "")
    default = SWITCH_OF_OUTAGE.get(kind, "") or SWITCH_OF_POPULATION.get(kind, "")
    switch = item.enabled_by or default
    return not switch or bool(getattr(mechanisms, switch))


def _resolved(parts: Parts, node: Node, item: Any) -> Any:
    if isinstance(item, RecordedDef):
        return attrs.evolve(item, file=str(class_file(item.file, node.table["file"].mark.path)))
    if not isinstance(item, ParticipantDef):
        return item
    if isinstance(item.latency, str):
        profile: LatencyDef = parts.get("latency", item.latency)
        item = attrs.evolve(item, latency=profile)
    file, _, name = item.class_ref.rpartition(":")
    if file.endswith(".py"):
        path = class_file(file, node.table["class"].mark.path)
        item = attrs.evolve(item, class_ref=f"{path}:{name}")
    return item


def _marks(root: Node) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        marks[node.name] = node.mark
        stack.extend(node.table.values())
        stack.extend(node.items)
    return marks


def problems_of(name_or_path: str | Path) -> tuple[Problem, ...]:
    """Every mistake of a scenario; nothing when it can be used."""
    try:
        load(name_or_path)
    except ScenarioError as error:
        return error.problems
    return ()
