"""Strategies that use every account mode and say what they see of it."""

from __future__ import annotations

from exchange_sim import Strategy

ALTS = ("demo:ALTUSDT", "demo:ALTUSDT-PERP")
PERP, COIN, SPOT = "demo:BTCUSDT-PERP", "demo:BTCUSD-COIN", "demo:BTCUSDT"


class Quoter(Strategy):
    """Quotes every book once, wide and deep."""

    def on_start(self) -> None:
        """Quote."""
        for symbol, size in ((SPOT, 5), (PERP, 10), (COIN, 500_000)):
            self.buy(symbol, size, 99_990)
            self.sell(symbol, size, 100_010)


class Reporter(Strategy):
    """Has two timers and writes down what it reads."""

    def on_start(self) -> None:
        """Act after a second, look after five and ten."""
        self.set_timer("act", 1, repeat=False)
        self.set_timer("look", 5, repeat=False)
        self.set_timer("end", 10, repeat=False)

    def on_timer(self, name: str) -> None:
        """One method per timer."""
        getattr(self, name)()

    def say(self, **values: object) -> None:
        """Put values into the narrative."""
        self.log("seen", **values)

    def on_refusal(self, refusal) -> None:
        """No request of these strategies is refused."""
        raise AssertionError(refusal)


class Hedger(Reporter):
    """A long and a short side by side; closes the long."""

    def act(self) -> None:
        """Open both legs."""
        self.buy(PERP, 1, 100_010, position_side="LONG")
        self.sell(PERP, 0.4, 99_990, position_side="SHORT")

    def look(self) -> None:
        """Both legs and their sum; then close one."""
        long, short = (self.position(PERP, side=side) for side in ("LONG", "SHORT"))
        self.say(long=long.qty, short=short.qty, net=self.position(PERP).qty)
        assert long.isolated_margin is None
        self.close_position(PERP, position_side="LONG")

    def end(self) -> None:
        """What is left."""
        self.say(long=self.position(PERP, side="LONG").qty, net=self.position(PERP).qty)


class Alone(Reporter):
    """A position with a wallet of its own, which gets more margin."""

    def act(self) -> None:
        """Open a position at ten times."""
        self.set_leverage(PERP, 10)
        self.buy(PERP, 1, 100_010)

    def look(self) -> None:
        """The wallet and its liquidation price; then add margin."""
        held = self.position(PERP)
        self.say(margin=held.isolated_margin, price=self.liquidation_price(PERP))
        self.change_margin(PERP, 5_000)

    def end(self) -> None:
        """More margin, a lower price, less cash."""
        held = self.position(PERP)
        self.say(
            margin=held.isolated_margin, price=self.liquidation_price(PERP),
            cash=self.balance("USDT"),
        )  # fmt: skip


class Coins(Reporter):
    """Buys and sells coin-margined contracts."""

    def act(self) -> None:
        """A long of 100,000 dollars, in contracts of 100."""
        self.buy(COIN, 100_000, 100_010)

    def look(self) -> None:
        """The position in dollars, the fee in coins."""
        held = self.position(COIN)
        self.say(qty=held.qty, notional=held.notional, coins=self.balance("BTC"))
        self.close_position(COIN)

    def end(self) -> None:
        """Flat, and poorer by spread and fees, in coins."""
        self.say(qty=self.position(COIN).qty, coins=self.balance("BTC"))


class AltQuoter(Strategy):
    """Bids at every whole price down to 60."""

    def on_start(self) -> None:
        """Quote."""
        for symbol in ALTS:
            self.sell(symbol, 5_000, 100.1)
            for price in range(99, 60, -1):
                self.buy(symbol, 1_000, price + 0.9)


class Both(Strategy):
    """A long in BTC and a long twice as large in the alt, both at ten times."""

    def on_start(self) -> None:
        """Buy both."""
        self.set_leverage(PERP, 10)
        self.buy(PERP, 1, 100_010)
        self.buy(ALTS[1], 2_000, 100.1)


class Dumper(Strategy):
    """Sells the alt, spot and perpetual, step by step."""

    def on_start(self) -> None:
        """Begin after ten seconds."""
        self.set_timer("sell", 10)

    def on_timer(self, name: str) -> None:
        """Sell into the next bids, on and on."""
        for symbol in ALTS:
            self.sell(symbol, 1_000)
        self.set_timer("sell", 1)
