"""Blocks come by the clock, and the rest of the chain's users keep the base fee where it was."""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.defi.spec import ChainSpec
from exchange_sim.rng import Streams
from exchange_sim.sim import Run
from exchange_sim.sim.chain import Traffic
from exchange_sim.world import FeeTier, VenueSpec, World, WorldConfig
from tests.doubles.sim_world import BTC, START_NS, USDT, make_config

SECOND = 10**9


def chain_world(**settings: Any) -> WorldConfig:
    """The small world with a chain whose gas is paid in BTC."""
    config = make_config()
    venue = VenueSpec(2, "chain", USDT, (FeeTier(0, 0),), {})
    return attrs.evolve(config, venues=(*config.venues, venue), chain=ChainSpec(2, BTC, **settings))


def blocks_of(run: Run, seconds: int) -> list[tuple[int, tuple[int, ...]]]:
    """Time and event of every block."""
    found: list[tuple[int, tuple[int, ...]]] = []
    apply = run.exchange.apply

    def record(command: tuple[int, ...]) -> list[tuple[int, ...]]:
        events = apply(command)
        found.extend((command[1], event) for event in events if event[0] == 104)
        return events

    run.exchange.apply = record  # type: ignore[method-assign]  # The test listens in.
    run.execute(START_NS + seconds * SECOND)
    return found


def test_blocks_are_multiples_of_the_interval() -> None:
    """Twelve seconds by default, from midnight UTC."""
    blocks = blocks_of(Run(World(chain_world()), seed=1), 60)
    times = [time for time, _ in blocks]
    assert all(time % (12 * SECOND) == 0 for time in times)
    assert len(times) == 5
    assert [event[1] for _, event in blocks] == [1, 2, 3, 4, 5]


def test_another_interval() -> None:
    """A faster chain."""
    fast = Run(World(chain_world(block_interval_ns=SECOND)), seed=1)
    assert len(blocks_of(fast, 30)) == 29


def test_demand_is_elastic_and_keeps_the_base_fee() -> None:
    """With half a block demanded at the reference the fee hovers around it."""
    traffic, stream = Traffic(sigma=0.3, elasticity=0.5), Streams(3).stream("x")
    run = Run(World(chain_world()), seed=3, traffic=traffic)
    fees = [event[2] for _, event in blocks_of(run, 6_000)][100:]
    assert 0.6 * 10**9 < sum(fees) / len(fees) < 1.6 * 10**9
    dear = sum(traffic.demand(10**6, 10**11, stream) for _ in range(200))
    cheap = sum(traffic.demand(10**6, 10**9, stream) for _ in range(200))
    assert 8 < cheap / dear < 13


def test_demand_surges_when_the_gas_asset_moves() -> None:
    """Five per cent in five minutes, a tenth of a block for each: half a block more."""
    traffic, stream = Traffic(sigma=0.0, elasticity=0.0, surge=0.1), Streams(1).stream("x")
    calm = traffic.demand(10**6, 10**9, stream)
    assert traffic.demand(10**6, 10**9, stream, -0.05) - calm == 500_000
