"""A market maker's seat as a Gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

import gymnasium
import numpy as np
from gymnasium import spaces

from exchange_sim.errors import UsageError
from exchange_sim.gym.episode import Episode, Setting
from exchange_sim.gym.reward import Reward
from exchange_sim.gym.seat import FAR, Floats
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.units import format_utc

Observation = dict[str, Floats]

SEED_MAX: Final = 2**31 - 1


def action_space(levels: int) -> spaces.Box:
    """Bid offsets, bid sizes, ask offsets, ask sizes: ``levels`` numbers in [0, 1] each."""
    return spaces.Box(0.0, 1.0, (4 * levels,), np.float32)


def observation_space(depth: int) -> spaces.Dict:
    """What ``Seat.look`` returns."""
    return spaces.Dict(
        {
            "book": spaces.Box(-FAR, FAR, (2, depth, 2), np.float32),
            "tape": spaces.Box(-FAR, FAR, (3,), np.float32),
            "account": spaces.Box(-FAR, FAR, (5,), np.float32),
        }
    )


def quotes_of(action: Any, space: spaces.Box) -> Floats:
    """An action as an array of the space, cut to its bounds.

    Raises ``UsageError`` for another shape and for what is no finite number.
    """
    try:
        wanted = np.asarray(action, dtype=np.float32)
    except (TypeError, ValueError):
        wanted = np.full(0, np.nan, dtype=np.float32)
    if wanted.shape != space.shape or not np.isfinite(wanted).all():
        raise UsageError(f"action {action!r} is not {space}")
    return np.clip(wanted, 0.0, 1.0)


class MakerEnv(gymnasium.Env[Observation, Floats]):
    """One learner quotes one instrument inside a whole scenario.

    **Action**, ``4 * levels`` numbers in [0, 1]: bid offsets (share of ``offset_max_bp`` from the
    mid), bid sizes (share of ``qty_max`` base units; 0: no quote), ask offsets, ask sizes.  The
    orders are post-only and travel over the learner's link (5 ms and more).

    **Observation**, what its link has delivered:

    - ``book`` ``(2, depth, 2)``: bids and asks, best first; distance from the mid in units of
      ``offset_max_bp``, and log(1 + quantity / ``qty_max``); zeros where nothing rests
    - ``tape`` ``(3,)``: move of the mid since the last step in units of ``offset_max_bp``, and
      log(1 + bought), log(1 + sold) by takers since then in units of ``qty_max``
    - ``account`` ``(5,)``: holding in units of ``inventory_max``, initial margin over equity,
      uniMMR, ten times the return of the mid since the start, share of its quotes that are open

    **Reward**: change of net worth at the venue's prices in basis points of the opening one, less
    ``risk_aversion`` times the squared holding (as observed), see ``reward.Reward``.

    **End**: ``terminated`` when the venue begins to liquidate the account, ``truncated`` at the
    end of the episode.  ``info`` has ``net_worth``, ``inventory``, ``fills``, ``time_ns``.

    After the end ``step`` raises ``ResetNeeded``.

    The market runs for ``warmup`` before the first observation (``"0s"``: not at all); an
    ``episode`` (default: the rest of the scenario) is cut into ``step``s. ``reset(seed=n)`` is the
    scenario with seed ``n``: the same seed and actions give the same observations on every machine.
    ``out`` records every episode as a run directory, which ``exchange-sim report`` and ``verify``
    read.

    Raises ``UsageError``, ``StrategyLoadError`` and ``ScenarioError``.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012 - as its base declares it

    def __init__(
        self,
        scenario: str | Path | Scenario = "gym_calm",
        symbol: str | None = None,
        *,
        step: str = "100ms",
        episode: str | None = None,
        warmup: str = "5s",
        capital: Mapping[str, float | str] | None = None,
        risk_aversion: float = 0.0,
        out: str | Path | None = None,
        overrides: Sequence[str] = (),
        without: Sequence[str] = (),
        render_mode: str | None = None,
        **params: Any,
    ) -> None:
        if render_mode not in {None, "ansi"}:
            raise UsageError(f"render_mode {render_mode!r} is neither None nor 'ansi'")
        self.setting = Setting.of(
            scenario, symbol, step, episode, warmup, capital, 1, overrides, without, params
        )
        seat = self.setting.seat_params
        # The library's spaces are typed by what NumPy could hold, ours by what they do hold.
        self.action_space = cast("Any", action_space(seat.levels))
        self.observation_space = cast("Any", observation_space(seat.depth))
        self.render_mode = render_mode
        self._reward = Reward(risk_aversion)
        self._out = None if out is None else Path(out)
        self._episode: Episode | None = None
        self._ended = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; without ``seed`` the next of the environment's own random stream."""
        super().reset(seed=seed, options=options)
        self._finish()
        chosen = int(self.np_random.integers(SEED_MAX)) if seed is None else seed
        self._episode = episode = Episode(self.setting, chosen, self._out)
        self._ended = False
        self._reward.start(episode.opening[0])
        return episode.look(0), self._info(episode)

    def step(self, action: Floats) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Send the quotes, let the market run for one step, look again."""
        episode = self._running()
        if self._ended:
            raise gymnasium.error.ResetNeeded("the episode is over: call reset()")
        episode.quote(0, quotes_of(action, cast("spaces.Box", self.action_space)))
        episode.advance()
        seen = episode.look(0)
        reward = self._reward.of(episode.worth(0), float(seen["account"][0]))
        ruined, over = episode.ruined(0), episode.over
        self._ended = ruined or over
        return seen, reward, ruined, over, self._info(episode)

    def render(self) -> str | None:
        """The book and the account as text, for ``render_mode="ansi"``."""
        if self.render_mode is None:
            return None
        episode = self._running()
        seat = episode.seats[0]
        view = seat.book(seat.instrument)
        lines = [f"{format_utc(episode.now_ns, 3)}  {seat.instrument.symbol}"]
        lines += [f"{'':>14}  {price:>14,}  {qty:<14,}" for price, qty in reversed(view.asks(5))]
        lines += [f"{qty:>14,}  {price:>14,}" for price, qty in view.bids(5)]
        lines.append(f"net worth {episode.worth(0):,.2f}, {seat.fills} fills")
        return "\n".join(lines)

    def close(self) -> None:
        """End the episode that is under way and close its files."""
        self._finish()

    def _running(self) -> Episode:
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("call reset() first")
        return self._episode

    def _info(self, episode: Episode) -> dict[str, Any]:
        seat = episode.seats[0]
        return {
            "net_worth": episode.worth(0),
            "inventory": seat.position(seat.instrument).qty,
            "fills": seat.fills,
            "time_ns": episode.now_ns,
        }

    def _finish(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None


def register() -> None:
    """Make the environments known to ``gymnasium.make``.

    ``exchange_sim/CalmMaker-v0`` is a quiet market, ``exchange_sim/CrashMaker-v0`` one in which
    news empties the book after a minute.
    """
    for name, scenario in (("CalmMaker", "gym_calm"), ("CrashMaker", "gym_crash")):
        gymnasium.register(
            id=f"exchange_sim/{name}-v0",
            entry_point="exchange_sim.gym.env:MakerEnv",
            kwargs={"scenario": scenario},
        )
