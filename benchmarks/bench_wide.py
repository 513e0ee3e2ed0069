"""A thousand books, each quoted by twenty makers: what one simulated minute costs.

Run ``python -m benchmarks wide``.  The scenario is written here, because it is nothing but numbers:
one venue, 1,000 coins, makers with two levels a side in every book from one unified account each, a
background flow of 2,000 takers a minute, and a fall of what everything is worth in the middle.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, at_most, peak_gib
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run
from exchange_sim.units import NANOS_PER_MINUTE

PAIRS, MAKERS, WARM_UP, MINUTES = 1_000, 20, 1, 1
"""The minute of the warm-up places all quotes; it is not measured."""
HOUR_TARGET_S, MEMORY_TARGET_GIB = 600.0, 4.0

HEAD = """
[scenario]
name = "wide"
start = 2025-10-10T20:00:00Z
duration = "60m"
seed = 1

[venues.only]
profile = "binance"
numeraire = "USDT"
fees = [{ maker = 0.0002, taker = 0.0005 }]
service_time = "2us"
margin_pool = { USDT = 50000000000 }

[listings.all]
venue = "only"
symbol = "{base}USDT"
kind = "SPOT"
bases = "alt"
quote = "USDT"

[latency.fast]
order = { base = "200us", jitter = "100us" }
ack = { base = "200us", jitter = "100us" }
market_data = { base = "300us", jitter = "200us" }

[[participants]]
name = "maker"
count = %(makers)d
class = "strategies.ladder:LadderMaker"
venue = "only"
account = "unified"
latency = "fast"
capital = { USDT = 500000000 }
stock = [{ select = ["alt"], d1 = 2 }]

[participants.params]
levels = [[0.0, 0.2], [20.0, 0.5]]
interval_s = 1.0
news = [[2025-10-10T20:01:30Z, 0.02]]
pairs = [{ select = ["alt"], share = 0.05, half_spread_bp = 8, calm_vol_bp = 9.0, every = 10 }]

[[participants]]
name = "flow"
class = "exchange_sim.participants.flow:BackgroundFlow"
venue = "only"
account = "unified"
latency = "fast"
capital = { USDT = 5000000000 }
stock = [{ select = ["alt"], d1 = 10 }]

[participants.params]
books = [{ select = ["alt"], takers_per_min = 1, passive_d1 = 0.1, passive_orders = 2 }]

[assets]
USDT = { decimals = 6, kind = "quote", collateral = 1 }
"""
COIN = (
    'C%04d = { decimals = 4, kind = "alt", beta = 1.0, collateral = 0.7,'
    " market = { price = %d.0, tick_size = 0.001, lot_size = 0.01, depth_usd = 1000000 } }\n"
)


def text(pairs: int, makers: int) -> str:
    """The scenario file."""
    coins = "".join(COIN % (k, 5 + k % 90) for k in range(pairs))
    return HEAD % {"makers": makers} + coins


def slice_of_an_hour() -> tuple[float, int, float]:
    """Seconds of processor time for ``MINUTES``, their commands, and peak memory in GiB."""
    with tempfile.TemporaryDirectory(prefix="bench-wide-") as directory:
        path = Path(directory) / "wide.toml"
        path.write_text(text(PAIRS, MAKERS), encoding="utf-8")
        scenario = load(str(path))
        end = scenario.start_ns + (WARM_UP + MINUTES) * NANOS_PER_MINUTE
        built = build_run(scenario, Path(directory), end)
        marks: list[tuple[float, int]] = []
        for when in (scenario.start_ns + WARM_UP * NANOS_PER_MINUTE, end - 1):
            built.run.kernel.at(
                when, lambda _: marks.append((time.process_time(), built.world.seq))
            )
        built.execute()
        (began, before), (ended, after) = marks
        return ended - began, after - before, peak_gib()


def figures() -> list[Figure]:
    """In a fresh process, so that its peak of memory is its own."""
    code = "from benchmarks.bench_wide import slice_of_an_hour; print(*slice_of_an_hour())"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, commands, peak = map(float, done.stdout.split())
    hour = seconds / MINUTES * 60
    what = (
        f"{PAIRS:,} books x {MAKERS} makers, a simulated hour ({commands / MINUTES:,.0f} commands"
    )
    return [
        at_most(f"{what} a minute)", hour, HOUR_TARGET_S, "s"),
        at_most("  peak memory", peak, MEMORY_TARGET_GIB, "GiB", 2),
    ]


def main() -> None:
    """Print the figures of this module."""
    for figure in figures():
        sys.stdout.write(f"{figure.what:70} {figure.measured:>22} {figure.target}\n")


if __name__ == "__main__":
    main()
