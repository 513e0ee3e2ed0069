"""Strategies that are added to a run: silent ones, and those that misbehave."""

from __future__ import annotations

from typing import Any

from exchange_sim import Strategy

SYMBOL = "leading:ALTUSDT"


class Silent(Strategy):
    """Does nothing."""


class Listener(Strategy):
    """Follows everything, draws random numbers, sets timers; sends nothing."""

    def on_start(self) -> None:
        """Subscribe to all there is."""
        self.subscribe_book(SYMBOL, 10)
        self.subscribe_trades(SYMBOL)
        self.subscribe_margin()
        self.set_timer("tick", 0.5)

    def on_timer(self, name: str) -> None:
        """Draw and go on."""
        self.rng.random()
        self.set_timer(name, 0.5)


class Raises(Strategy):
    """Divides by nothing after a while."""

    def on_start(self) -> None:
        """Wait."""
        self.set_timer("soon", 5)

    def on_timer(self, name: str) -> None:
        """Fail."""
        del name
        print_nothing = [1][int(self.now_ns > 0)]
        del print_nothing


class Floods(Strategy):
    """Sends orders without end from one callback."""

    def on_start(self) -> None:
        """Never stop."""
        while True:
            self.buy(SYMBOL, 1, 9)


class FloodsPolitely(Strategy):
    """Sends far more than the venue takes, and ignores the answers."""

    def on_start(self) -> None:
        """Begin."""
        self.set_timer("again", 0.05)

    def on_timer(self, name: str) -> None:
        """A hundred orders every 50 ms."""
        for _ in range(100):
            self.buy(SYMBOL, 1, 9)
        self.set_timer(name, 0.05)


class SendsJunk(Strategy):
    """Asks for a quantity that is none."""

    def on_start(self) -> None:
        """Send it."""
        junk: Any = "a lot"
        self.buy(SYMBOL, junk, 9)


class UnknownMarket(Strategy):
    """Trades what does not exist."""

    def on_start(self) -> None:
        """Ask for it."""
        self.buy("leading:ALTUSD", 1, 9)


class NoParams(Strategy):
    """Its constructor fails."""

    def __init__(self, params: Any = None) -> None:
        """Give up at once."""
        super().__init__(params)
        raise RuntimeError("not today")


class Exits(Strategy):
    """Tries to end the process."""

    def on_start(self) -> None:
        """Leave."""
        raise SystemExit(0)


not_a_class = 5


class NotAStrategy:
    """Derived from nothing."""
