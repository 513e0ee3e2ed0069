"""Open orders by instrument: counted once, then kept up to date, whatever happens to the orders."""

from __future__ import annotations

import pytest

from exchange_sim.model.account import Account
from exchange_sim.world import World
from exchange_sim.world.invariants import incremental_of
from tests.world.soup import Soup, soup_config

COMMANDS = 600


def played(seed: int) -> World:
    """A random market in a crash in which every account is counted from its first command on."""
    w = World(soup_config(seed))
    soup = Soup(w, seed, crash=seed % 2 == 0)
    for _ in range(COMMANDS):
        w.apply(soup.next())
        for account in w.accounts:
            if account.owner >= 0:
                account.open_in(0)
    return w


@pytest.mark.parametrize("seed", range(4))
def test_counts_stay_true(seed: int) -> None:
    """Entries, fills, cancels, triggers, liquidations: RISK-3 recounts all of them."""
    w = played(seed)
    counted = [account for account in w.accounts if account.open_counts]
    assert len(counted) > 5
    for account in counted:
        assert list(incremental_of(w, account)) == []
        for instrument in range(len(w.instruments)):
            mine = [o for o in account.orders.values() if o.instrument == instrument]
            assert account.open_in(instrument)[0] == len(mine)


def test_a_forgotten_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: orders that have ended stay counted."""
    real = Account.count
    monkeypatch.setattr(Account, "count", lambda a, order, change: real(a, order, max(0, change)))
    w = played(2)
    found = [v for account in w.accounts if account.open_counts for v in incremental_of(w, account)]
    assert {violation.id for violation in found} == {"RISK-3"}
