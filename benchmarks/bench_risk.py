"""Re-margining many accounts, and a wave of liquidations: ``python -m benchmarks risk``.

- re-margining: 100,000 accounts that each hold 30 coins as collateral and owe dollars against them;
  every price walks at every update, by 1, 10 or 100 basis points, and whoever leaves a band is
  confirmed exactly.  Beside it, what one plain pass over all of their rows costs.
- the wave: 10,000 accounts fall below their maintenance margin at one mark and are liquidated
  through a book that takes them.  Order and rules are checked in a run of its own.
"""

from __future__ import annotations

import gc
import random
import time
from decimal import Decimal

from benchmarks.figures import Figure, at_most
from exchange_sim.matching.filters import Filters
from exchange_sim.model.account import CROSS, PORTFOLIO
from exchange_sim.model.enums import BUY, GTC, LIMIT, InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.world import AssetSpec, FeeTier, InstrumentSpec, VenueSpec, World, WorldConfig
from exchange_sim.world.steps import StepChecker

START = 1_760_000_000 * 10**9
SECOND = 10**9
ACCOUNTS, COINS, UPDATES = 100_000, 30, 60
WAVE = 10_000
PRICE = 100_000


def config(coins: int) -> WorldConfig:
    """One venue with a spot market for each coin and a perpetual of the first."""
    usdt = Asset(0, "USDT", 8)
    step = Decimal("0.001")
    assets = [usdt, *(Asset(k + 1, f"C{k}", 8) for k in range(coins))]
    specs = []
    for k in range(coins):
        inst = Instrument.make(
            k, f"C{k}USDT", 0, InstrumentKind.SPOT, assets[k + 1], usdt, step, step
        )
        specs.append(InstrumentSpec(inst, PRICE, Filters()))
    perp = Instrument.make(
        coins, "C0-PERP", 0, InstrumentKind.PERPETUAL, assets[1], usdt, step, step
    )
    brackets = BracketTable((0, 10**15), (10_000, 25_000), (50, 20))
    specs.append(InstrumentSpec(perp, PRICE, Filters(), brackets=brackets, index_sources=((0, 1),)))
    tiers = CollateralTable(((10**13, 950_000), (10**15, 900_000), (None, 500_000)))
    ratios = {0: CollateralTable.of_ratio(1_000_000)} | {a.id: tiers for a in assets[1:]}
    venue = VenueSpec(
        0, "bench", 0, (FeeTier(0, 0),), ratios, margin_pool={0: 10**19}, insurance=0,
        liquidation_fee_ppm=0,
    )  # fmt: skip
    return WorldConfig(START, tuple(AssetSpec(a) for a in assets), (venue,), tuple(specs))


def crowd(accounts: int, coins: int) -> World:
    """Unified accounts at leverages from 1.2 to 17, each with every coin and a loan in dollars.

    The highest have a uniMMR of 1.28: some leave their band with every move.
    """
    w = World(config(coins))
    first = len(w.accounts)
    units = 10**8
    value = coins * 100 * units
    for k in range(accounts):
        account = w.accounts[w.add_account(0, k, PORTFOLIO, 0)]
        w.ledger.posted[account.id][1:] = [units] * coins
        share = 0.17 + 0.77 * (k * 7_919 % accounts) / accounts
        account.loans[0] = int(value * 0.95 * share)
        w.dirty[account.id] = True
    w.venues[0].lent[0] = sum(w.accounts[first + k].loans[0] for k in range(accounts))
    w.apply((10, START, 0))
    return w


def updates(w: World, move_bp: int) -> list[float]:
    """Seconds of each mark update; every price walks by so many basis points, up or down."""
    times, now, rng = [], w.time_ns, random.Random(move_bp)
    for _ in range(UPDATES):
        now += SECOND
        for instrument in range(COINS):
            step = w.last_prices[instrument] * move_bp // 10_000
            w.last_prices[instrument] += step * rng.choice((-1, 1))
        started = time.process_time()
        w.apply((10, now, 0))
        times.append(time.process_time() - started)
    return sorted(times)


def full_pass(w: World) -> float:
    """Seconds for the margin of every account, without the list of who is due."""
    venue = w.venues[0]
    marks = [w.marks[instrument] for instrument in venue.mirror.instruments]
    times = []
    for _ in range(3):
        started = time.process_time()
        venue.mirror.at_risk(venue.asset_prices, w.price_scales, marks)
        times.append(time.process_time() - started)
    return min(times)


def wave(check: bool) -> tuple[float, int, int]:
    """Seconds to queue and to liquidate the wave, accounts queued, and slots until all have ended.

    With ``check`` every rule of the world is checked after every command.
    """
    w = World(config(1))
    rich = w.add_account(0, 0, CROSS, 0)
    w.ledger.posted[rich][0] = 10**18
    w.ledger.posted[0][0] -= 10**18
    perp, now = 1, START
    for k in range(WAVE):
        account = w.add_account(0, k + 1, CROSS, 0)
        margin = 11 * 10**8 + k % 97 * 10**5
        w.ledger.posted[account][0] += margin
        w.ledger.posted[0][0] -= margin
        w.apply((25, now, account, rich, perp, PRICE, 10_000))
    price = PRICE - 230
    lots = WAVE * 10_000
    w.apply((1, now, rich, perp, 1, BUY, LIMIT, GTC, price, lots, 0, 0, 0, 0, 0, 0))
    w.last_prices[0] = w.last_prices[perp] = price
    checker = StepChecker(w, "sampled") if check else None
    gc.collect()
    started, queued, slots = time.process_time(), 0, 0
    for kind in (10, *([13] * 50)):
        now += SECOND
        command = (kind, now, 0)
        if checker is not None:
            checker.before(command)
        events = w.apply(command)
        if checker is not None and checker.observe(command, events):
            raise AssertionError("the wave broke a rule")
        queued += sum(1 for event in events if event[0] == 31)
        slots += kind == 13
        if kind == 13 and not w.liquidation_pending(0):
            break
    return time.process_time() - started, queued, slots


def figures() -> list[Figure]:
    """Milliseconds per mark update and per account of the wave."""
    w = crowd(ACCOUNTS, COINS)
    found = []
    for move in (1, 10, 100):
        times = updates(w, move)
        middle, worst = 1e3 * times[len(times) // 2], 1e3 * times[-1]
        what = f"mark update, {ACCOUNTS:,} accounts x {COINS} coins, all prices {move} bp"
        if move == 1:
            found.append(at_most(what, middle, 2, "ms", 2))
        else:
            found.append(Figure(what, f"{middle:.2f} ms"))
        found.append(Figure("  the slowest of them", f"{worst:.1f} ms"))
    found.append(Figure("  a pass over all rows", f"{1e3 * full_pass(w):.1f} ms"))
    seconds, queued, slots = wave(check=False)
    found.append(Figure(f"wave of {queued:,} liquidations, {slots} slots", f"{seconds:.2f} s"))
    found.append(Figure("  each", f"{1e6 * seconds / queued:.0f} us"))
    return found
