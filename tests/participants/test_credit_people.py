"""Whales with loops, arbitrageurs, the issuer's desk: one decision at a time."""

from __future__ import annotations

from typing import Any

import pytest

from exchange_sim.messages.reasons import ActionKind, MarginBand, NoteKind, RejectReason
from exchange_sim.model.enums import BUY, SELL, InstrumentKind
from exchange_sim.participants.basis import BasisArbitrage, BasisPair, BasisParams
from exchange_sim.participants.dollar_issuer import DollarIssuer, DollarIssuerParams, HedgePair
from exchange_sim.participants.loop_whale import LoopWhale, LoopWhaleParams
from exchange_sim.participants.redemption import (
    RedemptionArbitrage,
    RedemptionParams,
    WrapperArbitrage,
    WrapperParams,
)
from exchange_sim.strategy import LoanView, Margin, RefusalNotice, TransactionNotice
from exchange_sim.strategy.testing import Bench, make_market

USDE, ETH, PERP, WBETH = (
    "leading:USDEUSDT", "leading:ETHUSDT", "leading:ETHUSDT-PERP", "leading:WBETHUSDT",
)  # fmt: skip


def bench() -> Bench:
    """Four markets of one venue."""
    spot, perpetual = InstrumentKind.SPOT, InstrumentKind.PERPETUAL
    return Bench(
        [
            make_market(USDE, "0.0001", "0.1", spot, 0),
            make_market(ETH, "0.01", "0.001", spot, 1),
            make_market(PERP, "0.01", "0.001", perpetual, 2),
            make_market(WBETH, "0.01", "0.001", spot, 3),
        ]
    )


def quoted(b: Bench, symbol: str, bid: float, ask: float, qty: float = 1e6) -> None:
    """A book with one level per side."""
    b.set_book(symbol, [(bid, qty)], [(ask, qty)])


def margin(ratio: float) -> Margin:
    """A margin state with this uniMMR."""
    return Margin("leading", 0, 1, 100.0, 0.0, 10.0, 0.0, ratio, MarginBand.FREE)


def called(debt: float, ltv: float, happened: str = "call") -> LoanView:
    """A loan of ``debt``, called at ``ltv``."""
    return LoanView(1, "leading", 0, 0, "SOL", 10.0, debt, 0.0, ltv, happened, 0, 0)


def whale(b: Bench, **params: Any) -> LoopWhale:
    """A whale with a loop of 400,000 dollars that reacts in ten seconds."""
    quoted(b, USDE, 0.999, 1.001)
    b.set_balance("USDE", 400_000.0, "leading")
    given = {"reaction_mean_s": 10.0, "reaction_sd_s": 1.0, "margin_reaction_s": 5.0, **params}
    bot = b.run(LoopWhale(LoopWhaleParams(**given)))
    b.set_margin(margin(2.0))
    return bot


def test_whale_sells_what_the_call_needs_times_its_leverage():
    """10,000 missing at leverage 4: 40,000 are sold, and not before the reaction time."""
    b = bench()
    bot = whale(b, slice_share=0.5)
    bot.on_loan(called(60_000.0, 0.72))
    b.advance(6.0)
    assert b.sent == []
    assert b.notes == [(NoteKind.LOOP_UNWINDING, 400_000, 1)]

    b.advance(10.0)

    assert b.sent[0].side == SELL
    assert b.sent[0].qty == pytest.approx(40_000.0, rel=0.01)


def test_whale_shares_cash_between_lender_and_margin_loan():
    """One quarter of what came in goes to the lender."""
    b = bench()
    bot = whale(b)
    bot.loan = lambda *_: 300_000.0  # type: ignore[method-assign]  # a bench knows no debts
    bot.on_loan(called(60_000.0, 0.72))
    b.set_balance("USDT", 8_000.0, "leading")
    b.advance(3.0)

    assert (62, 1, 2_000 * 10**6) in b.requests
    assert ("repay", "USDT", 6_000, "leading") in b.requests


def test_whale_stops_when_the_call_is_over():
    """A cured call cancels the reaction."""
    b = bench()
    bot = whale(b)
    bot.on_loan(called(60_000.0, 0.72))
    bot.on_loan(called(50_000.0, 0.6, "cured"))
    b.advance(60.0)

    assert b.sent == []


