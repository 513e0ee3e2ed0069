"""Strategies that a scenario beside this file names."""

from __future__ import annotations

from typing import Any

import attrs

from exchange_sim import Strategy


class Maker(Strategy):
    """Does nothing."""


class Ladder(Strategy):
    """Does nothing, with parameters."""

    @attrs.frozen(kw_only=True)
    class Params:
        """Whatever is written."""

        half_spread_bps: float = 1.0
        levels: tuple[int, ...] = ()
        deep: dict[str, Any] = attrs.field(factory=dict)
