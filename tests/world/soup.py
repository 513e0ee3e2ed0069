"""Random commands over the whole world: mostly sensible, some hostile, never the same twice."""

from __future__ import annotations

import random
from collections.abc import Iterator

from exchange_sim.matching.filters import Filters
from exchange_sim.model.account import CASH, CROSS, ISOLATED, PORTFOLIO
from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT, StpMode
from exchange_sim.world import FeeTier, World, WorldConfig
from tests.world.factory import (
    COIN_PERP,
    ETH_PERP,
    ETH_SPOT,
    PERP,
    PERP_2,
    SECOND,
    SPOT,
    SPOT_2,
    START,
    USDE,
    USDE_SPOT,
    USDT,
    make_config,
)

Command = tuple[int, ...]
HUGE = 2**62
JUNK = (-1, -(2**62), 0, 1, 7, 10**6, HUGE)
MODES = (CASH, PORTFOLIO, PORTFOLIO, CROSS, CROSS)


def soup_config(seed: int = 0, coin: bool = False) -> WorldConfig:
    """A world with fees, slices, limits, bounds and one ADL rule per seed."""
    rng = random.Random(f"config/{seed}")
    rule = rng.choice(("production_queue", "production_queue", "pro_rata", "optimised"))
    bound = rng.choice((0, 50_000))
    return make_config(
        fees=(FeeTier(200, 500), FeeTier(700, 300), FeeTier(0, 0)),
        venue={
            "liquidation_fee_ppm": rng.choice((0, 12_500)),
            "adl_rule": rule,
            "adl": rng.random() < 0.9,
            "own_book_collateral": rng.random() < 0.8,
            "collateral_sale": rng.random() < 0.8,
            "basis_samples": 3,
            "auto_exchange_floor": 300 if seed % 2 else 0,
            "auto_exchange_haircut_ppm": 25_000,
            "trade_groups": coin,
            "stp_transfer": coin,
            "account_orders": 40 if coin else 0,
        },
        perp={
            "filters": Filters(notional_min=500),
            "liquidation_slice": rng.choice((0, 20_000)),
            "takeover_limit": rng.choice((0, 30_000)),
            "liquidation_collar_ppm": rng.choice((20_000, 300_000)),
            "market_take_bound_ppm": bound,
            "protect_ppm": rng.choice((0, 100_000)),
            "default_leverage": rng.choice((5, 20, 50)),
        },
        coin=coin,
        spot={
            "liquidation_slice": rng.choice((0, 20_000)),
            "market_take_bound_ppm": bound,
            "price_range_ppm": 30_000 if coin else 0,
            "average_window_ns": 30 * SECOND if coin else 0,
        },
    )


