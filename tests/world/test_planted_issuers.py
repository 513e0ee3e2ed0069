"""Rules about issuers, wrappers and transfers are shown to fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exchange_sim.messages.reasons import ActionKind
from exchange_sim.world import issuers, transfers, wrappers
from exchange_sim.world.chain import actions
from exchange_sim.world.world import HANDLERS
from tests.world.factory import reported
from tests.world.issuer_factory import issuer_soup

Patch = pytest.MonkeyPatch
ACTIONS = actions.ACTIONS


def _transfer_arrives_twice(patch: Patch) -> None:
    """What arrived stays among the transfers under way."""
    real = transfers.finish_transfer

    def finish(w, c):
        entry = w.transfers.get(c[2])
        real(w, c)
        if entry is not None:
            w.transfers[c[2]] = entry

    patch.setitem(HANDLERS, 27, finish)


def _free_dollars(patch: Patch) -> None:
    """Minted dollars are not counted."""
    real = issuers.mint

    def mint(x, action):
        real(x, action)
        x.w.issuers[action[1]].minted -= 1

    spec = actions.ActionSpec(ACTIONS[ActionKind.ISSUER_MINT].gas, mint)
    patch.setitem(ACTIONS, ActionKind.ISSUER_MINT, spec)


def _forgotten_debt(patch: Patch) -> None:
    """A redemption that waits is not kept in mind."""
    real = wrappers.unwrap

    def unwrap(w, c):
        before = {asset: wrapper.owed for asset, wrapper in w.wrappers.items()}
        real(w, c)
        for asset, owed in before.items():
            w.wrappers[asset].owed = owed

    patch.setitem(HANDLERS, 68, unwrap)


def _above_par(patch: Patch) -> None:
    """Redemption pays ten times as much as it should."""
    real = issuers._scales
    patch.setattr(issuers, "_scales", lambda x, i: (real(x, i)[0], real(x, i)[1] * 10))


ISSUER_PLANTS: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "transfer arrives twice": ("TRF-1", _transfer_arrives_twice),
    "free dollars": ("ISS-1", _free_dollars),
    "forgotten debt": ("ISS-2", _forgotten_debt),
    "above par": ("ISS-3", _above_par),
}


@pytest.mark.parametrize("name", ISSUER_PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """Some random day breaks the rule that the bug concerns."""
    rule, install = ISSUER_PLANTS[name]
    install(monkeypatch)
    found = reported(monkeypatch)
    for seed in range(4):
        try:
            issuer_soup(seed)
        except (AssertionError, KeyError):
            found.append("stopped")
        if rule in found:
            return
    pytest.fail(f"{rule} is not among {sorted(set(found))}")
