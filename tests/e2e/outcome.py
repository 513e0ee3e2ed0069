"""What a run came to, in the figures that a mechanism moves: measured from its events."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs

from exchange_sim.messages.reasons import LiquidationAction
from exchange_sim.scenario.build import build_run
from exchange_sim.scenario.load import load
from exchange_sim.units import NANOS_PER_S
from exchange_sim.world import World

SMALL_CHAIN = Path(__file__).parents[2] / "scenarios" / "small_chain.toml"

PEG, ALTS = "USDE", ("SOL", "ADA")
SUSPENDED_S = 100
"""Seconds after which no transfer leaves the leading venue, while they are suspended."""


@attrs.define
class Outcome:
    """Figures of one run.

    ``lows`` are the lowest collateral prices as parts of the first, by (venue, asset); ``counts``
    events by kind; ``sold`` dollars of each asset that the liquidation engine sold; ``caused`` the
    liquidations by the asset that caused them; ``bad_debt`` and ``forced`` are dollars, and so is
    ``under_position``: collateral sold from participants' accounts that still had a position.
    ``sent`` are the transfers out of the leading venue after ``SUSPENDED_S``.
    """

    world: World
    lows: dict[tuple[str, str], float] = attrs.field(factory=dict)
    counts: Counter[int] = attrs.field(factory=Counter)
    sold: Counter[str] = attrs.field(factory=Counter)
    caused: Counter[str] = attrs.field(factory=Counter)
    bad_debt: float = 0.0
    forced: float = 0.0
    under_position: float = 0.0
    sent: int = 0
    pool_liquidated: float = 0.0
    redeemed: float = 0.0

    def low(self, asset: str, venue: str = "leading") -> float:
        """Lowest price of an asset, as a part of the first."""
        return self.lows.get((venue, asset), 1.0)

    def alts(self) -> float:
        """Mean low of the alts on the leading venue."""
        return sum(self.low(alt) for alt in ALTS) / len(ALTS)


class _Watch:
    """Listens to the events of a run while it goes on."""

    kinds = frozenset({13, 21, 30, 31, 32, 35, 36, 72, 73, 81, 112, 118})

    def __init__(self, world: World, suspended_ns: int) -> None:
        self.outcome = Outcome(world)
        self._suspended_ns = suspended_ns
        self._names = [spec.asset.name for spec in world.config.assets]
        self._first = [list(venue.asset_prices) for venue in world.venues]

    def observe(self, _seq: int, time_ns: int, event: tuple[int, ...]) -> None:
        """Take one event."""
        found, kind = self.outcome, event[0]
        found.counts[kind] += 1
        if kind == 21:
            key = found.world.venues[event[1]].spec.name, self._names[event[2]]
            part = event[3] / self._first[event[1]][event[2]]
            found.lows[key] = min(found.lows.get(key, 1.0), part)
        elif kind == 31 and event[6] >= 0:
            found.caused[self._names[event[6]]] += 1
        elif kind == 32 and event[2] == LiquidationAction.SELL_ASSET:
            found.sold[self._names[found.world.instruments[event[3]].base]] += event[5] // 10**6
            account = found.world.accounts[event[1]]
            if account.owner >= 0 and any(p.qty for p in account.positions.values()):
                found.under_position += event[5] / 10**6
        elif kind == 13 and time_ns >= self._suspended_ns:
            venue = found.world.venues[found.world.accounts[event[2]].venue]
            found.sent += venue.spec.name == "leading"
        elif kind == 36:
            found.bad_debt += event[4] / 10**6
        elif kind == 73 and event[6]:
            found.forced += event[5] / 10**6
        elif kind == 81:
            found.redeemed += event[3] / 10**6
        elif kind == 112:
            found.pool_liquidated += event[6] / 10**6

    def advance(self, _time_ns: int) -> None:
        """Nothing waits."""


_KNOWN: dict[tuple[int, tuple[str, ...]], Outcome] = {}


def outcome(*without: str, until_s: int = 210) -> Outcome:
    """Run ``small_chain`` without some mechanisms, in this process; each run is made once."""
    key = until_s, without
    if key not in _KNOWN:
        scenario = load(SMALL_CHAIN, without=without)
        end = scenario.start_ns + until_s * NANOS_PER_S
        built = build_run(scenario, until_ns=end)
        watch = _Watch(built.world, scenario.start_ns + SUSPENDED_S * NANOS_PER_S)
        built.recording.log.listen(watch)
        built.execute()
        _KNOWN[key] = watch.outcome
    return _KNOWN[key]
