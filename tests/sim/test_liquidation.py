"""An owner and its own liquidation: bands, notices, forced fills, a correct view afterwards."""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim.sim import Run
from exchange_sim.strategy import (
    Fill,
    FundingNotice,
    LiquidationNotice,
    Margin,
    MarginBand,
    OrderHandle,
    OrderStatus,
    Position,
    RejectReason,
    Strategy,
)
from tests.doubles.sim_world import MS, PERP, QUIET, SPOT, START_NS, USDT, fund, make_run

SECOND = 1_000 * MS
PERP_SYMBOL = "leading:BTCUSDT-PERP"


class Long(Strategy):
    """Holds a leveraged long and a resting bid, and writes down what happens to it."""

    def on_start(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.fills: list[Fill] = []
        self.margins: list[Margin] = []
        self.order = self.buy(PERP_SYMBOL, 0.001, 50_000)
        self.late: OrderHandle | None = None

    def on_order_update(self, order: OrderHandle) -> None:
        self.heard.append(("order", order.status.name))

    def on_fill(self, fill: Fill) -> None:
        self.fills.append(fill)

    def on_position(self, position: Position) -> None:
        self.heard.append(("position", position.qty_lots))

    def on_margin(self, margin: Margin) -> None:
        self.margins.append(margin)

    def on_liquidation(self, event: LiquidationNotice) -> None:
        self.heard.append(("liquidation", event.stage, event.action and event.action.name))
        if event.stage == "started":
            self.late = self.buy(PERP_SYMBOL, 0.001, 50_000)

    def on_funding(self, event: FundingNotice) -> None:
        self.heard.append(("funding", event.amount))


def place(
    run: Run, account: int, instrument: int, client_id: int, side: int, price: int, lots: int
) -> None:
    order = (1, run.kernel.now_ns, account, instrument, client_id, side, 0, 0, price, lots)
    run.exchange.apply((*order, 0, 0, 0, 0, 0, 0))


def crash() -> tuple[Run, Long, int]:
    """1 BTC long on 6,000 USDT of equity; after a second the spot book falls by five percent."""
    timing = attrs.evolve(
        QUIET, mark_interval_ns=SECOND, liquidation_interval_ns=100 * MS, service_base_ns=1_000
    )
    run, bot = make_run(timings=[timing, QUIET]), Long()
    account = run.open_account("leading")
    run.apply_all([(21, START_NS, account, USDT, 6_000 * 10**6)])
    run.add_strategy("bot", bot, {"leading": account})
    maker = fund(run, "leading")
    run.apply_all([(25, START_NS, account, maker, PERP, 1_000_000, 1_000)])
    place(run, maker, SPOT, 1, 0, 999_990, 1_000)
    place(run, maker, SPOT, 2, 1, 1_000_010, 1_000)
    place(run, maker, PERP, 3, 0, 944_000, 5_000)
    place(run, maker, PERP, 4, 1, 1_000_010, 1_000)

    def fall(_: Any) -> None:
        run.exchange.apply((4, run.kernel.now_ns, maker, SPOT, -1))
        place(run, maker, SPOT, 5, 0, 945_000, 1_000)
        place(run, maker, SPOT, 6, 1, 945_010, 1_000)
        run.exchange.apply((4, run.kernel.now_ns, maker, PERP, 1))
        place(run, maker, PERP, 7, 1, 945_010, 1_000)

    run.kernel.at(START_NS + 1_500 * MS, fall)
    run.execute(START_NS + 10 * SECOND)
    return run, bot, account


def test_liquidation_is_told_step_by_step_and_the_view_stays_exact():
    """Cancel first, then forced fills without an order of one's own, then the end."""
    run, bot, account = crash()
    stages = [what[1] for what in bot.heard if what[0] == "liquidation"]
    world: Any = run.world
    session = run.host.agents[0].sessions[0]
    session.take_in(run.kernel.now_ns + SECOND, None)

    assert stages[0] == "started"
    assert stages[-1] == "ended"
    assert bot.order.status == OrderStatus.CANCELED
    assert bot.order.cancel_reason is not None
    assert bot.order.cancel_reason.name == "LIQUIDATION"
    assert bot.fills
    assert all(fill.order is None and fill.is_liquidation for fill in bot.fills)
    assert session.view.balances == list(world.ledger.posted[account])
    assert session.view.holding(PERP).lots == 0
    position = world.accounts[account].positions.get(PERP)
    assert position is None or position.qty == 0


def test_margin_follows_the_fall_through_its_bands():
    """Healthy, then a band of liquidation, each one link after the venue knew it."""
    _, bot, _ = crash()
    bands = [margin.band for margin in bot.margins]

    assert bands[0] == MarginBand.FREE
    assert max(bands) >= MarginBand.LIQUIDATION
    assert bot.margins[0].equity > bot.margins[-1].equity


def test_new_orders_are_refused_while_being_liquidated():
    """The order sent on the first notice is refused, whatever has become of the account."""
    _, bot, _ = crash()

    assert bot.late is not None
    assert bot.late.status == OrderStatus.REJECTED
    assert bot.late.reject_reason in (
        RejectReason.ACCOUNT_IN_LIQUIDATION, RejectReason.INSUFFICIENT_MARGIN,
        RejectReason.ACCOUNT_REDUCE_ONLY,
    )  # fmt: skip


def test_funding_is_told_to_both_sides():
    """What one side pays the other gets, over its own link."""
    timing = attrs.evolve(QUIET, mark_interval_ns=SECOND, funding_interval_ns=5 * SECOND)
    run, bot, other = make_run(timings=[timing, QUIET]), Long(), Long()
    one, two = fund(run, "leading"), fund(run, "leading")
    run.add_strategy("long", bot, {"leading": one})
    run.add_strategy("short", other, {"leading": two})
    run.apply_all([(25, START_NS, one, two, PERP, 1_000_000, 1_000)])
    maker = fund(run, "leading")
    place(run, maker, SPOT, 1, 0, 999_990, 1_000)
    place(run, maker, SPOT, 2, 1, 1_000_010, 1_000)
    place(run, maker, PERP, 3, 0, 1_010_000, 5_000)
    place(run, maker, PERP, 4, 1, 1_010_100, 5_000)
    run.execute(START_NS + 6 * SECOND)
    paid = [what[1] for what in bot.heard if what[0] == "funding"]
    received = [what[1] for what in other.heard if what[0] == "funding"]

    assert len(paid) == len(received) == 1
    assert paid[0] == -received[0] != 0
