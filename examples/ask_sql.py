"""Ask a run with SQL: who withdrew, who was liquidated, who sold because they had to."""

# %%
import exchange_sim

run = exchange_sim.run("small_crash", out="runs").open()

# %% every table of the run has its name; what columns mean: docs/reference/tables.md
print(
    run.sql("""
    SELECT account, min(time) AS left_at
    FROM noted
    WHERE kind = 'QUOTES_WITHDRAWN'
    GROUP BY account
    ORDER BY left_at
""")
)

# %%
print(
    run.sql("""
    SELECT instrument, round(sum(quote_amount)) AS sold_usd,
           round(100 * avg((taker_flags & 36 <> 0)::int), 1) AS forced_pct_of_trades
    FROM traded
    WHERE aggressor = 'SELL'
    GROUP BY instrument
    ORDER BY sold_usd DESC
""")
)

# %% the same tables for Polars
liquidations = run.polars("liquidation_started")
print(liquidations.select("time", "account", "equity", "maintenance").head(3))
