"""Everything in ``examples/`` is run, in an empty folder, and says what it promises."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.harness import ROOT, environment_with

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
SAYS = {
    "add_a_bot": r"profit -?[\d,.]+, survived: (True|False)\n +spread +-?[\d,.]+\n",
    "ask_sql": r"mm-1.*leading:ALTUSDT-PERP.*forced_pct|forced_pct.*leading:ALTUSDT-PERP",
    "margin_aware": r"Plain: liquidated, [\d,]+ left.*\nAware: survived, [1-9][\d,]+ left",
    "run_and_look": r"20:50:00 +10\.\d+ +#+\n.*report: runs/small_crash-11-\w+/report\.html",
    "train_a_learner": r"start .*bp\nbetter .*unseen .* bp",
    "without_a_mechanism": r"everything on +fell \d.*--without mm_withdrawal +fell \d.*adl",
}
"""A pattern of the output of each."""


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_scripts_run(script: Path, tmp_path: Path) -> None:
    """In a process of its own, within seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment_with(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    assert re.search(SAYS[script.stem], done.stdout, flags=re.DOTALL), done.stdout


def test_all_are_listed() -> None:
    """The page of the folder names each file, and nothing else."""
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"}}
    assert set(re.findall(r"`(\w+\.(?:py|ipynb))`", page)) == names


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells in order, each last expression shown as a notebook would show it."""
    monkeypatch.chdir(tmp_path)
    book = json.loads((EXAMPLES / "tour.ipynb").read_text(encoding="utf-8"))
    assert (book["nbformat"], book["metadata"]["language_info"]["name"]) == (4, "python")
    module = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    shown: list[str] = []
    for number, cell in enumerate(book["cells"]):
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == []
        value = executed("".join(cell["source"]), f"cell {number}", vars(module))
        if hasattr(value, "_repr_html_"):
            shown.append(value._repr_html_())

    assert len(shown) == 3
    assert all(text.startswith("<div>") and "<table>" in text for text in shown)
    assert "small_crash" in shown[0]
    assert "report.html" in shown[1]
    assert "quoter" in shown[2]


def executed(source: str, name: str, space: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line if that is an expression."""
    tree = ast.parse(source, name)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, name, "exec"), space)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), space)
    return eval(compile(ast.Expression(last.value), name, "eval"), space)
