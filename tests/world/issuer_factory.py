"""A world with a chain, an issuer of a dollar, two wrappers, and random people around them."""

from __future__ import annotations

import random
from typing import Any

import attrs

from exchange_sim.matching.filters import Filters
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.model.account import CASH
from exchange_sim.model.instrument import Asset
from exchange_sim.world import AssetSpec, InstrumentSpec, WorldConfig
from exchange_sim.world.config import IssuerSpec, WrapperSpec
from tests.world.chain_factory import CHAIN, ChainDesk, chain_config
from tests.world.factory import (
    ETH,
    SECOND,
    START,
    USDE,
    USDT,
    evolve_venue,
    instrument,
    make_config,
)

WETH, SUSDE = 4, 5
WETH_SPOT = 7
MINT, REDEEM, YIELD, TO_VENUE = (
    int(kind)
    for kind in (
        ActionKind.ISSUER_MINT,
        ActionKind.ISSUER_REDEEM,
        ActionKind.ISSUER_YIELD,
        ActionKind.TO_VENUE,
    )
)


def issuer_config(**changes: Any) -> WorldConfig:
    """Issuer 0 makes USDE from USDT; WETH is 1.08 ETH, SUSDE 1.1 USDE."""
    config = make_config()
    weth, susde = Asset(WETH, "WETH", 6), Asset(SUSDE, "SUSDE", 6)
    assets = (*config.assets, AssetSpec(weth, ETH, 1_080_000), AssetSpec(susde, USDE, 1_100_000))
    book = InstrumentSpec(
        instrument(WETH_SPOT, "WETHUSDT", 0, weth, config.assets[USDT].asset), 1_080, Filters()
    )
    config = attrs.evolve(config, assets=assets, instruments=(*config.instruments, book))
    limits = {"mint_limit": 60_000, "redeem_limit": 40_000, "fee_ppm": 1_000, **changes}
    venue = {
        "transfer_max": {USDT: 50_000},
        "transfer_hourly": {USDT: 80_000},
        "transfer_fee": {USDT: 10},
    }
    config = evolve_venue(config, **venue)
    return attrs.evolve(
        chain_config(config),
        issuers=(IssuerSpec(0, "dollar", USDE, USDT, **limits),),
        wrappers=(
            WrapperSpec(WETH, (0,), 60 * SECOND, 1_000_000_000),
            WrapperSpec(SUSDE),
        ),
    )


class Mint(ChainDesk):
    """A desk on a chain with an appointed issuer and one wallet that may redeem."""

    def __init__(self, config: WorldConfig | None = None, check: bool = True) -> None:
        super().__init__(config or issuer_config(), check)
        self.issuer = self.wallet(usdt=100_000)
        self.member = self.wallet(usdt=100_000, usde=100_000)
        self.outsider = self.wallet(usdt=50_000, usde=50_000)
        self.holder = self.account(usdt=200_000, eth=200_000)
        for account, asset, units in (
            (self.holder, WETH, 50_000),
            (self.issuer, SUSDE, 10_000),
        ):
            self.do(21, account, asset, units)
        for wrapper in (WETH, SUSDE):
            self.do(71, wrapper)
        self.do(72, self.issuer, 0)
        self.do(73, self.member, 0, 1)

    def attempt(self, wallet: int, *action: int) -> list[tuple[int, ...]]:
        """A transaction in a block of its own, which may fail."""
        self.submit(wallet, action)
        return self.block()


def issuer_soup(seed: int, commands: int = 150) -> Mint:
    """Random mints, redemptions, wraps and transfers; the desk's checker judges every command."""
    rng = random.Random(f"issuer/{seed}")
    desk = Mint()
    desk.marks()
    wallets = [desk.issuer, desk.member, desk.outsider]
    away = desk.account(CASH, 1, usdt=100_000)
    for _ in range(commands):
        draw, wallet = rng.random(), rng.choice(wallets)
        amount = rng.choice((-1, 1, 7_777, 39_999, rng.randrange(1, 70_000)))
        desk.now += rng.choice((0, 1, SECOND, 90 * SECOND))
        if draw < 0.35:
            desk.attempt(wallet, rng.choice((MINT, REDEEM, REDEEM)), 0, amount)
        elif draw < 0.45:
            desk.attempt(wallet, YIELD, 0, rng.choice((SUSDE, WETH)), amount)
        elif draw < 0.55:
            desk.attempt(wallet, TO_VENUE, rng.choice((USDT, USDE)), amount, desk.holder)
        elif draw < 0.75:
            desk.do(rng.choice((67, 68)), desk.holder, WETH, amount)
        elif draw < 0.85:
            target = rng.choice((desk.member, away))
            desk.do(26, desk.holder, target, USDT, max(1, amount))
        elif draw < 0.92:
            pending = [*desk.w.unwraps, 0]
            desk.do(69, pending[0])
            for transfer in list(desk.w.transfers):
                desk.do(27, transfer)
        else:
            desk.do(70, WETH)
            desk.do(28, 0, rng.randrange(2))
            desk.do(74, 0, rng.randrange(2), 1)
    return desk


__all__ = [
    "CHAIN", "ETH", "MINT", "REDEEM", "SECOND", "START", "SUSDE", "TO_VENUE", "USDE", "USDT",
    "WETH", "WETH_SPOT", "YIELD", "Mint", "issuer_config", "issuer_soup",
]  # fmt: skip
