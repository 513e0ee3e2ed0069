"""Environments in hard use: wrong input, ends, vectors, wrappers, many makers, a crash."""

from __future__ import annotations

import re
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import FlattenObservation, RecordEpisodeStatistics
from pettingzoo.test import parallel_seed_test

from exchange_sim.errors import ExchangeSimError, UsageError
from exchange_sim.gym import MakerEnv, ParallelMakerEnv

SHORT: dict[str, Any] = {"episode": "2s", "step": "500ms"}
NOTHING = np.zeros(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"levels": 0}, r"parameter 'levels': 'levels' must be in range\(1, 11\) \(got 0\)$"),
        ({"levels": 2.5}, "expected a whole number"),
        ({"depht": 3}, "did you mean 'depth'"),
        ({"qty_max": 1e-12}, "less than the smallest quantity of demo:BTCUSDT-PERP, 0.001"),
        ({"step": "0s"}, "step='0s' is not above zero"),
        ({"step": "soon"}, "step='soon' is no duration"),
        ({"episode": "2h"}, "gym_calm lasts 1800 s"),
        ({"warmup": "40m"}, "too short for a warm-up of '40m'"),
        ({"symbol": "demo:X"}, "there is no instrument 'demo:X'"),
        ({"capital": {"USDT": -5}}, "capital of USDT: -5 is no amount"),
        ({"capital": {"USDT": "much"}}, "capital of USDT: 'much' is no amount"),
        ({"capital": {"USDT": float("nan")}}, "capital of USDT: nan is no amount"),
        ({"capital": {"XX": 5}}, "there is no asset 'XX'"),
        ({"scenario": "gym_clam"}, "did you mean 'gym_calm'"),
        ({"risk_aversion": float("nan")}, "risk_aversion=nan is no number"),
        ({"render_mode": "human"}, "neither None nor 'ansi'"),
    ],
)
def test_wrong_settings_are_told_when_it_is_made(wrong: dict[str, Any], said: str) -> None:
    """Before the first episode, with what would be right."""
    with pytest.raises(ExchangeSimError) as caught:
        MakerEnv(**{**SHORT, **wrong})
    problems = getattr(caught.value, "problems", ())
    text = "\n".join([str(caught.value), *map(str, problems)])
    assert re.search(said, text, flags=re.MULTILINE), text


@pytest.mark.parametrize("action", [np.zeros(3), np.full(4, np.nan), "x", None, np.zeros((4, 1))])
def test_what_is_no_action_is_refused(action: Any) -> None:
    """And the episode goes on."""
    env = MakerEnv(**SHORT)
    env.reset(seed=1)
    with pytest.raises(UsageError, match="is not Box"):
        env.step(action)
    assert env.step(np.array([0.1, 0.5, 0.1, 0.5]))[4]["time_ns"] > 0
    assert env.observation_space.contains(env.step(np.full(4, 7.0))[0])
    env.close()


def test_after_the_end_comes_a_reset() -> None:
    """No step goes beyond the end; a reset in the middle begins anew; no warm-up if so asked."""
    env = MakerEnv(warmup="0s", **SHORT)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(NOTHING)
    for _ in range(2):
        env.reset(seed=1)
        truncated = False
        while not truncated:
            truncated = env.step(NOTHING)[3]
        with pytest.raises(gymnasium.error.ResetNeeded, match="over"):
            env.step(NOTHING)
    first = env.reset(seed=2)[1]["time_ns"]
    env.step(NOTHING)
    assert env.reset(seed=2)[1]["time_ns"] == first
    env.close()


def test_vectors_and_wrappers() -> None:
    """Equal seeds side by side see the same; episodes follow each other by themselves."""
    vector = gymnasium.vector.SyncVectorEnv([lambda: MakerEnv(**SHORT)] * 3)
    seen, _ = vector.reset(seed=[1, 2, 1])
    assert (seen["book"][0] == seen["book"][2]).all()
    assert (seen["book"][0] != seen["book"][1]).any()
    for _ in range(12):
        seen, *_ = vector.step(vector.action_space.sample())
    assert seen["book"].shape == (3, 2, 5, 2)
    vector.close()

    env = RecordEpisodeStatistics(FlattenObservation(MakerEnv(**SHORT)))
    env.reset(seed=1)
    info: dict[str, Any] = {}
    while "episode" not in info:
        *_, info = env.step(env.action_space.sample())
    assert info["episode"]["l"] == 4
    env.close()


def test_many_makers_repeat_by_seed() -> None:
    """PettingZoo's own test of seeds; sixteen makers in a crash, spot and perpetual."""
    parallel_seed_test(lambda: ParallelMakerEnv(makers=3, **SHORT), num_cycles=10)
    told = []
    for symbol in ("demo:BTCUSDT", "demo:BTCUSDT", "demo:BTCUSDT-PERP"):
        env = ParallelMakerEnv("gym_crash", symbol, makers=16, episode="10s", step="1s")
        env.reset(seed=9)
        dice, rewards = np.random.default_rng(3), []
        while env.agents:
            acts = {name: dice.random(4, dtype=np.float32) for name in env.agents}
            rewards.append(env.step(acts)[1])
        env.close()
        told.append(rewards)
    assert told[0] == told[1] != told[2]
    assert len({reward for step in told[0] for reward in step.values()}) > 3


@pytest.mark.parametrize("names", [["maker_0"], [], ["maker_0", "maker_9"]])
def test_everybody_acts(names: list[str]) -> None:
    """Actions are of those who are there."""
    env = ParallelMakerEnv(makers=2, **SHORT)
    env.reset(seed=1)
    with pytest.raises(UsageError, match=r"the agents are \['maker_0', 'maker_1'\]"):
        env.step(dict.fromkeys(names, NOTHING))
    env.close()


@pytest.mark.soak
def test_a_seat_in_the_big_crash() -> None:
    """Two minutes of the article's crash from before the news on, in an alt's perpetual."""
    env = MakerEnv(
        "oct10_article", "leading:XRPUSDT-PERP", episode="2m", step="1s", warmup="9m30s",
        qty_max=1_000.0,
    )  # fmt: skip
    seen, info = env.reset(seed=3)
    inside = True
    while True:
        inside = inside and env.observation_space.contains(seen)
        seen, _, terminated, truncated, info = env.step(np.array([0.1, 0.5, 0.1, 0.5]))
        if terminated or truncated:
            break
    assert inside
    assert info["fills"] > 0
    assert truncated
    env.close()
