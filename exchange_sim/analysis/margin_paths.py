"""The margin of accounts at chosen instants, rebuilt from the event tables.

``account_state.margin_points`` follows every mark update and says what caused each change; a chart
or a table needs a few hundred instants of many accounts, and values them there only.  The figures
are the same: what the account's own events made of it, at the marks and prices known by then.

Simplifications: those of ``account_state``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from exchange_sim.analysis.account_state import AccountState, apply_event, own_events
from exchange_sim.analysis.facts import Floats, Ints
from exchange_sim.messages.events import AssetPriceUpdated, MarkPriceUpdated
from exchange_sim.messages.registry import Message
from exchange_sim.risk.unified import uni_mmr_ppm
from exchange_sim.units import PPM
from exchange_sim.world import World
from exchange_sim.world.config import WorldConfig

if TYPE_CHECKING:
    from exchange_sim.analysis.run_dir import RunData

RATIO_MAX = 1000.0
"""A larger uniMMR, and that of an account with nothing at risk, is given as this."""


@attrs.frozen(eq=False)
class Path:
    """One account over time: ``equity`` and ``exposure`` in whole numeraire units, ``uni_mmr``.

    ``exposure`` is the value of positions and of collateral that is not the numeraire.
    """

    account: int
    times: Ints
    equity: Floats
    maintenance: Floats
    uni_mmr: Floats
    exposure: Floats

    @property
    def leverage(self) -> Floats:
        """What moves with prices over equity; NaN where there is no equity."""
        safe = np.where(self.equity > 0.0, self.equity, np.nan)
        found: Floats = self.exposure / safe
        return found


def margin_paths(
    run: RunData, accounts: Sequence[int], times: Ints, config: WorldConfig | None = None
) -> list[Path]:
    """Margin of each account at these instants (ascending, in ns).

    ``config`` defaults to the world that the journal describes.  Raises ``RunCorrupt``.
    """
    world = World(config or run.world_config)
    marks = _Known(run, MarkPriceUpdated, ("instrument",), "mark", times)
    prices = _Known(run, AssetPriceUpdated, ("venue", "asset"), "price", times)
    return [_path(run, world, account, times, marks, prices) for account in accounts]


def _path(
    run: RunData, world: World, account: int, times: Ints, marks: _Known, prices: _Known
) -> Path:
    venue = run.accounts[account]["venue"]
    state = AccountState.opening(world, venue)
    numeraire = world.venues[venue].spec.numeraire
    scale = float(run.facts.scale[numeraire])
    own = [inst.id for inst in world.instruments if inst.venue == venue]
    assets = range(len(state.prices))
    events, at = list(own_events(run, account)), 0
    rows = np.zeros((4, len(times)))
    for k, now in enumerate(times.tolist()):
        while at < len(events) and events[at][1]["time_ns"] <= now:
            kind, row = events[at]
            apply_event(state, account, kind, row)
            at += 1
        for instrument in own:
            state.marks[instrument] = marks.at((instrument,), k, state.marks[instrument])
        for asset in assets:
            state.prices[asset] = prices.at((venue, asset), k, state.prices[asset])
        equity, maintenance = state.equity(), state.maintenance()
        ratio = min(RATIO_MAX, uni_mmr_ppm(equity, maintenance) / PPM)
        rows[:, k] = equity / scale, maintenance / scale, ratio, _exposed(state, numeraire) / scale
    return Path(account, times, *rows)


def _exposed(state: AccountState, numeraire: int) -> int:
    """Value of what moves with prices: positions at mark, and coins beside the numeraire."""
    total = 0
    for instrument, (qty, _) in state.positions.items():
        if qty:
            inst, size = state.world.instruments[instrument], abs(state.position_value(instrument))
            total += state.value(inst.settle, size) if inst.inverse else size
    for asset, amount in enumerate(state.posted):
        held = amount - state.loans.get(asset, 0)
        if asset != numeraire and held:
            total += abs(state.value(asset, held))
    return total


class _Known:
    """The latest value of each key at each instant, from a table of updates."""

    def __init__(
        self, run: RunData, kind: type[Message], keys: tuple[str, ...], value: str, times: Ints
    ) -> None:
        table = run.table(kind)
        columns = [table.column(name).to_numpy() for name in (*keys, "time_ns", value)]
        self._found: dict[tuple[int, ...], list[int]] = {}
        for key in sorted(set(zip(*(c.tolist() for c in columns[: len(keys)]), strict=True))):
            mine = np.logical_and.reduce([c == k for c, k in zip(columns, key, strict=False)])
            at = np.searchsorted(columns[-2][mine], times, side="right") - 1
            values = columns[-1][mine].astype(np.int64)
            self._found[key] = np.where(at >= 0, values[np.maximum(at, 0)], -1).tolist()

    def at(self, key: tuple[int, ...], instant: int, before: int) -> int:
        """The value known at an instant; ``before`` when there was none yet."""
        found = self._found.get(key)
        return before if found is None or found[instant] < 0 else found[instant]