@pytest.mark.parametrize("cause", ["margin", "price"])
def test_whale_leaves_for_margin_or_price(cause):
    """A thin margin, or a dollar below its stop."""
    b = bench()
    whale(b, stop_price=0.97)
    if cause == "margin":
        b.set_margin(margin(1.1))
    else:
        quoted(b, USDE, 0.90, 0.91)
    b.advance(20.0)

    assert b.sent
    assert b.notes[0][2] == (2 if cause == "margin" else 3)
    b.set_margin(margin(1.8))
    quoted(b, USDE, 0.999, 1.001)


def test_ignoring_whales_do_nothing():
    """Some people sleep."""
    b = bench()
    bot = whale(b, ignores=True)
    bot.on_loan(called(60_000.0, 0.8))
    b.advance(100.0)

    assert b.sent == []
    assert b.notes == []


def redeemer(b: Bench, **params: Any) -> RedemptionArbitrage:
    """An arbitrageur with half a million."""
    b.set_balance("USDT", 500_000.0, "leading")
    return b.run(RedemptionArbitrage(RedemptionParams(**params)))


def test_redeemer_buys_below_par_and_not_at_it():
    """The edge pays for the way."""
    b = bench()
    redeemer(b)
    quoted(b, USDE, 0.997, 0.998)
    b.advance(3.0)
    assert b.sent == []

    quoted(b, USDE, 0.97, 0.98)
    b.advance(1.5)

    assert b.sent[0].side == BUY
    assert b.sent[0].price == pytest.approx(0.996)


def test_redeemer_moves_redeems_and_brings_back():
    """Dollars to the wallet, a redemption, money to the venue."""
    b = bench()
    bot = redeemer(b)
    b.set_balance("USDE", 20_000.0, "leading")
    b.advance(1.5)
    assert ("transfer", "USDE", 20_000, "leading", "chain") in b.requests

    b.set_balance("USDE", 0.0, "leading")
    b.set_balance("USDE", 20_000.0, "chain")
    b.advance(1.5)
    action = ("transact", (int(ActionKind.ISSUER_REDEEM), 0, 20_000 * 10**6))
    assert action in b.requests
    number = b.requests.index(action) + 1

    bot.on_transaction(TransactionNotice(number, 0, "executed", 0, 0.0, 19_980 * 10**6))
    b.set_balance("USDE", 0.0, "chain")
    b.set_balance("USDT", 19_980.0, "chain")
    b.advance(1.5)
    assert ("transfer", "USDT", 19_980, "chain", "leading") in b.requests


def test_redeemer_waits_when_transfers_are_refused_and_stops_buying_when_stuck():
    """It learns of a suspension by being refused."""
    b = bench()
    bot = redeemer(b, stuck_usd=30_000.0)
    b.set_balance("USDE", 29_000.0, "leading")
    refusal = RefusalNotice("leading", 0, 0, 26, RejectReason.TRANSFER_SUSPENDED)
    bot.on_refusal(refusal)
    before = len(b.requests)
    quoted(b, USDE, 0.69, 0.70)
    b.advance(1.5)

    assert len(b.requests) == before
    assert b.sent[0].qty == pytest.approx((30_000.0 - 29_000.0 * 0.7) / 0.7, rel=0.01)
    b.advance(61.0)
    assert len(b.requests) > before


def test_failed_redemptions_are_tried_smaller():
    """Limits per block: half as much the next time."""
    b = bench()
    bot = redeemer(b)
    b.set_balance("USDE", 16_000.0, "chain")
    b.advance(1.5)
    number = len(b.requests)
    reason = RejectReason.REDEEM_LIMIT
    bot.on_transaction(TransactionNotice(number, 0, "failed", 0, 0.0, 0, reason))
    b.advance(1.5)

    assert b.requests[-1] == ("transact", (int(ActionKind.ISSUER_REDEEM), 0, 8_000 * 10**6))


def test_wrapper_arbitrage_buys_redeems_and_sells():
    """Below 1.08 ETH less the edge it buys; what arrives is sold."""
    b = bench()
    quoted(b, ETH, 1_000.0, 1_001.0)
    quoted(b, WBETH, 900.0, 1_000.0)
    b.set_balance("USDT", 100_000.0, "leading")
    b.run(WrapperArbitrage(WrapperParams(retry_s=5.0)))
    b.advance(1.5)
    assert (b.sent[0].side, b.sent[0].symbol) == (BUY, WBETH)

    b.set_balance("WBETH", 3.0, "leading")
    b.set_balance("ETH", 2.0, "leading")
    b.advance(1.5)

    assert any(request[0] == 68 for request in b.requests)
    assert any((o.side, o.symbol, o.qty) == (SELL, ETH, 2.0) for o in b.sent)


