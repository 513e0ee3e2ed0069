"""``explain``: what happened to an account or an order, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange_sim.cli.losses import tell_losses
from exchange_sim.cli.render import output
from exchange_sim.errors import JournalCorrupt, UsageError

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

EXPLAIN_EPILOG = """[bold]Examples[/bold]

exchange-sim explain runs/calm-1-0001

exchange-sim explain runs/calm-1-0001 --account mm-1

exchange-sim explain runs/calm-1-0001 --order 1234
"""

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.", show_default=False)]
AccountOption = Annotated[
    str, typer.Option("--account", metavar="A", help="An owner, venue:owner, or an account's id.")
]
OrderOption = Annotated[int | None, typer.Option("--order", metavar="O", help="An order's id.")]
Limit = Annotated[
    int, typer.Option(min=0, help="Events of an account that are shown from each end; 0: all.")
]


def register(app: typer.Typer) -> None:
    """Add the command of this module to the application."""
    app.command(epilog=EXPLAIN_EPILOG)(explain)


def explain(
    run: Run, account: AccountOption = "", order: OrderOption = None, limit: Limit = 15
) -> None:
    """Tell why: an account was liquidated, an order was filled, a crash became a cascade."""
    from exchange_sim.analysis.run_dir import open_run

    if account and order is not None:
        raise UsageError("--account and --order are two questions: ask one of them")
    data = open_run(run, partial=True)
    if account:
        _account(data, account, limit)
    elif order is not None:
        _order(data, order)
    else:
        _cascade(data)
    tell_losses([data])


def _account(run: RunData, name: str, limit: int) -> None:
    from exchange_sim.analysis.explain import liquidation_chains
    from exchange_sim.analysis.timeline import account_named, account_timeline

    account = account_named(run, name)
    chains, unknown = [], ""
    if run.accounts[account]["population"] != "system":
        try:
            chains = liquidation_chains(run, account)
        except JournalCorrupt as damage:
            unknown = f"{run.journal_path}: {damage}"
            run.losses.append(f"{unknown}; causes of liquidations cannot be told")
    entries = account_timeline(run, account)
    row = run.accounts[account]
    _say(f"{row['owner']}, account {account} on {row['venue_name'] or 'no venue'}")
    _say(f"{len(entries):,} events")
    hidden = len(entries) - 2 * limit if limit else 0
    shown = [*map(str, entries)]
    if hidden > 0:
        more = f"                 ... {hidden:,} more events (--limit 0 shows all)"
        shown = [*shown[:limit], more, *shown[-limit:]]
    _say("\n".join(shown))
    for number, chain in enumerate(chains, 1):
        _say(f"\nwhy it was liquidated, {number} of {len(chains)}")
        _say("\n".join(chain.lines()))
    if not chains and not unknown:
        _say("\nit was never liquidated")


def _order(run: RunData, order: int) -> None:
    from exchange_sim.analysis.timeline import order_timeline, queue_ahead

    entries = order_timeline(run, order)
    _say("\n".join(map(str, entries)))
    ahead = queue_ahead(run, order)
    if ahead:
        _say(f"\nit {ahead}")


def _cascade(run: RunData) -> None:
    from exchange_sim.analysis.cascade import cascade

    _say("\n".join(cascade(run).lines()))


def _say(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)
