"""A whale with its loop on a lending pool, and an issuer whose backing partly lies there."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.messages.reasons import ActionKind, NoteKind, RejectReason
from exchange_sim.model.enums import InstrumentKind
from exchange_sim.participants.dollar_issuer import DollarIssuer, DollarIssuerParams
from exchange_sim.participants.pool_whale import PoolWhale, PoolWhaleParams
from exchange_sim.strategy import LoanView, TransactionNotice, TransferNotice
from exchange_sim.strategy.chain_views import (
    AmmView,
    ChainView,
    PoolView,
    PositionView,
    ReserveView,
)
from exchange_sim.strategy.testing import Bench, make_market

USDE = "leading:USDEUSDT"
UNIT = 10**6


class Par:
    """An AMM that swaps at a price, whatever the size."""

    def __init__(self, price: float) -> None:
        self._price = price

    def quote(self, _asset_in: str, qty: float, _asset_out: str) -> float:
        """What a swap gives."""
        return qty * self._price

    def price(self, _asset: str, _quote: str) -> float:
        """The marginal price."""
        return self._price


def reserve(asset: str, cash: float) -> ReserveView:
    """A reserve with so much left in it."""
    return ReserveView(asset, 1.0, cash, 1e6, 1e6 - cash, 0.0, 0.05, 0.04, 0.9, 0.93, 0.03, 0.1)


def chain(price: float = 1.0, cash: float = 1e6, number: int = 1) -> ChainView:
    """A block in which the wallet has 900,000 in the pool and owes 600,000."""
    position = PositionView(
        "core", 0, 1.4, 9e5, 0.0, 6e5, {"USDE": 9e5}, {"USDT": 6e5}, {"USDE": 0.03}, 1
    )
    reserves = {"USDT": reserve("USDT", cash), "USDE": reserve("USDE", 9e5)}
    pool = PoolView("core", 0, reserves, (), {0: position}, 0.0005, 1e3, 2e3)
    amm = AmmView(
        "curve", 0, "stableswap", ("USDE", "USDT"), {}, 0.0001, {}, 1.0, Par(price)
    )  # fmt: skip
    return ChainView(
        "chain", number, 0, 2.0, 0.5, 0, "ETH", 4e3, {"core": pool}, {}, {"curve": amm}, {}, {}
    )


def bench() -> Bench:
    """One market and the names of the chain."""
    b = Bench([make_market(USDE, "0.0001", "0.1", InstrumentKind.SPOT)])
    b.chain_names = {"pool": ["core"], "amm": ["curve"]}
    return b


def called(happened: str = "call", debt: float = 372_000.0) -> LoanView:
    """A loan at 77 % that should be at 60 %."""
    return LoanView(4, "leading", 0, 0, "SOL", 2_500.0, debt, 0.0, 0.775, happened, 0, 0)


def whale(b: Bench, monkeypatch: pytest.MonkeyPatch, **params: Any) -> PoolWhale:
    """A whale that reacts at once."""
    monkeypatch.setattr(PoolWhale, "wallet", lambda _: 0)
    given = {"reaction_mean_s": 10.0, "reaction_sd_s": 1.0, **params}
    return b.run(PoolWhale(PoolWhaleParams(**given)))


def amounts(b: Bench) -> dict[int, float]:
    """Kind of action and its amount, of the last transaction."""
    word, *actions = b.requests[-1]
    assert word == "transact"
    return {action[0]: action[3] / UNIT for action in actions}


def test_whale_takes_the_same_share_out_of_both_sides(monkeypatch):
    """84,000 missing and 300,000 of equity: 29.4 % of deposit and debt, after the reaction."""
    b = bench()
    bot = whale(b, monkeypatch)
    bot.on_loan(called())
    bot.on_block(chain())
    assert b.requests == []

    b._now += 20 * 10**9
    bot.on_block(chain())
    found = amounts(b)
    share = bot.need() * 1.05 / 300_000.0

    assert found[ActionKind.REPAY] == found[ActionKind.FLASH_LOAN] == pytest.approx(6e5 * share)
    assert found[ActionKind.WITHDRAW] == pytest.approx(9e5 * share)
    assert b.notes[0][0] == NoteKind.LOOP_UNWINDING
    count = len(b.requests)
    bot.on_block(chain(number=2))
    assert len(b.requests) == count


def test_money_travels_to_the_venue_and_repays(monkeypatch):
    """A transfer of what the loop gave, a repayment when it has arrived."""
    b = bench()
    bot = whale(b, monkeypatch)
    bot.on_loan(called())
    b._now += 20 * 10**9
    bot.on_block(chain())
    bot.on_transaction(TransactionNotice(len(b.requests), 0, "executed", 0))
    b.set_balance("USDT", 84_000.0, "chain")
    bot.on_block(chain(number=2))
    assert b.requests[-1] == ("transfer", "USDT", 84_000, "chain", "leading")

    b.set_balance("USDT", 84_000.0, "leading")
    bot.on_transfer(TransferNotice(1, 0, 0, "USDT", 84_000.0, finished=True))

    assert tuple(b.requests[-1])[:2] == (62, 4)
    assert b.requests[-1][2] / UNIT == pytest.approx(bot.need(), abs=1.0)


def test_whale_does_not_sell_below_what_the_flash_loan_costs(monkeypatch):
    """In a broken pool it waits; a cured call ends it all."""
    b = bench()
    bot = whale(b, monkeypatch)
    bot.on_loan(called())
    b._now += 20 * 10**9
    bot.on_block(chain(price=0.6))
    assert b.requests == []

    bot.on_loan(called("cured"))
    bot.on_block(chain())
    assert b.requests == []


@pytest.mark.parametrize(("cash", "asked"), [(1e6, 50_000), (20_000.0, 20_000)])
def test_issuer_takes_its_deposit_back_first(cash, asked):
    """As much as is missing, at most what the pool has not lent out."""
    b = bench()
    b.chain = chain(cash=cash)
    b.set_balance("USDT", 50_000.0, "chain")
    params = DollarIssuerParams(
        pool="core", pool_deposit=70_000.0, buffer_low=60_000.0, buffer_target=100_000.0
    )
    bot = b.run(DollarIssuer(params))
    b.advance(1.2)
    assert amounts(b) == {int(ActionKind.WITHDRAW): asked}
    count = len(b.requests)
    b.advance(3.0)
    assert len(b.requests) == count

    failed = TransactionNotice(count, 0, "failed", 0, 0.0, 0, RejectReason.BAD_AMOUNT)
    bot.on_transaction(failed)
    b.advance(30.0)
    assert len(b.requests) == count
    b.advance(60.0)
    assert len(b.requests) == count + 1
