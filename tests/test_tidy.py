"""Style as a test: sizes, left-overs, docstrings, and a reason beside every exception to a rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracles.source import parse

ROOT = Path(__file__).parents[1]
MODULE_LINES = 400
MODULE_LINES_WITH_REASON = 600
FUNCTION_LINES = 60

PRODUCT = sorted([*(ROOT / "exchange_sim").rglob("*.py"), *(ROOT / "strategies").rglob("*.py")])
EVERYTHING = sorted(
    [*PRODUCT, *(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
)

Definition = ast.FunctionDef | ast.AsyncFunctionDef
LEFT_OVER = re.compile(
    r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b"
)
BARE_ESCAPE = re.compile(r"#\s*(noqa|type:\s*ignore)\b(:\s*[A-Z0-9, ]+|\[[a-z0-9, -]+\])?\s*(.*)$")


def name_of(path: Path) -> str:
    """The path as people write it."""
    return str(path.relative_to(ROOT))


def functions(tree: ast.AST) -> Iterator[Definition]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Definition))


def size_problems(source: str) -> list[str]:
    """Modules and functions that do not fit their budgets."""
    tree, problems = parse(source), []
    lines = len(source.splitlines())
    reason = "Length:" in (ast.get_docstring(tree) or "")
    if lines > (MODULE_LINES_WITH_REASON if reason else MODULE_LINES):
        problems.append(f"module has {lines} lines ('Length:' in its docstring allows 600)")
    for node in functions(tree):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            problems.append(f"{node.lineno}: {node.name} has {length} lines")
    return problems


def left_over_problems(source: str) -> list[str]:
    """Markers of unfinished work, and escapes from a linter without a reason beside them."""
    problems = []
    for number, line in enumerate(source.splitlines(), start=1):
        if LEFT_OVER.search(line):
            problems.append(f"{number}: left-over marker")
        escape = BARE_ESCAPE.search(line)
        if escape and (not escape[2] or len(escape[3]) < 8):
            problems.append(f"{number}: escape without a code and a reason")
    return problems


def docstring_problems(source: str) -> list[str]:
    """Public modules, classes and functions that do not say what they are."""
    tree = parse(source)
    problems = [] if ast.get_docstring(tree) else ["1: module without docstring"]

    def visit(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.ClassDef | Definition) or child.name.startswith("_"):
                continue
            marks = [ast.unparse(mark) for mark in child.decorator_list]
            exempt = any(mark.endswith(("overload", "override", ".setter")) for mark in marks)
            if not ast.get_docstring(child) and not exempt:
                problems.append(f"{child.lineno}: {inside}{child.name} without docstring")
            if isinstance(child, ast.ClassDef):
                visit(child, f"{inside}{child.name}.")

    visit(tree, "")
    return problems


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_sizes(path: Path) -> None:
    """A function fits a screen, a module fits a head."""
    assert size_problems(path.read_text()) == []


@pytest.mark.parametrize("path", EVERYTHING, ids=name_of)
def test_nothing_left_over(path: Path) -> None:
    """No unfinished work is marked in the tree, and every escape has its reason."""
    assert left_over_problems(path.read_text()) == []


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_public_things_are_documented(path: Path) -> None:
    """What a user can import says what it is."""
    assert docstring_problems(path.read_text()) == []


def test_checkers_can_fail() -> None:
    """Planted mistakes are found, and the nearest correct form is not."""
    body = "\n".join(f"    x{i} = {i}" for i in range(FUNCTION_LINES))
    assert size_problems(f"def f():\n{body}") != []
    assert size_problems("\n" * (MODULE_LINES + 1)) != []
    assert size_problems('"""A.\n\nLength: reason.\n"""' + "\n" * MODULE_LINES) == []
    assert left_over_problems("x = 1  # TO" + "DO later") != []
    assert left_over_problems("import x  # no" + "qa") != []
    assert left_over_problems("import x  # no" + "qa: F401") != []
    assert left_over_problems("import x  # no" + "qa: F401 re-exported for users") == []
    assert left_over_problems("x = y  # type: " + "ignore[arg-type]") != []
    assert docstring_problems('"""M."""\nclass A:\n    def f(self): ...\n') != []
    assert docstring_problems('"""M."""\nclass _A: ...\n') == []
