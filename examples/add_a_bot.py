"""Put a bot of your own into the crash, then ask what it earned and from what."""

# %% a bot: quote a little on both sides, a second at a time
from exchange_sim import Strategy, run

SYMBOL = "leading:ALTUSDT-PERP"


class Quoter(Strategy):
    """Two quotes around the mid, renewed every second."""

    def on_start(self) -> None:
        """Look at the touch; wake up every second."""
        self.subscribe_book(SYMBOL, 1)
        self.set_timer("quote", 1.0)

    def on_timer(self, name: str) -> None:
        """Take the old quotes away, place new ones."""
        book = self.book(SYMBOL)
        if book.best_bid is None or book.best_ask is None:
            return
        self.cancel_all_orders(SYMBOL)
        mid = (book.best_bid + book.best_ask) / 2
        self.buy(SYMBOL, 20, mid * 0.999, post_only=True)
        self.sell(SYMBOL, 20, mid * 1.001, post_only=True)


# %% the scenario's own participants, and ours; a class will do, and so will "file.py:Quoter"
finished = run(
    "small_crash",
    out="runs",
    strategy=Quoter,
    venues=["leading"],
    capital={"USDT": 20_000},
    name="quoter",
)

# %% in a notebook `sheet` alone shows the table
sheet = finished.open().tear_sheet("quoter")
print(f"profit {sheet.profit:,.2f}, survived: {sheet.margin.survived}")
for part, dollars in sheet.parts.items():
    print(f"{part:>20} {dollars:>12,.2f}")
