"""Scenarios: TOML files, read strictly and exactly; every mistake is reported with its line."""

from exchange_sim.scenario.files import scenario_files
from exchange_sim.scenario.load import load
from exchange_sim.scenario.scenario import Scenario

__all__ = ["Scenario", "load", "scenario_files"]
