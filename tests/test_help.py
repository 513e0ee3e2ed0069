"""The list of commands: complete, in a sensible order, one line each; the pages name them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange_sim.cli import PANELS, app, main

ROOT = Path(__file__).parents[1]
LISTED = {name: line for lines in PANELS.values() for name, line in lines.items()}
LINE_MAX = 64
"""What fits beside the names on eighty columns."""


def test_every_command_has_its_line() -> None:
    """Nothing is listed that does not exist, nothing exists that is not listed."""
    known: list[Any] = [*app.registered_commands, *app.registered_groups]
    names = [info.name or info.callback.__name__ for info in known]
    assert sorted(names) == sorted(LISTED)
    for name, line in LISTED.items():
        assert len(line) <= LINE_MAX, name
        assert line.endswith("."), name


def test_help_shows_them_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    """One row for each command, in the order of the table."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    rows = [line.strip("│ ").split() for line in out.splitlines() if line.startswith("│ ")]
    shown = [row[0] for row in rows if row and row[0] in LISTED]
    assert sorted(shown) == sorted(LISTED)
    for lines in PANELS.values():
        ordered = [name for name in lines if name != "new"]
        places = [shown.index(name) for name in ordered]
        assert places == sorted(places)


@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_pages_name_every_command(page: str) -> None:
    """A reader of the page finds each of them."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in LISTED if f"`{name}`" not in text] == []
