"""Adapters from rule vectors (named inputs of a published example) to the rule functions."""

from __future__ import annotations

from exchange_sim.analysis.rules import (
    binance_margin,
    book,
    dollar,
    futures,
    hyperliquid,
    lending,
    makers,
    pools,
    pricing,
    stp,
    venues,
)
from exchange_sim.analysis.rules.common import InputError, Inputs, Rule, find_rule, rule_names

__all__ = [
    "InputError",
    "Inputs",
    "Rule",
    "binance_margin",
    "book",
    "dollar",
    "find_rule",
    "futures",
    "hyperliquid",
    "lending",
    "makers",
    "pools",
    "pricing",
    "rule_names",
    "stp",
    "venues",
]
