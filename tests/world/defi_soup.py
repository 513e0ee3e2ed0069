"""Random transactions of many wallets on a chain with everything on it, while prices fall."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.world.chain.execution import ALL, PREVIOUS
from exchange_sim.world.invariants import Violation
from tests.world.chain_factory import GWEI
from tests.world.defi_factory import CURVE, V2, V3, DefiDesk
from tests.world.factory import ETH, ETH_SPOT, SECOND, USDE, USDE_SPOT, USDT, Event

ASSETS = (USDT, ETH, USDE)
PAIRS = ((CURVE, USDE, USDT), (V2, ETH, USDT), (V3, ETH, USDT))
AMOUNTS = (1, 7, 10**6, 333_333_333, 10**9, 5 * 10**9, ALL, PREVIOUS)
Action = tuple[Any, ...]


class DefiSoup:
    """Draws transactions; reads the chain only to aim well.  ``violations`` are what broke."""

    def __init__(self, seed: int, check: bool = True) -> None:
        self.rng = random.Random(seed)
        self.desk = DefiDesk(check=False)
        self.check = check
        self.prices = {USDE_SPOT: 1_000, ETH_SPOT: 1_000}
        self.wallets: list[int] = []
        self.violations: list[Violation] = []
        self.events: list[Event] = []

    def run(self, blocks: int) -> list[Event]:
        """Opening, then so many blocks; stops at the first broken rule.  All events."""
        desk, rng = self.desk, self.rng
        for _ in range(6):
            self.wallets.append(desk.wallet(usdt=10**10, usde=10**10, eth=10**10))
        bank = desk.wallet(usdt=10**12, usde=10**12, eth=10**12)
        self.checker = self._checker() if self.check else None
        opening = (
            *((A.SUPPLY, 0, asset, 10**11) for asset in ASSETS),
            (A.MARKET_SUPPLY, 0, 10**11),
            (A.ADD_LIQUIDITY, CURVE, 10**11, 10**11),
            (A.ADD_LIQUIDITY, V2, 10**11, 10**11),
            (A.ADD_RANGE, V3, -5_000, 5_000, 10**11, 10**11),
        )
        self._send(bank, opening)
        for _ in range(blocks):
            if rng.random() < 0.3:
                self._move()
            for _ in range(rng.randint(0, 4)):
                self._send(rng.choice(self.wallets), self._bundle())
            desk.now += rng.choice((12, 12, 3_600)) * SECOND
            self._do(103, rng.choice((0, 10**7, 4 * 10**7)), rng.choice((0, 2 * GWEI)))
            if self.violations:
                break
        return self.events

    def _checker(self) -> Any:
        from exchange_sim.world.steps import StepChecker

        return StepChecker(self.desk.w)

    def _do(self, kind: int, *fields: int) -> None:
        if self.violations:
            return
        command = (kind, self.desk.now, *fields)
        if self.checker is not None:
            self.checker.before(command)
        events = self.desk.w.apply(command)
        self.events += events
        if self.checker is not None:
            self.violations += self.checker.observe(command, events)

    def _send(self, wallet: int, actions: tuple[Action, ...]) -> None:
        self.desk.last_tx += 1
        for action in actions:
            fields = (*map(int, action), *[0] * (7 - len(action)))
            self._do(100, wallet, self.desk.last_tx, *fields)
        tip = self.rng.choice((0, 1, 2, 5)) * GWEI
        self._do(101, wallet, self.desk.last_tx, tip, 3_000 * GWEI, 0)

    def _move(self) -> None:
        """A trade at a new price, mostly lower."""
        book = self.rng.choice((USDE_SPOT, ETH_SPOT))
        factor = self.rng.choice((90, 95, 98, 99, 100, 101, 104))
        self.prices[book] = max(300, self.prices[book] * factor // 100)
        if self.rng.random() < 0.05:
            self.prices[book] = 1_000
        self.desk.last_client_id += 1
        for side in (0, 1):
            self.desk.last_client_id += 1
            self._do(
                1, self.desk.printer, book, self.desk.last_client_id, side, 0, side,
                self.prices[book], 1, 0, 0, 0, 0, 0, 0,
            )  # fmt: skip

    def _bundle(self) -> tuple[Action, ...]:
        draw = self.rng.random()
        if draw < 0.15:
            return self._loop()
        if draw < 0.4:
            return self._liquidation()
        return tuple(self._any() for _ in range(self.rng.choice((1, 1, 1, 2, 3))))

    def _loop(self) -> tuple[Action, ...]:
        steps: list[Action] = [(A.SET_CATEGORY, 0, self.rng.randrange(2))]
        steps.append((A.SUPPLY, 0, USDE, self.rng.choice((10**8, 10**9))))
        for _ in range(self.rng.randint(1, 5)):
            steps += [
                (A.BORROW, 0, USDT, ALL),
                (A.SWAP, CURVE, USDT, USDE, PREVIOUS, 0),
                (A.SUPPLY, 0, USDE, PREVIOUS),
            ]
        return tuple(steps)

    def _liquidation(self) -> tuple[Action, ...]:
        rng, chain = self.rng, self.desk.chain
        debt, collateral = rng.sample(ASSETS, 2) if rng.random() < 0.5 else (USDT, USDE)
        borrower = rng.choice([*chain.pools[0].positions, -1])
        amount = rng.choice((ALL, ALL, 10**9, 10**10))
        if rng.random() < 0.3:
            lots = [*chain.markets[0].positions, -1]
            return ((A.MARKET_LIQUIDATE, 0, rng.choice(lots), amount),)
        call = (A.LIQUIDATE, 0, borrower, debt, collateral, amount, rng.randrange(2))
        if rng.random() < 0.5:
            return ((A.FLASH_LOAN, 0, debt, rng.choice((10**9, 10**10, 10**11))), call)
        return (call,)

    def _any(self) -> Action:
        rng = self.rng
        kind, asset, amount = rng.choice(list(A)), rng.choice(ASSETS), rng.choice(AMOUNTS)
        amm, i, j = rng.choice(PAIRS)
        if rng.random() < 0.5:
            i, j = j, i
        low = rng.randrange(-300, 300, 10)
        if kind == A.SEND:
            return (kind, asset, amount, rng.choice(self.wallets))
        if kind in (A.SUPPLY, A.WITHDRAW, A.BORROW, A.REPAY, A.FLASH_LOAN):
            return (kind, 0, asset, amount)
        if kind == A.SET_CATEGORY:
            return (kind, 0, rng.randrange(3))
        if kind == A.SWAP:
            return (kind, amm, i, j, amount, 0)
        if kind == A.ADD_LIQUIDITY:
            return (kind, amm, max(ALL, amount), max(ALL, rng.choice(AMOUNTS)))
        if kind == A.REMOVE_LIQUIDITY:
            return (kind, amm, amount)
        if kind == A.REMOVE_ONE_COIN:
            return (kind, CURVE, amount, asset, 0)
        if kind == A.ADD_RANGE:
            return (kind, V3, low, low + 50, max(ALL, amount), max(ALL, amount))
        if kind == A.REMOVE_RANGE:
            keys = [key[1:] for key in self.desk.chain.amms[V3].ranges]
            return (kind, V3, *rng.choice([*keys, (0, 10)]), max(ALL, amount))
        return (kind, 0, amount)


def violations(seed: int, blocks: int) -> Iterator[Violation]:
    """What is found in a soup; an assertion of the ledger counts as caught."""
    soup = DefiSoup(seed)
    try:
        soup.run(blocks)
    except AssertionError:
        return
    yield from soup.violations
