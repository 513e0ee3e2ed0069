"""Measures of a market by the field's definitions, in one place.

All are pure functions on tables; each one's docstring has its formula, its units and its source.
"""

from exchange_sim.analysis.estimates import (
    Estimate,
    autocorrelation,
    excess_kurtosis,
    half_life,
    mean,
    reversion,
    skewness,
    slope,
    tail_index,
)
from exchange_sim.analysis.metrics_impact import (
    depth_at_bands,
    impact_per_dollar,
    kyle_lambda,
    resiliency,
)
from exchange_sim.analysis.metrics_trades import (
    fill_ratios,
    order_to_trade,
    slippage_against_mark,
    spreads,
    vpin,
    weighted,
)
from exchange_sim.analysis.stylised import StylisedFacts, returns, stylised_facts
from exchange_sim.analysis.tape import candles, trades_of
from exchange_sim.analysis.withdrawals import depeg_sales, withdrawals

__all__ = [
    "Estimate",
    "StylisedFacts",
    "autocorrelation",
    "candles",
    "depeg_sales",
    "depth_at_bands",
    "excess_kurtosis",
    "fill_ratios",
    "half_life",
    "impact_per_dollar",
    "kyle_lambda",
    "mean",
    "order_to_trade",
    "resiliency",
    "returns",
    "reversion",
    "skewness",
    "slippage_against_mark",
    "slope",
    "spreads",
    "stylised_facts",
    "tail_index",
    "trades_of",
    "vpin",
    "weighted",
    "withdrawals",
]
