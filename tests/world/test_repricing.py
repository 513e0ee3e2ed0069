"""The short way of a replace against the long one, over random worlds."""

from __future__ import annotations

import random
from typing import Any

import pytest

from exchange_sim.world import World, orders
from exchange_sim.world.repricing import reprice
from tests.world.soup import Soup, soup_config
from tests.world.test_soup import ALL_MODES

COMMANDS = 1_500


def moves(w: World, dice: random.Random) -> list[tuple[int, ...]]:
    """A few changes of open orders: near prices, other sizes, some across the touch."""
    found: list[tuple[int, ...]] = []
    for account in dice.sample(w.accounts, 3):
        for order in list(account.orders.values())[-2:]:
            price = max(1, order.price + dice.randrange(-6, 7))
            qty = dice.choice((-1, order.leaves, 1 + dice.randrange(2 * order.leaves)))
            owner = account.id if account.parent < 0 else account.parent
            found.append((3, w.time_ns, owner, order.client_order_id, price, qty))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_short_and_long_way_agree(seed, monkeypatch):
    """The same events and the same state, for every replace of a mixed flow."""
    modes = ALL_MODES if seed % 2 else (2, 1, 2)
    short, long = World(soup_config(seed)), World(soup_config(seed))
    soup, dice, taken = Soup(short, seed, crash=seed > 3, modes=modes), random.Random(seed), [0, 0]

    def counted(*terms: Any) -> bool:
        done = reprice(*terms)
        taken[done] += 1
        return done

    def both(command: tuple[int, ...]) -> None:
        monkeypatch.setattr(orders, "reprice", counted)
        events = short.apply(command)
        monkeypatch.setattr(orders, "reprice", lambda *_: False)
        assert long.apply(command) == events, command

    for _ in range(COMMANDS):
        both(soup.next())
        for move in moves(short, dice):
            both(move)
    assert short.state_digest() == long.state_digest()
    assert min(taken) > 100
