"""The text of ``docs/reference/tables.md``: every table of a run, its units and its joins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from exchange_sim.analysis.columns import meanings
from exchange_sim.eventlog.book_summary import book_schema
from exchange_sim.eventlog.schema import event_schema, table_name
from exchange_sim.eventlog.tables import side_columns
from exchange_sim.messages import events as _events
from exchange_sim.messages.registry import EVENTS

assert _events.Traded.type_id in EVENTS  # Importing the module has filled the registry.

_INTRODUCTION: Final = """\
# Tables of a run

*Generated from the registry by `make docs`; do not edit.*

```python
from exchange_sim import open_run

run = open_run("runs/first_trade-1-...")
run.table("traded")  # pyarrow: the stored integers
run.view("traded")  # pyarrow: prices in decimals, names instead of ids, UTC timestamps
run.polars("traded")  # the same as a Polars data frame (extra `polars`)
run.sql("SELECT instrument, sum(quote_amount) FROM traded GROUP BY 1")  # DuckDB (extra `duckdb`)
run.batches("traded")  # stored integers, streamed row group by row group
run.book_of("BTCUSDT").at(run.instant("5s")).table(10)  # a book at an instant
```

Every event table starts with `seq` (the number of the command that caused the row, from 1) and
`time_ns` (nanoseconds since the epoch, UTC), and is ordered by them; rows of one command are in the
order of happening within a table. Stored columns are integers: *unit* says of what. The *view* has
the nearest double of each decimal, a name beside each id, and is null where nothing applies (an
instrument of -1). In SQL the views have the names of the tables, the stored ones live in schema
`raw`, and rows have the order that `ORDER BY` gives them; `instruments`, `accounts`, `assets`,
`venues` and `balances` are there too.

`open_run(path, partial=True)` reads what can be read of a damaged run; `run.losses` lists the rest.
"""

_JOINS: Final = """\
## Joins

| from | to | on |
| --- | --- | --- |
| `order_accepted` | its fills in `traded` | `order_id` = `maker_order` or `taker_order` |
| `order_accepted` | `order_replaced`, `order_triggered`, `order_canceled` | `order_id` |
| `traded` | what it moved in the ledger | itself: `base_amount`, `quote_amount`, fees, PnL |
| `traded` | loans and other movements that it caused | `seq` in `ledger_posted`, `loan_changed` |
| `ledger_posted` | `accounts` | `from_account`, `to_account` (ids) = `account` |
| any `account` | `accounts` | id = `account`; the owner has one account per venue |
| `liquidation_step` | the orders that it sent | `seq` and `account` in `order_accepted`, flag 4 |
| `liquidation_started` | the mark update that caused it | `seq` in `mark_price_updated` |
| `liquidation_ended` | `adl_executed`, `bad_debt_recorded`, `insurance_changed` | `seq` |
| `transaction_submitted` | its receipt in `transaction_executed`, `_failed` or `_dropped` | `tx` |
| `pool_liquidation` | what it moved | `seq` in `ledger_posted`, `pool_position_changed` |
| any `instrument` | `instruments` | id = `instrument`; ticks and lots as fractions there |

A balance is the sum of its `ledger_posted` rows and of the amounts, fees and PnL of its `traded`
rows; `verify` rebuilds all of them that way.

## Files with names

Positions are ids: row 7 of `_accounts` is account 7. `_chain` exists when there is a chain; its ids
count by kind.
"""


def render() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, _JOINS]
    for name in ("_instruments", "_accounts", "_assets", "_chain", "_balances"):
        rows = ((f"`{key}`", str(kind)) for key, kind in side_columns(name).items())
        parts += [f"### `events/{name}.parquet`\n", _table(("column", "type"), rows)]
    parts += ["## Book summary\n", _BOOK, _book(), "## Event tables\n", *_events_tables()]
    return "\n".join(parts)


_BOOK: Final = """\
`book_1s.parquet`: touch and depth of every book, every second. Depths are quote units within that
distance of the mid; prices are 0 while their side is empty.
"""


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = tuple(header)
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _book() -> str:
    rows = (
        (f"`{field.name}`", str(field.type), field.metadata[b"unit"].decode())
        for field in book_schema()
    )
    return _table(("column", "type", "unit"), rows)


def _events_tables() -> Iterator[str]:
    for _, kind in sorted(EVENTS.items()):
        yield f"### `{table_name(kind)}`\n"
        schema = event_schema(kind)
        rows = []
        for name, meaning in meanings(kind).items():
            field = schema.field(name)
            shown = ", ".join(f"`{column}`" for column in meaning.shown_as(name))
            unit = field.metadata[b"unit"].decode()
            rows.append((f"`{name}`", str(field.type), unit, shown, meaning.describe()))
        yield _table(("column", "type", "unit", "in the view", "which is"), rows)
