"""What an asset counts as collateral and costs as a debt, as scenarios write it: tiers by value."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from exchange_sim.scenario.kinds import INVALID, MONEY, RATIO, Items, Of, Reader, entry
from exchange_sim.scenario.tree import Node


@attrs.frozen(kw_only=True)
class CollateralTier:
    """The ratio of the slice of value below ``upto``; without a bound: of all the rest."""

    upto: Decimal | None = entry(MONEY, default=None, doc="Upper bound of the tier, in quote.")
    ratio: Decimal = entry(RATIO, doc="Share of the value that counts.")


@attrs.frozen(kw_only=True)
class LiabilityBracket:
    """Margin rates of the slice of a debt's value below ``upto``; without a bound: of the rest."""

    upto: Decimal | None = entry(MONEY, default=None, doc="Upper bound of the bracket, in quote.")
    initial: Decimal = entry(RATIO, doc="Initial margin rate.")
    maintenance: Decimal = entry(RATIO, doc="Maintenance margin rate.")


@attrs.frozen
class Collateral:
    """``collateral = 0.95`` or ``collateral = [{upto = 1000000, ratio = 1}, {ratio = 0.9}]``."""

    def read(self, node: Node, reader: Reader) -> Any:
        """The tiers; one ratio is one unbounded tier."""
        if isinstance(node.value, list):
            return Items(Of(CollateralTier), least=1).read(node, reader)
        ratio = RATIO.read(node, reader)
        return INVALID if ratio is INVALID else (CollateralTier(ratio=ratio),)

    def describe(self) -> str:
        """Both forms."""
        return "a ratio from 0 to 1, or an array of {upto, ratio}"


COLLATERAL: Final = Collateral()
LIABILITY: Final = Items(Of(LiabilityBracket), least=1)
