"""Lenders in a run: slots by the clock, borrowers who answer late, strategies that are told."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from exchange_sim.sim.lenders import Reaction
from exchange_sim.sim.outages import Outage
from exchange_sim.sim.run import Run
from exchange_sim.strategy import LoanView, RefusalNotice, Strategy
from exchange_sim.world import World
from tests.world.factory import BTC, SECOND, SPOT, START, USDT
from tests.world.loan_factory import MINUTE, loan_config


@attrs.define
class Log:
    """Keeps events in order of happening."""

    kept: list[tuple[int, tuple[int, ...]]] = attrs.field(factory=list)

    def record(self, _seq: int, time_ns: int, events: list[tuple[int, ...]]) -> None:
        """Take what a command caused."""
        self.kept.extend((time_ns, event) for event in events)

    def of(self, kind: int) -> list[tuple[int, tuple[int, ...]]]:
        """Seconds since the start, and the events of a kind."""
        return [((t - START) // SECOND, e) for t, e in self.kept if e[0] == kind]


def make(**product: Any) -> tuple[Run, Log, int, int]:
    """A run with a street account and a borrower of 65,000 against 100,000."""
    log = Log()
    run = Run(World(loan_config(product)), seed=3, log=log)
    run.apply_all([(65, START, 0, 10**9)])
    street, borrower = run.open_account("venue-0", 0, 0), run.open_account("venue-0", 1, 0)
    run.apply_all(
        [
            (21, START, street, USDT, 10**9),
            (21, START, street, BTC, 10**9),
            (21, START, borrower, BTC, 160_000),
            (60, START, borrower, 0, BTC, 100_000, 65_000),
        ]
    )
    return run, log, street, borrower


def fall(run: Run, street: int, price: int, after_s: int, bids: int = 500) -> None:
    """A trade at ``price`` some seconds after the start, and bids there from then on."""

    def trade(_: None) -> None:
        now = run.kernel.now_ns
        for client_id, side, qty in ((1, 0, 1), (2, 1, 1), (3, 0, bids)):
            run.exchange.apply(
                (1, now, street, SPOT, client_id, side, 0, 0, price, qty, *[0] * 6)
            )  # fmt: skip

    run.kernel.at(START + after_s * SECOND, trade, None, 1)


def test_forced_sale_follows_the_lag_of_the_product():
    """Level reached at second 2, sold five seconds later by the clock."""
    run, log, street, _ = make(lag_ns=5 * SECOND)
    fall(run, street, 700, 2)
    run.execute(START + 20 * SECOND)

    assert [t for t, _ in log.of(72)] == [2]
    assert [t for t, _ in log.of(73)] == [7]


@pytest.mark.parametrize(("command", "value"), [(61, 60_000), (62, 20_000), (63, 500_000)])
def test_a_called_borrower_answers_after_the_reaction_time(command, value):
    """About two minutes after the call, in each of three ways."""
    run, log, street, borrower = make()
    run.credit.borrowers.reactions[borrower] = Reaction(command, value, 2 * MINUTE, 5 * SECOND)
    fall(run, street, 800, 2)
    run.execute(START + 4 * MINUTE)

    (changed, _), *_ = log.of(71)
    assert 90 <= changed - log.of(72)[0][0] <= 150
    assert log.of(74) == []


def test_nobody_answers_for_those_who_ignore():
    """A call without an answer changes nothing."""
    run, log, street, borrower = make()
    run.credit.borrowers.reactions[borrower] = Reaction(0, 0, 2 * MINUTE, 5 * SECOND)
    fall(run, street, 800, 2)
    run.execute(START + 4 * MINUTE)

    assert len(log.of(72)) == 1
    assert log.of(71) == []


def test_an_answer_waits_for_a_venue_that_is_down():
    """The borrower tries again every minute."""
    run, log, street, borrower = make()
    run.credit.borrowers.reactions[borrower] = Reaction(61, 60_000, MINUTE, SECOND)
    fall(run, street, 800, 2)
    run.add_outage(Outage("down", 0, START + 30 * SECOND, START + 150 * SECOND))
    run.execute(START + 5 * MINUTE)

    assert [e[3] for _, e in log.of(71)] == [1]
    assert log.of(71)[0][0] >= 150


class Borrower(Strategy):
    """Borrows, is called, tops up, repays a part."""

    def __init__(self, params: object = None) -> None:
        super().__init__(params)
        self.told: list[LoanView] = []
        self.refused: list[RefusalNotice] = []

    def on_start(self) -> None:
        """Two requests, one of them too bold."""
        self.open_loan("patient", "BTC", 0.03, 0.018)
        self.open_loan("patient", "BTC", 0.01, 0.009)

    def on_loan(self, loan: LoanView) -> None:
        """Answer the first call with everything that is free."""
        self.told.append(loan)
        if loan.happened == "call":
            self.top_up_loan(loan, 0.01)
            self.repay_loan(loan, 0.001)

    def on_refusal(self, refusal: RefusalNotice) -> None:
        """Keep what a lender refused."""
        self.refused.append(refusal)


def test_strategies_borrow_and_are_told():
    """Requests travel over the link, the view follows the messages."""
    run, _, street, _ = make()
    account = run.open_account("venue-0", 2, 0)
    run.apply_all([(21, START, account, BTC, 50_000)])
    bot = Borrower()
    run.add_strategy("bot", bot, {"venue-0": account})
    fall(run, street, 730, 2)
    run.execute(START + 10 * SECOND)

    assert [v.happened for v in bot.told] == ["opened", "call", "topped_up", "cured", "repaid"]
    assert [notice.reason.name for notice in bot.refused] == ["LOAN_TO_VALUE"]
    (view,) = bot.pledged_loans()
    assert (view.collateral, view.principal, view.collateral_asset) == (0.04, 0.017, "BTC")


def test_a_liquidation_without_a_call_is_answered_too():
    """A gap through both levels: who tops up before the first sale keeps the loan."""
    run, log, street, borrower = make(lag_ns=5 * MINUTE)
    run.credit.borrowers.reactions[borrower] = Reaction(61, 60_000, MINUTE, SECOND)
    fall(run, street, 700, 2)
    run.execute(START + 6 * MINUTE)

    assert [e[3] for _, e in log.of(71)] == [1]
    assert log.of(73) == []


def test_calls_from_before_the_start_are_answered():
    """The opening state may contain open calls."""
    run, log, _, borrower = make()
    reaction = Reaction(63, 500_000, MINUTE, SECOND)
    run.credit.borrowers.begin({borrower: reaction}, [(1, borrower)])
    run.execute(START + 2 * MINUTE)

    assert log.of(73) == []
    assert run.world.lenders_pending(0, run.kernel.now_ns)
