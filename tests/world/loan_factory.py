"""A world with two loan products, a street that moves the price, and random borrowers."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import attrs

from exchange_sim.credit.loans import LoanTerms
from exchange_sim.messages.reasons import LoanNoticeKind
from exchange_sim.world.config import LoanProductSpec, WorldConfig
from tests.world.factory import BTC, SECOND, SPOT, USDE, USDT, Street, make_config, of

MINUTE = 60 * SECOND
CALL, CURED, LIQUIDATION = (int(kind) for kind in LoanNoticeKind)


def terms(initial: int, call: int, liquidation: int) -> LoanTerms:
    """A ladder in per cent."""
    return LoanTerms(*(Fraction(x, 100) for x in (initial, call, liquidation)))


def loan_config(first: dict[str, Any] | None = None, **tables: Any) -> WorldConfig:
    """Product 0 waits for the liquidation level, product 1 calls with a grace and restores."""
    ladder = {BTC: terms(65, 80, 90), USDE: terms(72, 77, 91)}
    patient: dict[str, Any] = {"lag_ns": 5 * SECOND, "fee_ppm": 10_000, **(first or {})}
    quick: dict[str, Any] = {"grace_ns": 10 * SECOND, "slice": 20_000, "sources": (0, 1)}
    products = [
        LoanProductSpec(0, "patient", 0, ladder, **{"sources": (0,), **patient}),
        LoanProductSpec(1, "quick", 0, {BTC: terms(60, 70, 80)}, **quick),
    ]
    return attrs.evolve(make_config(**tables), loans=tuple(products))


class Bank(Street):
    """A street with funded lenders; ``borrower`` pledges BTC worth its units at price 1,000."""

    def __init__(self, config: WorldConfig | None = None, check: bool = True) -> None:
        super().__init__(config or loan_config(), check)
        for product in (0, 1):
            self.do(65, product, 10**9)
        self.marks()

    def borrower(
        self, principal: int, btc: int = 100_000, product: int = 0, **spare: int
    ) -> tuple[int, int]:
        """A cash account with one loan; account and loan."""
        account = self.account(btc=btc, **spare)
        (opened,) = of(self.do(60, account, product, BTC, btc, principal), 70)
        return account, opened[1]

    def drop(self, price: int, bids: int = 0) -> list[tuple[int, ...]]:
        """The spot price of BTC falls to ``price``, with ``bids`` lots below it."""
        self.do(4, self.cash, -1, -1)
        self.trade_at(SPOT, price, self.cash, self.cash)
        if bids:
            self.limit(self.cash, SPOT, 0, price, bids)
        return self.marks()

    def slot(self, seconds: int = 1) -> list[tuple[int, ...]]:
        """Time passes and the lenders work for one slot."""
        self.now += seconds * SECOND
        return self.do(64, 0)


def loan_soup(seed: int, commands: int = 400, bank: Bank | None = None) -> Bank:
    """Random borrowers under a random price; the bank's checker judges every command."""
    rng = random.Random(f"loans/{seed}")
    lag, fee = rng.choice((0, 3)) * SECOND, rng.choice((0, 7_000))
    rate = rng.choice((0, 10_000_000))
    config = loan_config({"lag_ns": lag, "fee_ppm": fee, "interest_ppb_per_hour": rate})
    bank = bank or Bank(config)
    people = [bank.account(usdt=20_000, btc=200_000, usde=50_000) for _ in range(6)]
    price = 1_000
    for _ in range(commands):
        who, draw = rng.choice(people), rng.random()
        mine = [loan.id for loan in bank.w.loans.values() if loan.account == who] or [0]
        bank.now += rng.choice((0, 1, SECOND, MINUTE))
        if draw < 0.2:
            asset, product = rng.choice((BTC, USDE)), rng.choice((0, 0, 1))
            pledged = rng.randrange(1, 30_000)
            bank.do(60, who, product, asset, pledged, pledged * rng.randrange(30, 70) // 100 + 1)
        elif draw < 0.3:
            bank.do(61, who, rng.choice(mine), rng.randrange(0, 4_000))
        elif draw < 0.4:
            bank.do(62, who, rng.choice(mine), rng.randrange(0, 9_000))
        elif draw < 0.45:
            bank.do(63, who, rng.choice(mine), rng.choice((0, 300_000, 600_000)))
        elif draw < 0.7:
            price = max(100, min(2_000, round(price * rng.uniform(0.86, 1.12))))
            bank.drop(price, rng.choice((0, 3, 50)))
        elif draw < 0.95:
            bank.slot(rng.choice((0, 1, 6)))
        else:
            bank.do(66, who, 0, BTC, rng.randrange(1, 5_000), rng.randrange(1, 5_000))
    return bank


__all__ = [
    "BTC", "CALL", "CURED", "LIQUIDATION", "MINUTE", "SPOT", "USDT", "Bank", "loan_config",
    "loan_soup",
]  # fmt: skip
