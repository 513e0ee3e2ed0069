"""Write the pages of ``docs/reference`` from the code: ``make docs``.

A test fails when a page is not what this module would write.
"""

from __future__ import annotations

import inspect
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs

from docs import callback_pages, event_pages, table_pages
from exchange_sim import errors, limits
from exchange_sim.messages import venue_codes
from exchange_sim.scenario.kinds import Items, Of, Table, fields_of
from exchange_sim.scenario.participants import LatencyDef, LinkDef
from exchange_sim.scenario.rules import RULE_TABLES
from exchange_sim.scenario.schema import Tables
from exchange_sim.units import NANOS_PER_MS, NANOS_PER_S

FOLDER = Path(__file__).parent / "reference"

SCENARIO_INTRODUCTION = """# Scenario files

TOML, read strictly: unknown keys, wrong types, dangling names and impossible values are reported
all at once, each with file, line and column. Decimals are exact, with or without quotes.
The order of tables and items does not matter.

`extends = "name"` lays a file on another one: tables key by key, and `[[instruments]]`,
`[[participants]]`, `[[populations]]`, `[[shocks]]`, `[[outages]]` item by item, by name
(instruments by venue and symbol). `[templates.NAME]` holds keys that instruments, participants and
populations take over with `template = "NAME"`.

`[listings.NAME]` lists many instruments at once: one for each asset of `bases` (names or kinds of
assets), with `price`, `tick_size`, `lot_size` and `depth_usd` from `[assets.NAME.market]`. Its
other keys are those of an instrument; texts may hold `{base}`. `depth_share` scales the depth,
`collar_per_beta`, `slice_d1` and `takeover_d1` give the liquidation collar per unit of beta and the
liquidation slice and takeover limit in D1 of the book. An `[[instruments]]` item of the same venue
and symbol is laid on it.

`count = 1000` in `[assets.C]` stands for the assets `C0001` to `C1000`; `beta` and, in `market`,
`price` and `depth_usd` may then be `{ first = 400, last = 4 }`, in equal ratios from the first
asset to the last.
"""


def pages() -> dict[str, str]:
    """Every page by file name."""
    return {
        "events.md": event_pages.render(),
        "tables.md": table_pages.render(),
        "callbacks.md": callback_pages.render(),
        "scenario.md": _scenario(),
        "limits.md": _limits(),
        "exit-codes.md": _exit_codes(),
        "venue-codes.md": _venue_codes(),
    }


def _venue_codes() -> str:
    """Numbered reasons and the codes of the leading venue."""
    parts = ["# Codes of the leading venue\n"]
    parts.append(_text(venue_codes.__doc__) + "\n")
    for title, table in (
        ("Refusals", venue_codes.REJECT_CODES),
        ("Orders that end without trading in full", venue_codes.CANCEL_CODES),
    ):
        rows: list[tuple[str, ...]] = [("number", "reason", "spot", "futures", "note")]
        for reason, code in table.items():
            known = [str(number) if number else "" for number in (code.spot, code.futures)]
            rows.append((str(int(reason)), f"`{reason.name}`", *known, code.note))
        parts.append(f"## {title}\n\n{_table(*rows)}")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def _table(*rows: tuple[str, ...]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def _text(documentation: str | None) -> str:
    return inspect.cleandoc(documentation or "").replace("``", "`")


def _scenario() -> str:
    parts = [SCENARIO_INTRODUCTION]
    for key, field in fields_of(Tables).items():
        kind = field.metadata["kind"]
        header = f"[[{key}]]" if isinstance(kind, Items) else f"[{key}]"
        header = f"[{key}.NAME]" if isinstance(kind, Table) else header
        parts.append(f"## {header}\n\n{field.metadata['doc']}\n")
        parts.append(_fields(_class_of(kind)))
    for cls in (LatencyDef, LinkDef, *RULE_TABLES):
        parts.append(f"## {cls.__name__}\n\n{_text(cls.__doc__)}\n")
        parts.append(_fields(cls))
    return "\n".join(parts)


def _class_of(kind: Any) -> type:
    while not isinstance(kind, Of):
        kind = kind.kind
    return kind.cls


def _fields(cls: type) -> str:
    rows = []
    for key, field in fields_of(cls).items():
        default = "required" if field.metadata["required"] else _written(field)
        rows.append((f"`{key}`", field.metadata["kind"].describe(), default, field.metadata["doc"]))
    return _table(("key", "takes", "default", "meaning"), *rows)


def _written(field: attrs.Attribute[Any]) -> str:
    """The default as a scenario would say it; nothing for empty ones and whole tables."""
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and field.metadata["unit"] == "ns":
        return (
            f'"{value // NANOS_PER_MS}ms"' if value % NANOS_PER_S else f'"{value // NANOS_PER_S}s"'
        )
    return str(value) if isinstance(value, int | Decimal | str) else ""


def _limits() -> str:
    source = inspect.getsource(limits).split("\n\n")
    rows = []
    for block in source:
        name, _, rest = block.partition(": Final = ")
        if rest:
            rows.append(
                (f"`{name.strip()}`", f"{getattr(limits, name.strip()):,}", rest.split('"""')[1])
            )
    return f"# Limits\n\n{_text(limits.__doc__)}\n\n" + _table(("name", "value", "reason"), *rows)


def _exit_codes() -> str:
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.ExchangeSimError)
    ]
    rows = [(str(cls.exit_code), f"`{cls.__name__}`", _text(cls.__doc__)) for cls in classes]
    rows += [("0", "", "Success."), ("130", "", "Interrupted by Ctrl-C; the log is closed.")]
    return "# Exit codes\n\n" + _table(
        ("code", "error", "meaning"), *sorted(rows, key=lambda row: int(row[0]))
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
