"""The question that the emulator exists for: the same crash without one of its causes."""

# %%
from exchange_sim import run
from exchange_sim.analysis.compare import compare

SYMBOL = "leading:ALTUSDT-PERP"

# %% the same seed, with one mechanism switched off each time
switches = [[], ["mm_withdrawal"], ["adl"], ["macro_shock"]]
runs = [run("small_crash", out="runs", without=without).open() for without in switches]

# %% how far the perpetual fell, what was sold by force, and what nobody paid
for fact in compare(runs):
    forced, debt = sum(fact.forced.values()), sum(fact.bad_debt.values())
    print(
        f"{' '.join(fact.options) or 'everything on':26} fell {fact.falls[SYMBOL]:4.1f} %  "
        f" forced ${forced:9,.0f}   bad debt ${debt:8,.0f}"
    )
