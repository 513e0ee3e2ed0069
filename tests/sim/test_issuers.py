"""Mint, redeem, wrap and transfer as a strategy does it: over links, in blocks, after delays."""

from __future__ import annotations

from exchange_sim.sim.run import Run
from exchange_sim.sim.timers import VenueTiming
from exchange_sim.strategy import Strategy, TransactionNotice, TransferNotice
from exchange_sim.world import World
from tests.world.issuer_factory import CHAIN, ETH, SECOND, START, USDE, USDT, WETH, issuer_config


class Arbitrageur(Strategy):
    """Sends dollars from the venue to its wallet, redeems them, and sends the money back."""

    def __init__(self, params: object = None) -> None:
        super().__init__(params)
        self.told: list[tuple[str, int]] = []
        self.arrived: list[tuple[str, float]] = []

    def on_start(self) -> None:
        """The first leg."""
        self.transfer("USDE", 0.02, "venue-0", "chain")
        self.unwrap("WETH", 0.01, "venue-0")

    def on_transfer(self, transfer: TransferNotice) -> None:
        """The second leg, when the dollars have arrived."""
        if transfer.finished:
            self.arrived.append((transfer.asset, transfer.amount))
            if transfer.asset == "USDE":
                self.transact(self.redeem_action("dollar", transfer.amount))

    def on_transaction(self, transaction: TransactionNotice) -> None:
        """The third leg."""
        self.told.append((transaction.status, transaction.output))
        if transaction.status == "executed" and transaction.number == 1:
            self.transfer("USDT", transaction.output / 1e6, "chain", "venue-0")


def test_redemption_arbitrage_takes_transfers_and_blocks():
    """Three legs, each with its own time; money arrives to the unit, less fee and gas."""
    config = issuer_config()
    timings = [VenueTiming(transfer_delay_ns=30 * SECOND) for _ in config.venues]
    run = Run(World(config), seed=1, timings=timings)
    venue = run.open_account("venue-0", 0, 0)
    wallet, issuer = (run.open_account("chain", k, 0) for k in (0, 1))
    run.apply_all(
        [
            (21, START, venue, USDE, 20_000),
            (21, START, venue, WETH, 20_000),
            (21, START, wallet, ETH, 10**8),
            (21, START, issuer, USDT, 10**6),
            (71, START, WETH),
            (72, START, issuer, 0),
            (73, START, wallet, 0, 1),
        ]
    )
    bot = Arbitrageur()
    run.add_strategy("arb", bot, {"venue-0": venue, "chain": wallet})
    run.execute(START + 180 * SECOND)

    assert bot.arrived == [("USDE", 0.02), ("USDT", 0.01998)]
    executed = [output for status, output in bot.told if status == "executed"]
    assert executed == [19_980, 19_980]
    world = run.world
    assert isinstance(world, World)
    assert world.ledger.posted[venue][USDT] == 19_980
    assert world.ledger.posted[venue][ETH] == 10_800
    assert world.accounts[wallet].venue == CHAIN
