"""Teach a market maker by random search: how wide to quote, how much, in a quiet book."""

# %% needs: pip install 'exchange-sim[gym]'
import numpy as np

from exchange_sim.gym import MakerEnv

env = MakerEnv("gym_calm", step="500ms", episode="20s", qty_max=2.0, risk_aversion=0.05)


def score(quotes: np.ndarray, seeds: range) -> float:
    """Mean return of an episode of constant quotes: bid offset and size, ask offset and size."""
    total = 0.0
    for seed in seeds:
        env.reset(seed=seed)
        while True:
            _, reward, terminated, truncated, _ = env.step(quotes)
            total += reward
            if terminated or truncated:
                break
    return total / len(seeds)


# %% hill climbing: keep a random change when it earns more on the same evenings
dice = np.random.default_rng(1)
best = np.array([0.9, 0.9, 0.9, 0.9], dtype=np.float32)
earned = score(best, range(2))
print("start  ", best, f"{earned:8.3f} bp")
for _ in range(8):
    tried = np.clip(best + dice.normal(0, 0.3, 4), 0, 1).astype(np.float32)
    found = score(tried, range(2))
    if found > earned:
        best, earned = tried, found
        print("better ", best.round(2), f"{earned:8.3f} bp")

# %% what counts is an evening that it has not seen
print("unseen ", f"{score(best, range(100, 102)):8.3f} bp")
env.close()
