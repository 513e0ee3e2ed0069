"""Learning to quote: Gymnasium and PettingZoo environments over whole scenarios.

::

    from exchange_sim.gym import MakerEnv

    env = MakerEnv("gym_calm", step="100ms", episode="5m")
    observation, info = env.reset(seed=1)
    observation, reward, terminated, truncated, info = env.step(env.action_space.sample())

The market around the learner is the emulator's: its quotes queue, are hit late and are
liquidated like anybody's.  Needs the extra: ``pip install 'exchange-sim[gym]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from exchange_sim.errors import UsageError

if TYPE_CHECKING:
    from exchange_sim.gym.env import MakerEnv, register
    from exchange_sim.gym.parallel import ParallelMakerEnv

__all__ = ["MakerEnv", "ParallelMakerEnv", "register"]

_HOMES: Final = {
    "MakerEnv": "exchange_sim.gym.env",
    "ParallelMakerEnv": "exchange_sim.gym.parallel",
    "register": "exchange_sim.gym.env",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'exchange_sim.gym' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as missing:
        if missing.name not in {"gymnasium", "pettingzoo"}:
            raise
        message = f"{name} needs {missing.name}: pip install 'exchange-sim[gym]'"
        raise UsageError(message) from missing


def __dir__() -> list[str]:
    return sorted(__all__)
