"""Speed of ``World.apply``: the whole state machine without journal, log and simulation.

Run ``python -m benchmarks.bench_world [profile]``; processor time of one core, the best of several
rounds, commands made beforehand.

- mixed: 50 % new limit orders around the touch, 43 % cancels of orders that rest, 7 % IOC orders;
  spot and perpetuals, cash, portfolio and cross-margin accounts with positions
- ten times the accounts: the same flow in a world of ten times as many accounts
- marks: one mark update, with the accounts that the flow changed since the last one
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import random
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from exchange_sim.matching.filters import Filters
from exchange_sim.model.account import CASH, CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, GTC, IOC, InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.world import AssetSpec, FeeTier, InstrumentSpec, VenueSpec, World, WorldConfig

Command = tuple[int, ...]

START = 1_760_000_000 * 10**9
COINS, PRICE, COMMANDS, ROUNDS, LEVELS = 9, 100_000, 100_000, 5, 40
ACCOUNTS = 2_000
"""Accounts of the small world; 40 of them trade, the others hold positions."""
TRADERS = 40
RESTING_MAX = 10_000
"""Orders that may rest, filled ones included, before something must be cancelled."""
MODES = (CASH, PORTFOLIO, CROSS, PORTFOLIO)


def make_config() -> WorldConfig:
    """One venue: a spot market and a perpetual for each of nine coins."""
    usdt = Asset(0, "USDT", 8)
    coins = [Asset(i + 1, f"C{i}", 8) for i in range(COINS)]
    brackets = BracketTable(
        floors=(0, 10**13, 10**14, 10**15, 10**16),
        mmr_ppm=(4_000, 6_500, 10_000, 20_000, 50_000),
        leverage=(125, 75, 50, 25, 10),
    )
    specs = []
    for k in range(2 * COINS):
        coin, perpetual = coins[k % COINS], k >= COINS
        kind = InstrumentKind.PERPETUAL if perpetual else InstrumentKind.SPOT
        step = Decimal("0.001")
        inst = Instrument.make(k, f"{coin.name}-{k}", 0, kind, coin, usdt, step, step)
        if perpetual:
            specs.append(
                InstrumentSpec(
                    inst, PRICE, Filters(), brackets=brackets, index_sources=((k - COINS, 1),)
                )
            )
        else:
            specs.append(InstrumentSpec(inst, PRICE, Filters()))
    ratios = {0: CollateralTable.of_ratio(1_000_000)}
    ratios |= {
        coin.id: CollateralTable(((10**15, 950_000), (10**17, 900_000), (None, 500_000)))
        for coin in coins
    }
    venue = VenueSpec(0, "bench", 0, (FeeTier(200, 500),), ratios, margin_pool={0: 10**18})
    assets = (AssetSpec(usdt), *(AssetSpec(coin) for coin in coins))
    return WorldConfig(START, assets, (venue,), tuple(specs))


def opening(accounts: int) -> list[Command]:
    """Accounts with money; those that do not trade hold a position against a trader."""
    first = len(World(make_config()).accounts)
    commands: list[Command] = []
    rng = random.Random(1)
    for k in range(accounts):
        account = first + k
        commands.append((20, START, 0, k, MODES[k % 4], 0))
        commands.append((21, START, account, 0, 10**15))
        held = range(1, COINS + 1) if k < TRADERS else (1 + k % COINS,)
        commands += [(21, START, account, asset, 10**14) for asset in held]
        if MODES[k % 4] != CASH:
            partner = first + 4 * rng.randrange(TRADERS // 4) + 1
            if partner != account:
                inst = COINS + rng.randrange(COINS)
                commands.append((25, START, account, partner, inst, PRICE, 50))
    return commands


def stream(w: World, seed: int = 3) -> Iterator[Command]:
    """The mixed flow without end; whoever reads it applies each command to ``w`` at once."""
    rng, first = random.Random(seed), next(a.id for a in w.accounts if a.owner >= 0)
    resting: list[tuple[int, int]] = []
    client_id = made = 0
    while True:
        draw = rng.random()
        now = START + made * 10_000
        if (draw < 0.43 and len(resting) > 500) or len(resting) > RESTING_MAX:
            at = rng.randrange(len(resting))
            resting[at], resting[-1] = resting[-1], resting[at]
            account, client = resting.pop()
            if client not in w.accounts[account].orders:
                continue
            made += 1
            yield 2, now, account, client
            continue
        client_id += 1
        made += 1
        trader = rng.randrange(TRADERS)
        coin, side = rng.randrange(COINS), rng.randrange(2)
        inst = coin if trader % 4 == 0 or rng.random() < 0.3 else COINS + coin
        ioc = draw > 0.93
        away = rng.randrange(1, LEVELS)
        price = PRICE - away if (side == BUY) != ioc else PRICE + away
        tif, qty = (IOC, 8) if ioc else (GTC, rng.randrange(1, 10))
        account = first + trader
        resting.append((account, client_id))
        yield 1, now, account, inst, client_id, side, 0, tif, price, qty, 0, 0, 0, 0, 0, 0


def flow(w: World, count: int) -> list[Command]:
    """So many commands of the mixed flow; ``w`` is used up to learn which orders rest."""
    commands: list[Command] = []
    for command in islice(stream(w), count):
        w.apply(command)
        commands.append(command)
    return commands


def fresh(accounts: int) -> World:
    """A world after its opening commands and one mark update."""
    w = World(make_config())
    for command in opening(accounts):
        w.apply(command)
    w.apply((10, START, 0))
    return w


def measure(accounts: int, commands: list[Command]) -> tuple[float, World]:
    """Commands per second of processor time, best round, and the world of the last round."""
    best, w = float("inf"), fresh(accounts)
    for _ in range(ROUNDS):
        w = fresh(accounts)
        apply = w.apply
        gc.collect()
        gc.disable()
        start = time.process_time()
        for command in commands:
            apply(command)
        best = min(best, time.process_time() - start)
        gc.enable()
    return len(commands) / best, w


def main() -> None:
    """Print the figures."""
    commands = flow(fresh(ACCOUNTS), COMMANDS)
    if sys.argv[1:] == ["profile"]:
        w, profile = fresh(ACCOUNTS), cProfile.Profile()
        profile.enable()
        for command in commands:
            w.apply(command)
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(28)
        return
    small, w = measure(ACCOUNTS, commands)
    trades = w.next_trade_id - 1
    print(f"mixed flow, {ACCOUNTS} accounts: {small:,.0f} commands/s ({trades} trades)")
    large, w = measure(10 * ACCOUNTS, commands)
    print(f"ten times the accounts: {large:,.0f} commands/s ({small / large:.2f}x per command)")
    start = time.process_time()
    w.apply((10, commands[-1][1], 0))
    print(f"mark update, {10 * ACCOUNTS} accounts: {(time.process_time() - start) * 1e3:.2f} ms")


if __name__ == "__main__":
    main()
