"""From rules in a scenario to the rules of a venue."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import attrs
import pytest

from exchange_sim.risk import profile as core
from exchange_sim.risk.profiles import BINANCE, PROFILES
from exchange_sim.scenario import load
from exchange_sim.scenario.rules import LadderRuleDef, make_rule
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.world_config import world_config
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_MINUTE, NANOS_PER_S

GOOD = Path(__file__).parent / "data" / "good.toml"


@pytest.fixture(scope="module")
def venues():
    """The venues of the good scenario by name."""
    return {venue.name: venue for venue in world_config(load(GOOD)).venues}


def test_a_profile_of_your_own_keeps_what_it_does_not_change(venues):
    """OKX with a shorter pause and a vault's takeover, the venue's changes on top."""
    profile = venues["second"].profile

    assert profile.name == "house"
    assert profile.ladder == attrs.evolve(
        PROFILES["okx"].ladder, wait_ns=30 * NANOS_PER_S, last_tiers=1
    )
    assert profile.takeover == core.TakeoverRule(kind="maintenance_share", share=(1, 2))
    assert profile.adl_trigger.kind == "symbol_drawdown"
    assert profile.funding.cap_ppb == 40_000_000
    assert profile.adl_price == PROFILES["okx"].adl_price


def test_a_named_window_sets_samples_and_period(venues):
    """The text of 2020: thirty samples, one a minute."""
    second = venues["second"]

    assert second.basis_samples == 30
    assert second.profile.mark.period_ns == NANOS_PER_MINUTE


def test_figures_follow_the_profile(tmp_path):
    """What a venue does not say is what its profile usually has."""
    for name, profile in PROFILES.items():
        file = tmp_path / f"{name}.toml"
        file.write_text(f'extends = "profile"\n[venues.home]\nprofile = "{name}"\n')
        (home,) = [v for v in world_config(load(file)).venues if v.name == "home"]
        numbers = profile.numbers
        assert home.profile == profile
        assert home.bands == numbers.bands
        assert home.liquidation_fee_ppm == numbers.liquidation_fee_ppm
        assert home.funding_interval_ns == numbers.funding_interval_ns
    assert PROFILES["hyperliquid"].numbers.funding_interval_ns == NANOS_PER_HOUR


def test_given_figures_win(venues):
    """One edge of the bands is the scenario's, the others the profile's."""
    assert venues["leading"].bands == (2_000_000, *BINANCE.numbers.bands[1:])


def test_assets_have_prices_and_an_order_of_sale(venues):
    """By their ids: BTC 0, USDE 1."""
    second = venues["second"]
    ids = {name: k for k, name in enumerate(load(GOOD).assets)}

    assert second.sale_order == (ids["USDE"], ids["BTC"])
    rule = core.CollateralPriceRule(kind="weighted", weight_ppm=500_000, floor_ppm=950_000)
    assert second.collateral_prices == {ids["USDE"]: rule}


def test_another_kind_starts_from_its_own_defaults():
    """Nothing of the old kind is left over."""
    made = make_rule("ladder", LadderRuleDef(kind="target", target=Decimal("1.5")), BINANCE.ladder)
    assert made == attrs.evolve(BINANCE.ladder, target_ppm=1_500_000)
    other = make_rule("ladder", LadderRuleDef(kind="tiers"), attrs.evolve(made, tier_step=9))
    assert other == core.LadderRule(kind="tiers")


def test_rules_survive_the_journal():
    """A scenario with rules is the same after it was written and read."""
    scenario = load(GOOD)
    assert Scenario.from_json(scenario.to_json()) == scenario


@pytest.mark.parametrize(
    ("rule", "values", "problem"),
    [
        (core.LadderRule, {"kind": "stairs"}, "is none of"),
        (core.LadderRule, {"kind": "share", "share_ppm": 0}, "share_ppm 0 is outside"),
        (core.TakeoverRule, {"kind": "insolvent", "share": (3, 2)}, "share 3/2"),
        (core.AdlTriggerRule, {"kind": "symbol_drawdown", "start_ppm": 1, "stop_ppm": 2}, "above"),
        (core.CollateralPriceRule, {"kind": "weighted", "weight_ppm": -1}, "weight_ppm -1"),
    ],
)
def test_a_rule_refuses_what_no_venue_could_run(rule, values, problem):
    """Also without a scenario."""
    with pytest.raises(ValueError, match=problem):
        rule(**values)
