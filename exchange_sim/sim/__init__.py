"""The SimPy shell: everything that has duration, around a world that has none."""

from exchange_sim.sim.links import Latency
from exchange_sim.sim.outages import Outage
from exchange_sim.sim.run import Run, RunResult
from exchange_sim.sim.timers import VenueTiming

__all__ = ["Latency", "Outage", "Run", "RunResult", "VenueTiming"]
