"""Rules about ADL under profiles are shown to fail: a bug is planted, and the rule notices it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exchange_sim.model.account import CROSS
from exchange_sim.risk.profiles import BYBIT, HYPERLIQUID, OKX
from exchange_sim.world import backstop, liquidation, takeover, triggers
from tests.world.factory import Street, under

Patch = pytest.MonkeyPatch


def _a_tick_beside_the_mark(patch: Patch) -> None:
    """ADL is not at the mark that the rule names."""
    real = takeover._adl_price
    patch.setattr(takeover, "_adl_price", lambda *a: real(*a) + 1_000_000)


def _no_round(patch: Patch) -> None:
    """ADL before anything was tried in the book."""
    patch.setattr(liquidation, "_for_round", lambda *_: False)
    patch.setattr(triggers, "everything_goes", lambda w, venue, worth: worth < 0)
    patch.setattr(
        liquidation, "_adl_round", lambda w, venue: venue.attempted.update({2: None}) or None
    )

    def act(w, venue, account, equity, maintenance):
        venue.attempted[2] = None
        return True

    patch.setattr(liquidation, "_act", act)


def _always(patch: Patch) -> None:
    """ADL although neither fund nor account is used up."""
    patch.setattr(triggers, "everything_goes", lambda *_: True)


def _no_room(patch: Patch) -> None:
    """ADL of an account that the vault has room for."""
    patch.setattr(backstop, "has_room", lambda *_: False)


PROFILE_PLANTS: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "beside_the_mark": ("ADL-5", _a_tick_beside_the_mark),
    "no_round": ("ADL-5", _no_round),
    "always": ("ADL-1", _always),
    "no_room": ("ADL-1", _no_room),
}
PROFILE_OF = {
    "beside_the_mark": OKX,
    "no_round": HYPERLIQUID,
    "always": BYBIT,
    "no_room": HYPERLIQUID,
}
LESS = {"no_room": (3_400, 972)}
"""Collateral and mark of an account that has something left."""


@pytest.mark.parametrize("name", PROFILE_PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """An insolvent long against winners, in a fund that could pay."""
    rule, install = PROFILE_PLANTS[name]
    install(monkeypatch)
    street = Street(venue=under(PROFILE_OF[name]))
    if name in {"always", "no_room"}:
        street.do(30, 0, 50_000)
    usdt, price = LESS.get(name, (2_000, 970))
    street.victim(CROSS, 100, usdt=usdt)
    street.move(price)
    checker, street.checker = street.checker, None
    assert checker is not None
    command = (13, street.now, 0)
    checker.before(command)
    found = checker.observe(command, street.w.apply(command))

    assert rule in {violation.id for violation in found}
