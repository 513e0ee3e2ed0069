"""Words that a scenario, the command line and the shell share about a strategy."""

from __future__ import annotations

from typing import Final

FAULT_POLICIES: Final = ("stop", "cancel_and_disable", "continue")
"""What happens when a strategy raises or hangs."""
DISTRIBUTIONS: Final = ("constant", "uniform", "exponential", "lognormal")
"""Distributions of the random part of a latency."""
