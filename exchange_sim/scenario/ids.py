"""What the names of a scenario become in the world: ids, units, parts per million."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from exchange_sim.scenario.scenario import Scenario
from exchange_sim.units import PPM, to_units

PPB_PER_DAY_TO_HOUR: Final = 24


def ppm(ratio: Decimal) -> int:
    """A ratio in parts per million, rounded down where it is finer."""
    return int(ratio * PPM)


class Names:
    """Ids of everything that a scenario names: positions in the order of the names, from 0."""

    def __init__(self, scenario: Scenario) -> None:
        self.assets = {name: k for k, name in enumerate(scenario.assets)}
        self.venues = {name: k for k, name in enumerate(scenario.venues)}
        self.instruments = {item.name: k for k, item in enumerate(scenario.instruments)}
        if scenario.chain is not None:
            self.venues[scenario.chain.name] = len(self.venues)
        self.oracles = {name: k for k, name in enumerate(_in_order(scenario))}
        self.pools = {name: k for k, name in enumerate(scenario.pools)}
        self.markets = {name: k for k, name in enumerate(scenario.markets)}
        self.amms = {name: k for k, name in enumerate(scenario.amms)}
        self.decimals = {name: item.decimals for name, item in scenario.assets.items()}

    def amount(self, asset: str, value: Decimal) -> int:
        """A decimal amount in the asset's smallest units."""
        return to_units(value, self.decimals[asset])

    def amounts(self, values: Mapping[str, Decimal]) -> dict[int, int]:
        """Amounts by asset, in smallest units by id."""
        return {self.assets[asset]: self.amount(asset, value) for asset, value in values.items()}


def _in_order(scenario: Scenario) -> list[str]:
    """Oracles so that each comes after those that it refers to."""
    found: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in found or name not in scenario.oracles:
            return
        item = scenario.oracles[name]
        visit(item.base)
        visit(item.quote)
        found[name] = None

    for name in scenario.oracles:
        visit(name)
    return list(found)
