"""What commands say of damaged runs: all that can be read is used, and the rest is not passed over.

The exit code is then that of a corrupt run, so that a script does not take half a run for a whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from exchange_sim.cli.render import errors
from exchange_sim.errors import JournalCorrupt

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData


def tell_losses(runs: Iterable[RunData]) -> None:
    """Say what could not be read of runs that were opened partially.

    Raises ``typer.Exit`` with code 4 when anything could not.
    """
    losses = [loss for run in runs for loss in run.losses]
    for loss in losses:
        errors.print(f"lost: {loss}", markup=False, highlight=False, soft_wrap=True)
    if losses:
        raise typer.Exit(JournalCorrupt.exit_code)
