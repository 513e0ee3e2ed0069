"""Several learners in one market: a PettingZoo parallel environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gymnasium import spaces
from gymnasium.utils import seeding
from pettingzoo import ParallelEnv

from exchange_sim.errors import UsageError
from exchange_sim.gym.env import (
    SEED_MAX,
    Observation,
    action_space,
    observation_space,
    quotes_of,
)
from exchange_sim.gym.episode import Episode, Setting
from exchange_sim.gym.reward import Reward
from exchange_sim.gym.seat import Floats
from exchange_sim.scenario.scenario import Scenario

AGENTS_MAX = 64


class ParallelMakerEnv(ParallelEnv[str, Observation, Floats]):  # type: ignore[misc]  # untyped library
    """``makers`` learners quote the same instrument, each from an account of its own.

    Spaces, reward and parameters are those of ``MakerEnv``.  An agent leaves when its account is
    liquidated; the market goes on for the others.  All agents' orders of a step leave at the same
    instant; who is first at the venue is up to their links.
    """

    metadata: ClassVar[dict[str, Any]] = {
        "name": "exchange_sim_makers_v0",
        "render_modes": [],
        "is_parallelizable": True,
    }

    def __init__(
        self,
        scenario: str | Path | Scenario = "gym_calm",
        symbol: str | None = None,
        *,
        makers: int = 2,
        step: str = "100ms",
        episode: str | None = None,
        warmup: str = "5s",
        capital: Mapping[str, float | str] | None = None,
        risk_aversion: float = 0.0,
        out: str | Path | None = None,
        overrides: Sequence[str] = (),
        without: Sequence[str] = (),
        **params: Any,
    ) -> None:
        if not 1 <= makers <= AGENTS_MAX:
            raise UsageError(f"makers={makers} is not from 1 to {AGENTS_MAX}")
        self.setting = Setting.of(
            scenario, symbol, step, episode, warmup, capital, makers, overrides, without, params
        )
        seat = self.setting.seat_params
        self.possible_agents = [f"maker_{number}" for number in range(makers)]
        self.agents: list[str] = []
        self.render_mode = None
        self._number = {name: at for at, name in enumerate(self.possible_agents)}
        self._actions = {name: action_space(seat.levels) for name in self.possible_agents}
        self._sights = {name: observation_space(seat.depth) for name in self.possible_agents}
        self._rewards = {name: Reward(risk_aversion) for name in self.possible_agents}
        self._out = None if out is None else Path(out)
        self._random, _ = seeding.np_random(None)
        self._episode: Episode | None = None

    def observation_space(self, agent: str) -> spaces.Dict:
        """Space of an agent; the same object on every call."""
        return self._sights[agent]

    def action_space(self, agent: str) -> spaces.Box:
        """Space of an agent; the same object on every call."""
        return self._actions[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode with all agents."""
        del options
        self.close()
        if seed is not None:
            self._random, _ = seeding.np_random(seed)
        chosen = int(self._random.integers(SEED_MAX)) if seed is None else seed
        self._episode = episode = Episode(self.setting, chosen, self._out)
        self.agents = list(self.possible_agents)
        for name, number in self._number.items():
            self._rewards[name].start(episode.opening[number])
        seen = {name: episode.look(self._number[name]) for name in self.agents}
        return seen, {name: self._info(episode, name) for name in self.agents}

    def step(
        self, actions: dict[str, Floats]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Send everybody's quotes, let the market run for one step, look again."""
        episode = self._episode
        if episode is None or not self.agents:
            self.agents = []
            return {}, {}, {}, {}, {}
        present = self.agents
        if actions.keys() != set(present):
            raise UsageError(f"actions of {sorted(actions)}, but the agents are {present}")
        wanted = {name: quotes_of(actions[name], self._actions[name]) for name in present}
        for name in present:
            episode.quote(self._number[name], wanted[name])
        episode.advance()
        seen = {name: episode.look(self._number[name]) for name in present}
        rewards = {
            name: self._rewards[name].of(
                episode.worth(self._number[name]), float(seen[name]["account"][0])
            )
            for name in present
        }
        ruined = {name: episode.ruined(self._number[name]) for name in present}
        over = dict.fromkeys(present, episode.over)
        infos = {name: self._info(episode, name) for name in present}
        self.agents = [name for name in present if not (ruined[name] or over[name])]
        return seen, rewards, ruined, over, infos

    def close(self) -> None:
        """End the episode that is under way and close its files."""
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _info(self, episode: Episode, name: str) -> dict[str, Any]:
        number = self._number[name]
        seat = episode.seats[number]
        return {
            "net_worth": episode.worth(number),
            "inventory": seat.position(seat.instrument).qty,
            "fills": seat.fills,
            "time_ns": episode.now_ns,
        }