def test_basis_trades_both_legs_and_keeps_its_limit():
    """A dear perpetual is sold against spot, up to the inventory limit; then nothing."""
    b = bench()
    quoted(b, ETH, 999.0, 1_000.0)
    quoted(b, PERP, 1_010.0, 1_011.0)
    pair = BasisPair(ETH, PERP, 1_000_000.0)
    b.run(BasisArbitrage(BasisParams(pairs=(pair,), inventory_d1=0.01)))
    b.advance(1.5)
    sides = [(o.side, o.symbol) for o in b.sent]
    assert sides == [(BUY, ETH), (SELL, PERP)]
    assert b.sent[0].qty == pytest.approx(b.sent[1].qty)

    b.set_balance("ETH", 10.0, "leading")
    b.set_position(PERP, -b.market(PERP).to_lots(10.0))
    count = len(b.sent)
    b.advance(3.0)
    assert len(b.sent) == count


def test_basis_repairs_a_missing_leg():
    """Coins without contracts are hedged before anything else."""
    b = bench()
    quoted(b, ETH, 999.0, 1_000.0)
    quoted(b, PERP, 1_000.0, 1_001.0)
    b.run(BasisArbitrage(BasisParams(pairs=(BasisPair(ETH, PERP, 1_000_000.0),))))
    b.set_balance("ETH", 2.0, "leading")
    b.advance(1.5)

    assert [(o.side, o.symbol, o.qty) for o in b.sent] == [(SELL, PERP, 2.0)]


def desk(b: Bench, **params: Any) -> DollarIssuer:
    """An issuer with 100 ETH, hedged."""
    quoted(b, ETH, 999.0, 1_000.0)
    quoted(b, PERP, 999.0, 1_000.0)
    b.set_balance("ETH", 100.0, "leading")
    b.set_position(PERP, -b.market(PERP).to_lots(100.0))
    return b.run(DollarIssuer(DollarIssuerParams(pairs=(HedgePair(ETH, PERP),), **params)))


def test_issuer_opens_a_short_that_adl_took():
    """Neutral again, slice by slice."""
    b = bench()
    desk(b, slice_usd=5_000.0)
    b.advance(1.5)
    assert b.sent == []

    b.set_position(PERP, -b.market(PERP).to_lots(80.0))
    b.advance(1.2)

    assert b.sent[0].side == SELL
    assert b.sent[0].symbol == PERP
    assert b.sent[0].qty == pytest.approx(5.0, rel=0.01)


def test_issuer_sells_coins_when_the_short_is_refused():
    """No margin for a hedge: the coins go."""
    b = bench()
    desk(b)
    b.set_position(PERP, -b.market(PERP).to_lots(80.0))
    b.advance(1.2)
    b.reject(b.sent[0], RejectReason.INSUFFICIENT_MARGIN)
    b.advance(1.2)

    assert (b.sent[1].side, b.sent[1].symbol) == (SELL, ETH)
    assert b.sent[1].qty == pytest.approx(20.0, rel=0.01)


def test_issuer_closes_shorts_without_coins():
    """The other way round: too much hedge."""
    b = bench()
    desk(b)
    b.set_balance("ETH", 90.0, "leading")
    b.advance(1.2)

    assert (b.sent[0].side, b.sent[0].symbol, b.sent[0].qty) == (BUY, PERP, 10.0)


def test_issuer_refills_its_buffer_by_selling_backing():
    """Below the low mark: coins first, then the money is sent."""
    b = bench()
    b.set_balance("USDT", 30_000.0, "chain")
    desk(b, buffer_low=50_000.0, buffer_target=80_000.0, slice_usd=20_000.0)
    b.advance(1.2)
    assert (b.sent[0].side, b.sent[0].symbol) == (SELL, ETH)
    assert b.notes[0][0] == NoteKind.BUFFER_REFILL

    b.set_balance("USDT", 35_000.0, "leading")
    b.advance(1.2)

    assert ("transfer", "USDT", 25_000, "leading", "chain") in b.requests
