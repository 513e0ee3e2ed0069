"""The holder builds its position in slices and then does nothing."""

from __future__ import annotations

import pytest

from exchange_sim.participants.holder import Holder, HolderParams
from tests.participants.test_populations import BTC, world


@pytest.mark.parametrize(("qty", "side"), [(3.0, 0), (-3.0, 1)])
def test_a_holder_builds_its_position_and_stops(qty, side):
    """Equal slices, one each interval; afterwards not one order more."""
    exchange = world(symbols=(BTC,))
    desk = exchange.add(Holder(HolderParams(symbol=BTC, qty=qty, slices=4, interval_s=1.0)), "h")
    exchange.run(30)
    sent = [order for what, order in desk.sent if what == "new"]

    assert [order.side for order in sent] == [side] * 4
    assert sum(order.qty_lots for order in sent) == 3_000
