"""The reference pages are what the code says, and no page links to nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.event_pages import render
from docs.generate import FOLDER, pages
from exchange_sim.messages.registry import COMMANDS, EVENTS

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", sorted(pages()))
def test_reference_page_is_current(name: str) -> None:
    """``make docs`` was run after the last change."""
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_message_is_on_the_page_of_events() -> None:
    """Units first, then every message with every field, then the enumerations."""
    text = render()
    order = ["## Units", "## Commands", "## Events", "## Enumerations", "## Order flags"]

    assert sorted(order, key=text.index) == order
    for kind in [*COMMANDS.values(), *EVENTS.values()]:
        part = text.partition(f"### {kind.type_id} {kind.__name__}\n")[2].partition("\n### ")[0]
        assert all(f"| `{name}` |" in part for name in kind.field_names)
