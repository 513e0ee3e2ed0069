"""The margin of an account from its events alone: what the world that wrote them says."""

from __future__ import annotations

import pytest

from exchange_sim.analysis.account_state import AccountState, apply_event
from exchange_sim.messages.registry import EVENTS
from exchange_sim.model.account import CROSS
from exchange_sim.world import FeeTier
from exchange_sim.world.margin import requirements
from tests.world.factory import COIN_PERP, PERP, PRICE, Event
from tests.world.test_inverse import move, street

OF_ACCOUNT = {"LedgerPosted", "Traded", "LoanChanged"}


def follow(state: AccountState, account: int, events: list[Event]) -> None:
    """Book what the events say of an account."""
    for number, *fields in events:
        kind = EVENTS[number]
        row = dict(zip(kind.field_names, fields, strict=True))
        owners = [value for name, value in row.items() if name.endswith("account")]
        if kind.__name__ in OF_ACCOUNT and account in owners:
            apply_event(state, account, kind, row)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("instrument", [COIN_PERP, PERP])
def test_coins_and_dollars_are_followed_to_the_unit(side: int, instrument: int) -> None:
    """Open, add, close a part at a loss or a gain, with fees, at moving marks."""
    desk = street(fees=(FeeTier(200, 500),))
    account = desk.account(CROSS, btc=200_000)
    state = AccountState.opening(desk.w, 0)
    state.posted[1] = 200_000
    checked = 0
    for price, lots, way in ((PRICE, 10, side), (PRICE + 37, 7, side), (PRICE - 91, 9, 1 - side)):
        desk.limit(desk.house, instrument, 1 - way, price, lots)
        follow(state, account, desk.limit(account, instrument, way, price, lots))
        desk.do(4, desk.house, -1, -1)
        move(desk, price - 13)
        state.marks[:] = desk.w.marks
        state.prices[:] = desk.w.venues[0].asset_prices
        equity, _, maintenance = requirements(desk.w, desk.w.accounts[account])
        assert (state.equity(), state.maintenance()) == (equity, maintenance)
        assert maintenance
        checked += 1
    assert checked == 3
    assert state.positions[instrument] == list(desk.position(account, instrument))
