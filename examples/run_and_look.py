"""Run a small crash, look at it: what happened, prices by ten seconds, a page with charts."""

# %% run it: three simulated minutes, written to runs/
import exchange_sim
from exchange_sim.analysis.tape import candles, trades_of

finished = exchange_sim.run("small_crash", out="runs")
print(finished.trades, "trades, digest", finished.digest)

# %% open it; in a notebook `run` alone shows a table
run = finished.open()

# %% prices of one book
trades = trades_of(run.view("traded"), "leading:ALTUSDT-PERP")
for candle in candles(trades, "10s").to_pylist():
    bar = "#" * round(5 * candle["close"])
    print(f"{candle['time']:%H:%M:%S}  {candle['close']:7.3f}  {bar}")

# %% the book at an instant, as it was
for level in run.book_of("leading:ALTUSDT-PERP").at(run.instant("20:50:45")).table(3).to_pylist():
    print(f"{level['side']}  {level['price']:7.3f}  {level['qty']:9,.1f}")

# %% the whole story as one HTML page
print("report:", run.report())
