"""What the narrative must know at the start of a run to see the links of the causal chain."""

from __future__ import annotations

from typing import Any

from exchange_sim.eventlog.links import MarketFacts
from exchange_sim.scenario.genesis import AccountBook
from exchange_sim.scenario.participants import instance_names
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.strategy.load import build_params
from exchange_sim.world import World

Classes = dict[str, tuple[type[Any], dict[str, Any]]]


def market_facts(
    scenario: Scenario, world: World, classes: Classes, accounts: AccountBook
) -> MarketFacts:
    """Books, assets, prices of the start, and what each maker quotes in a calm market."""
    kinds = [item.kind for item in scenario.assets.values()]
    return MarketFacts(
        books=tuple((i.venue, i.base, i.perpetual, i.unit_value) for i in world.instruments),
        kinds=tuple(kinds),
        redemption=tuple((s.redemption_asset, s.redemption_ppm) for s in world.config.assets),
        prices={
            (venue.id, asset): price
            for venue in world.venues
            for asset, price in enumerate(venue.asset_prices)
            if price
        },
        marks=tuple(world.marks),
        makers=_makers(scenario, classes, accounts),
    )


def _makers(scenario: Scenario, classes: Classes, accounts: AccountBook) -> dict[int, float]:
    """Accounts of participants that can withdraw quotes, with their calm size per side."""
    found: dict[int, float] = {}
    for item in scenario.participants:
        cls, given = classes[item.name]
        params = build_params(cls, given)
        if not hasattr(params, "withdrawal_enabled"):
            continue
        parts = sum(weight for _, weight in getattr(params, "levels", ()))
        for name in instance_names(item):
            for venue in item.venues:
                pairs = [p for p in params.pairs if p.symbol.partition(":")[0] == venue]
                quoted = sum(pair.share * pair.depth_usd for pair in pairs)
                found[accounts.of[name, venue]] = quoted * parts
    return found
