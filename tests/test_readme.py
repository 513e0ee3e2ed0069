"""Every command that the README and the start page show is run here, in order, in an empty folder.

``git``, ``make`` and ``source`` lines are the business of ``.ci/run`` and of the shell; the runs of
whole crashes are shortened to a slice, because the suite must stay short.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from pathlib import Path

import pytest

from exchange_sim.cli import main
from exchange_sim.errors import DeterminismMismatch

ROOT = Path(__file__).parents[1]
PAGES = (
    "README.md",
    "docs/start.md",
    "docs/guides/learning.md",
    "docs/guides/export.md",
    "docs/guides/recorded.md",
)
SHELL_ONLY = ("git ", "make ", "source ", "pip ")
LONG = ("oct10_article", "oct10_record", "calm")
EXIT_OF = {"diff": int(DeterminismMismatch.exit_code)}
"""The pages compare runs that differ."""


def blocks(page: str, language: str) -> list[str]:
    """Fenced blocks of one language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Lines that start with ``$`` in console blocks."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [line[2:].strip() for line in lines if line.startswith("$ ")]


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader would stand: nothing but an empty folder."""
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(KeyError):
        monkeypatch.delenv("COLUMNS")
    return tmp_path


def expanded(words: list[str], folder: Path) -> list[str]:
    """What the shell would do to ``*``."""
    out: list[str] = []
    for word in words:
        found = sorted(str(path.relative_to(folder)) for path in folder.glob(word))
        out += found if "*" in word and found else [word]
    return out


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_the_page_does_what_it_says(page: str, empty_folder: Path) -> None:
    """Commands succeed; the one that shows an error fails with a located message."""
    shown = commands(page)
    assert shown, f"{page} shows no command"
    for line in shown:
        if line.startswith(SHELL_ONLY):
            continue
        words = expanded(shlex.split(line), empty_folder)
        assert words[0] == "exchange-sim", f"{page}: do not know how to run {line!r}"
        if words[1:2] == ["run"] and words[2] in LONG and "--until" not in words:
            words += ["--until", "20s"]
        expected = 2 if "mark_intervall" in line else EXIT_OF.get(words[1], 0)

        assert main(words[1:]) == expected, line


@pytest.mark.parametrize("page", PAGES)
def test_every_python_block_runs(page: str, empty_folder: Path) -> None:
    """Python blocks run after the page's commands, in the same folder."""
    assert main(["run", "first_trade", "--out", "runs", "--quiet"]) == 0
    for block in blocks(page, "python"):
        if "class " in block:
            (empty_folder / "bot.py").write_text(block, encoding="utf-8")
            assert main(["run", "first_trade", "--strategy", "bot.py:Buyer", "--venue", "demo",
                         "--capital", "USDT=100000", "--no-log", "--quiet"]) == 0  # fmt: skip
        else:
            exec(compile(block, page, "exec"), {})