class Soup:
    """Draws the next command for a world; reads it only to aim well.

    ``crash`` makes prices fall and the clockwork work: many liquidations, no halts.  ``modes`` are
    the account modes; with isolated ones among them, margin and position modes are used too.
    """

    def __init__(
        self,
        w: World,
        seed: int,
        hostile: float = 0.05,
        crash: bool = False,
        modes: tuple[int, ...] = MODES,
    ) -> None:
        self.w = w
        self.coin = len(w.instruments) > COIN_PERP
        self.modes = modes
        self.rng = random.Random(seed)
        self.hostile = hostile
        self.crash = crash
        self.now = START
        self.users: list[int] = []
        self.deposits: dict[int, int] = {}
        self.level = dict.fromkeys(range(8), 1000)
        self.client_id = 0
        self.queue: list[Command] = list(self._opening())

    def _opening(self) -> Iterator[Command]:
        rng, first = self.rng, len(self.w.accounts)
        for k in range(14):
            mode, venue = self.modes[k % len(self.modes)], 1 if k % 7 == 6 else 0
            yield (20, START, venue, k // 5, mode, k % 3)
            self.users.append(first + k)
            for asset in range(4):
                if asset == USDT or rng.random() < 0.3:
                    amount = rng.choice((3_000, 20_000, 60_000))
                    self.deposits.setdefault(first + k, amount)
                    yield (21, START, first + k, asset, amount)
        for k in range(0, 14, 2):
            if ISOLATED in self.modes:
                yield (52, START, first + k, 1)
        rich = first + 14
        for k, venue in ((0, 0), (1, 1)):
            yield (20, START, venue, 90 + k, CASH if k else PORTFOLIO, 0)
            self.users.append(rich + k)
            for asset in range(4):
                yield (21, START, rich + k, asset, 10**8)
        yield (30, START, 0, rng.choice((1, 500, 50_000)))
        for k in range(14):
            mode, venue = self.modes[k % len(self.modes)], 1 if k % 7 == 6 else 0
            if mode == CASH:
                continue
            sides = [first + k, rich + venue if venue == 0 else first + 13]
            if rng.random() < 0.4:
                sides.reverse()
            inst = PERP_2 if venue else rng.choice((PERP, ETH_PERP))
            if self.coin and inst == ETH_PERP:
                inst = COIN_PERP
            qty = self.deposits[first + k] * rng.choice((1, 4, 8, 12)) // 1_000
            yield (25, START, *sides, inst, 1_000, qty)

    def next(self) -> Command:
        """The next command, in time order."""
        if self.queue:
            return self.queue.pop(0)
        rng = self.rng
        if rng.random() < 0.2:
            self.now += rng.choice((1, 10**6, SECOND // 4, SECOND))
        draw = rng.random()
        if ISOLATED in self.modes and rng.random() < 0.12:
            return self._modes()
        if self.crash and rng.random() < 0.4:
            command = self._clockwork()
        elif draw < 0.50:
            command = self._new_order()
        elif draw < 0.64:
            command = self._change()
        elif draw < 0.80:
            command = self._clockwork()
        else:
            command = self._cash()
        if rng.random() < self.hostile:
            fields = list(command)
            fields[rng.randrange(2, len(fields))] = rng.choice(JUNK)
            command = tuple(fields)
        return command

    def _new_order(self) -> Command:
        rng, account = self.rng, self.rng.choice(self.users)
        venue = self.w.accounts[account].venue
        books = (SPOT_2, PERP_2, PERP_2) if venue else (
            SPOT, USDE_SPOT, PERP, PERP, PERP, ETH_PERP, ETH_PERP, ETH_SPOT,
        )  # fmt: skip
        inst = rng.choice(books)
        if self.coin and not venue and rng.random() < 0.4:
            inst = COIN_PERP
        if self.crash and rng.random() < 0.2:
            self.level[inst] = self.level[inst] * rng.choice((90, 96, 98, 101)) // 100
        elif rng.random() < 0.1:
            self.level[inst] = self.level[inst] * rng.choice((92, 96, 98, 102, 104, 108)) // 100
        if rng.random() < 0.003 or not 30 < self.level[inst] < 10_000:
            self.level[inst] = rng.choice((100, 600, 1_000, 1_500))
        mid = self.level[inst]
        self.client_id += rng.random() < 0.98
        side, kind, tif = rng.randrange(2), 0, rng.choice((0, 0, 0, 0, 1, 1, 2, 3, 4))
        if rng.random() < 0.3:
            kind = rng.choice((1, 1, 2, 3, 4, 5, 6))
        spread = rng.choice((0, 1, 3, 10, 60, 300))
        price = max(
            1, mid + rng.randint(-spread, spread) + (1 if side else -1) * rng.choice((0, 2))
        )
        if kind in (1, 2, 4, 6):
            price, tif = 0, rng.choice((0, 1))
        trigger = max(1, mid + rng.randint(-40, 40)) if kind >= 2 else 0
        trailing = rng.choice((1_000, 20_000)) if kind == 6 else 0
        if kind == 6 and rng.random() < 0.7:
            trigger = 0
        qty = rng.choice((1, 2, 5, 9, 17, 40, 100))
        display = rng.choice((0, 0, 0, 1, 4)) if price and tif in (0, 3, 4) else 0
        flags = sum(f for f, p in ((1, 0.12), (2, 0.2), (8, 0.1), (16, 0.1)) if rng.random() < p)
        modes = self.w.accounts[account].modes
        if modes is not None and modes.hedge and rng.random() < 0.95:
            flags = flags & ~1 | rng.choice((FLAG_LONG, FLAG_SHORT))
        held = self.w.accounts[account].positions.get(inst)
        if held is not None and held.qty and rng.random() < 0.3:
            side, flags = int(held.qty > 0), flags | 1
            price, qty = price and max(1, mid + (2 if side else -2)), min(abs(held.qty), 100)
        stp = rng.choice((0, 0, 1, 2, 3, 4))
        if self.coin and inst in (SPOT, ETH_SPOT, USDE_SPOT):
            stp = stp and int(StpMode.TRANSFER)
        return (
            1, self.now, account, inst, self.client_id, side, kind, tif, price, qty, display,
            trigger, trailing, flags, stp,
            self.now + rng.choice((0, 1, SECOND, 5 * SECOND)) if tif == 4 else 0,
        )  # fmt: skip

    def _change(self) -> Command:
        rng, account = self.rng, self.rng.choice(self.users)
        orders = list(self.w.accounts[account].orders.values())
        if rng.random() < 0.05:
            return (4, self.now, account, rng.choice((-1, PERP)), rng.choice((-1, 0, 1)))
        if not orders:
            return (2, self.now, account, 1)
        order = rng.choice(orders)
        if rng.random() < 0.5:
            return (2, self.now, account, order.client_order_id)
        price = rng.choice((0, max(1, order.price + rng.randint(-5, 5)))) if order.price else 0
        qty = rng.choice((-1, 0, 1, order.leaves, order.leaves + 3, max(1, order.leaves - 1)))
        return (3, self.now, account, order.client_order_id, price, qty)

    def _modes(self) -> Command:
        rng, account = self.rng, self.rng.choice(self.users)
        inst, draw = rng.choice((PERP, PERP, ETH_PERP, PERP_2)), rng.random()
        if draw < 0.2:
            return (50, self.now, account, inst, rng.randrange(2))
        if draw < 0.3:
            return (52, self.now, account, rng.randrange(2))
        amount = rng.choice((1, 200, 2_000, 10_000)) * rng.choice((1, -1))
        return (51, self.now, account, inst, rng.choice((0, 0, 0, 1, 2)), amount)

    def _clockwork(self) -> Command:
        rng, venue = self.rng, self.rng.choice((0, 0, 0, 1))
        kind = rng.choice((10, 10, 10, 10, 13, 13, 13, 11, 12, 14, 15))
        if self.crash and kind == 15:
            kind = 13
        if kind == 10:
            self.now += SECOND
        if kind == 15:
            status = rng.choice((0, 0, 0, 1, 2, 2, 3))
            return (15, self.now, rng.randrange(7), status)
        if kind == 13 and rng.random() < 0.5:
            self.queue.append((15, self.now, rng.randrange(7), 0))
        return (kind, self.now, venue)

    def _cash(self) -> Command:
        rng, account, other = self.rng, self.rng.choice(self.users), self.rng.choice(self.users)
        asset = rng.choice((USDT, USDT, 1, 2, USDE))
        amount = rng.choice((1, 500, 5_000, 30_000))
        draw = rng.random()
        if draw < 0.15:
            return (21, self.now, account, asset, amount)
        if draw < 0.3:
            return (22, self.now, account, asset, amount)
        if draw < 0.45:
            return (23, self.now, account, asset, amount)
        if draw < 0.55:
            return (24, self.now, account, asset, amount)
        if draw < 0.68:
            inst = rng.choice((PERP, ETH_PERP, PERP_2))
            if self.coin and inst == ETH_PERP:
                inst = COIN_PERP
            return (25, self.now, account, other, inst, self.level[inst], rng.choice((3, 20, 90)))
        if draw < 0.78:
            return (26, self.now, account, other, asset, amount)
        if draw < 0.86:
            return (27, self.now, rng.randint(1, max(1, self.w.next_transfer)))
        if draw < 0.90:
            return (28, self.now, rng.randrange(2), rng.randrange(2))
        if draw < 0.97:
            return (29, self.now, account, rng.choice((PERP, ETH_PERP, PERP_2)), rng.randint(1, 50))
        return rng.choice(((30, self.now, 0, 50), (40, self.now, account, 9, 1, 1)))
