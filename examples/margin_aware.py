"""A market maker of thirty lines that a crash liquidates, and the same one watching its margin."""

# %% the plain one: two quotes around the mid, renewed every second, never mind the inventory
import attrs

from exchange_sim import Strategy, run
from strategies.guard import Guard
from strategies.withdrawal import MarginParams, WithdrawalParams


class Plain(Strategy):
    """Quotes ``usd`` on both sides of one market, ``half_bp`` from the mid."""

    @attrs.frozen
    class Params(Strategy.Params):
        """What ``--param NAME=VALUE`` sets."""

        symbol: str = "leading:ALTUSDT-PERP"
        usd: float = 6_000.0
        half_bp: float = 4.0

    def on_start(self) -> None:
        """Look at the touch; wake up every second."""
        self.subscribe_book(self.params.symbol, 1)
        self.set_timer("quote", 1.0)

    def scales(self) -> tuple[float, float]:
        """Which part of its size it bids and asks for."""
        return 1.0, 1.0

    def on_timer(self, name: str) -> None:
        """Take the old quotes away, place new ones."""
        p, mid = self.params, self.book(self.params.symbol).mid
        self.cancel_all_orders(p.symbol)
        bid, ask = self.scales()
        if mid is not None:
            away = mid * p.half_bp / 10_000
            if bid:
                self.buy(p.symbol, bid * p.usd / mid, mid - away, post_only=True)
            if ask:
                self.sell(p.symbol, ask * p.usd / mid, mid + away, post_only=True)


# %% the other one: less of everything below 400 times its maintenance margin, one side below 200
CAREFUL = WithdrawalParams(
    only=("margin",), margin=MarginParams(halve_below=400, cancel_bids_below=200)
)


class Aware(Plain):
    """The same bot with a withdrawal policy that watches its margin."""

    def on_start(self) -> None:
        """Begin as before, with a guard."""
        super().on_start()
        self.guard = Guard(self, self.params.symbol, limit=1.0, withdrawal=CAREFUL)

    def scales(self) -> tuple[float, float]:
        """What the guard lets it quote."""
        return self.guard.look()


# %% each alone in the small crash; "examples/margin_aware.py:Plain" does it from the command line
if __name__ == "__main__":
    for bot in (Plain, Aware):
        finished = run(
            "small_crash", out="runs", strategy=bot, venues=["leading"], capital={"USDT": 30_000}
        )
        sheet = finished.open().tear_sheet(f"added-{bot.__name__.lower()}")
        fate = "survived" if sheet.margin.survived else "liquidated"
        most = sheet.margin.leverage_max
        print(f"{bot.__name__}: {fate}, {sheet.equity:,.0f} left, most leverage {most:.1f} x")
