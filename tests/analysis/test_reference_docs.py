"""The reference page is what the registry says."""

from __future__ import annotations

from pathlib import Path

from exchange_sim.analysis.reference_docs import PAGE, main, render
from exchange_sim.messages.registry import COMMANDS, EVENTS

ROOT = Path(__file__).parents[2]


def test_page_is_current() -> None:
    """Run ``python -m exchange_sim.analysis.reference_docs`` after a change of the messages."""
    assert (ROOT / PAGE).read_text(encoding="utf-8") == render()


def test_page_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    assert main([str(tmp_path / "x" / "page.md")]) == 0
    assert (tmp_path / "x" / "page.md").read_text(encoding="utf-8") == render()


def test_page_has_everything() -> None:
    """Units first, then every message with every field, then the enumerations."""
    text = render()
    order = ["## Units", "## Commands", "## Events", "## Enumerations", "## Order flags"]

    assert sorted(order, key=text.index) == order
    for kind in [*COMMANDS.values(), *EVENTS.values()]:
        part = text.partition(f"### {kind.type_id} {kind.__name__}\n")[2].partition("\n### ")[0]
        assert all(f"| `{name}` |" in part for name in kind.field_names)
