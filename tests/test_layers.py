"""The tree is the architecture: imports point down, and the core stays pure.

Layers are the table below.  The checkers work on source text, so that each of them is shown to fail
on a planted mistake before it is trusted with the real tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracles.source import parse

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "exchange_sim"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("units", "ids", "errors", "rng", "limits"),
    ("model", "messages"),
    ("ledger", "matching", "risk", "credit", "defi", "issuer", "transfers"),
    ("world", "digest"),
    ("journal", "eventlog", "marketdata"),
    ("strategy", "recorded", "sim", "participants", "testing"),
    ("scenario", "analysis"),
    ("cli", "gym", "__main__"),
)
LAYER = {unit: layer for layer, units in enumerate(LAYERS) for unit in units}
ENGINES = LAYERS[2]
PURE = frozenset(unit for units in LAYERS[:4] for unit in units)
NO_FLOAT = frozenset({"ledger", "matching", "world"})
BANNED = {
    "time": frozenset(),
    "random": frozenset({"rng"}),
    "os": frozenset(),
    "datetime": frozenset({"units"}),
    "structlog": frozenset(),
    "numpy": frozenset({"risk"}),
    "simpy": frozenset(),
    "uuid": frozenset(),
    "secrets": frozenset(),
    "threading": frozenset(),
    "asyncio": frozenset(),
}
"""Modules that L0-L3 may not import, each with the units that own an exception."""

ESCAPE = "# det-ok:"
"""A line may break a determinism rule when it says why behind this mark."""


def unit_of(path: Path) -> str:
    """The first name below ``exchange_sim``: a top-level module or package."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and absolute dotted name of everything that is imported, lazily or not."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def layer_problems(unit: str, source: str) -> list[str]:
    """Imports of this unit that do not point down, or that cross between siblings of L2."""
    problems = []
    for line, name in imports(parse(source)):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top == "simpy" and unit != "sim":
            problems.append(f"{line}: only sim/ imports simpy")
        if top != "exchange_sim" or target in {"", unit, "__version__"}:
            continue
        if target not in LAYER:
            problems.append(f"{line}: {name} goes through the public facade or has no layer")
        elif LAYER[target] > LAYER[unit]:
            problems.append(f"{line}: {unit} (L{LAYER[unit]}) imports {target} (L{LAYER[target]})")
        elif unit in ENGINES and target in ENGINES:
            problems.append(
                f"{line}: engines exchange values through World, not {unit} -> {target}"
            )
        elif unit == "strategy" and target in {"recorded", "sim", "participants"}:
            problems.append(f"{line}: the plug-in API must not know who runs it ({target})")
    return problems


def is_set(node: ast.expr) -> bool:
    """Whether the expression is visibly a set."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return name in {"set", "frozenset"}


def purity_problems(unit: str, source: str) -> list[str]:
    """What L0-L3 may not do: clocks, randomness, I/O, floats in money code, iteration over sets."""
    tree, lines, found = parse(source), source.splitlines(), []
    for line, name in imports(tree):
        top = name.partition(".")[0]
        if top in BANNED and unit not in BANNED[top]:
            found.append((line, f"imports {top}"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"open", "print", "input", "id", "hash"}:
                found.append((node.lineno, f"calls {node.func.id}()"))
            if node.func.id == "float" and unit in NO_FLOAT:
                found.append((node.lineno, "calls float()"))
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and unit in NO_FLOAT:
            found.append((node.lineno, f"float literal {node.value}"))
        loops = (ast.For, ast.comprehension)
        if isinstance(node, loops) and is_set(node.iter):
            found.append((node.iter.lineno, "iterates over a set"))
    return [f"{line}: {what}" for line, what in found if ESCAPE not in lines[line - 1]]


SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")
IDS = [str(path.relative_to(ROOT)) for path in SOURCES]


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_imports_point_down(path: Path) -> None:
    """No module imports a higher layer, and no engine imports another engine."""
    assert layer_problems(unit_of(path), path.read_text()) == []


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if unit_of(path) in PURE], ids=lambda path: path.stem
)
def test_core_is_pure(path: Path) -> None:
    """L0-L3 read no clock, draw no random number, do no I/O and never depend on set order."""
    assert purity_problems(unit_of(path), path.read_text()) == []


def test_every_unit_has_a_layer() -> None:
    """A new package must be placed in the table before it can be used."""
    units = {unit_of(path) for path in SOURCES}

    assert units - set(LAYER) - {"_bundled"} == set()


def test_units_of_one_layer_do_not_import_each_other_in_a_circle() -> None:
    """Within a layer imports are allowed (above L2) but form no cycle."""
    edges: dict[str, set[str]] = {}
    for path in SOURCES:
        unit = unit_of(path)
        for _, name in imports(parse(path.read_text())):
            top, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if top == "exchange_sim" and target in LAYER and target != unit:
                edges.setdefault(unit, set()).add(target)

    def reaches(start: str, goal: str, seen: frozenset[str]) -> bool:
        following = sorted(edges.get(start, set()) - seen)
        return goal in following or any(reaches(unit, goal, seen | {unit}) for unit in following)

    assert [unit for unit in sorted(edges) if reaches(unit, unit, frozenset())] == []


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("ledger", "from exchange_sim.world import World"),
        ("ledger", "from exchange_sim.matching import book"),
        ("ledger", "import exchange_sim.matching.book"),
        ("strategy", "from exchange_sim.sim.run import Run"),
        ("scenario", "import simpy"),
        ("units", "def f():\n    from exchange_sim.model import order"),
        ("sim", "from exchange_sim import Strategy"),
    ],
)
def test_layer_checker_sees_planted_mistake(unit: str, source: str) -> None:
    """The checker of layers can fail."""
    assert layer_problems(unit, source) != []


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("world", "import time"),
        ("world", "from datetime import datetime"),
        ("units", "import random"),
        ("matching", "import numpy as np"),
        ("ledger", "x = float('1')"),
        ("ledger", "x = 0.5"),
        ("world", "for x in {1, 2}:\n    pass"),
        ("world", "y = [x for x in set(z)]"),
        ("risk", "open('x')"),
    ],
)
def test_purity_checker_sees_planted_mistake(unit: str, source: str) -> None:
    """The checker of purity can fail, and a reason beside the line silences it."""
    assert purity_problems(unit, source) != []
    first, *rest = source.splitlines()

    assert purity_problems(unit, "\n".join([f"{first}  {ESCAPE} a reason", *rest])) == []
