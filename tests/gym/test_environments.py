"""Learners' environments: the libraries' own checkers, determinism, what a step means."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import parallel_api_test

from exchange_sim import open_run
from exchange_sim.analysis.verify import verify
from exchange_sim.errors import UsageError
from exchange_sim.gym import MakerEnv, ParallelMakerEnv, register

QUOTES = np.array([0.1, 0.5, 0.1, 0.5], dtype=np.float32)
SHORT: dict[str, Any] = {"episode": "10s", "step": "500ms"}


def play(env: MakerEnv, seed: int, steps: int = 15) -> list[tuple[float, ...]]:
    """What an episode of random quotes shows, as plain numbers."""
    dice = np.random.default_rng(7)
    seen, info = env.reset(seed=seed)
    told = [(*seen["book"].ravel().tolist(), float(info["net_worth"]))]
    for _ in range(steps):
        action = dice.random(env.action_space.shape, dtype=np.float32)
        seen, reward, *_, info = env.step(action)
        told.append((*seen["book"].ravel().tolist(), *seen["account"].tolist(), reward))
    env.close()
    return told


def test_gymnasium_accepts_the_environment():
    """Its own checker: spaces, dtypes, seeds, the five values of a step."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(MakerEnv(**SHORT), skip_render_check=True)


def test_pettingzoo_accepts_the_parallel_environment():
    """Its own API test."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(ParallelMakerEnv(makers=3, **SHORT), num_cycles=60)


def test_registered_environments_can_be_made():
    """``gymnasium.make`` finds both markets by id."""
    register()

    env = gymnasium.make("exchange_sim/CrashMaker-v0", episode="5s", render_mode="ansi")
    env.reset(seed=2)
    env.step(QUOTES)

    assert "demo:BTCUSDT-PERP" in str(env.render())
    assert isinstance(env.unwrapped, MakerEnv)
    assert env.unwrapped.setting.scenario.name == "gym_crash"
    env.close()


def test_seed_and_actions_decide_everything():
    """The same seed twice, warm or in a new object; another seed is another market."""
    env = MakerEnv(**SHORT)
    first = play(env, 5)

    assert play(env, 5) == first
    assert play(MakerEnv(**SHORT), 5) == first
    assert play(env, 6) != first


def test_two_seeds_two_digests(tmp_path: Path):
    """Recorded episodes are runs like any other: they verify, and their digests repeat."""
    digests = []
    for number, seed in enumerate((1, 2, 1, 2)):
        env = MakerEnv(**SHORT, out=tmp_path / str(number))
        play(env, seed)
        (folder,) = (tmp_path / str(number)).iterdir()
        assert verify(folder).passed
        digests.append(open_run(folder).manifest.digest)

    assert digests[:2] == digests[2:]
    assert digests[0] != digests[1]


def test_quotes_rest_in_the_book_and_can_be_taken_away():
    """Sizes above zero quote both sides; zero cancels."""
    env = MakerEnv(episode="1m", step="100ms")
    env.reset(seed=1)
    for _ in range(5):
        seen, *_ = env.step(np.array([0.9, 0.5, 0.9, 0.5], dtype=np.float32))
    assert seen["account"][4] == 1.0

    for _ in range(5):
        seen, *_ = env.step(np.zeros(4, dtype=np.float32))
    assert seen["account"][4] == 0.0
    env.close()


def test_rewards_add_up_to_the_net_worth():
    """Basis points of the opening net worth; fills, fees, marks and funding included."""
    env = MakerEnv("gym_calm", episode="1m")
    _, info = env.reset(seed=4)
    opening, total = info["net_worth"], 0.0
    for _ in range(600):
        _, reward, _, truncated, info = env.step(QUOTES)
        total += reward

    assert truncated
    assert info["fills"] > 0
    assert total == pytest.approx((info["net_worth"] / opening - 1.0) * 10_000.0)
    env.close()


def test_a_learner_that_stays_in_the_crash_is_liquidated():
    """With little capital and large bids the account ends; the episode says so."""
    env = MakerEnv("gym_crash", capital={"USDT": 150_000}, qty_max=20.0, step="500ms")
    env.reset(seed=1)
    bids = np.array([0.05, 1.0, 1.0, 0.0], dtype=np.float32)
    for _ in range(500):
        _, _, terminated, truncated, _ = env.step(bids)
        if terminated or truncated:
            break

    assert terminated
    assert not truncated
    env.close()


def test_an_agent_leaves_and_the_market_goes_on():
    """In the parallel environment a ruined maker is gone, the careful one stays."""
    env = ParallelMakerEnv(
        "gym_crash", makers=2, capital={"USDT": 150_000}, qty_max=20.0, step="500ms"
    )
    env.reset(seed=1)
    acts = {
        "maker_0": np.array([0.05, 1.0, 1.0, 0.0], dtype=np.float32),
        "maker_1": np.zeros(4, dtype=np.float32),
    }
    for _ in range(500):
        _, _, terminated, _, _ = env.step({name: acts[name] for name in env.agents})
        if terminated["maker_0"]:
            break

    assert env.agents == ["maker_1"]
    seen, *_ = env.step({"maker_1": acts["maker_1"]})
    assert list(seen) == ["maker_1"]
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"symbol": "demo:BTCUSD"}, "did you mean 'demo:BTCUSDT'"),
        ({"step": "soon"}, "step='soon' is no duration"),
        ({"episode": "2h"}, "too short"),
        ({"capital": {"USD": 1}}, "did you mean 'USDT'"),
        ({"levels": 0}, "levels"),
        ({"colour": "red"}, "colour"),
        ({"render_mode": "human"}, "neither None nor 'ansi'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    """Wrong arguments end in one readable error."""
    with pytest.raises(UsageError, match=message):
        MakerEnv(**arguments)


def test_an_action_that_is_none_is_refused():
    """Wrong shape or NaN: an error that shows the space."""
    env = MakerEnv(**SHORT)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(QUOTES)
    env.reset(seed=1)
    for junk in (np.zeros(3, dtype=np.float32), np.full(4, np.nan, dtype=np.float32)):
        with pytest.raises(UsageError, match="is not Box"):
            env.step(junk)
    env.close()
