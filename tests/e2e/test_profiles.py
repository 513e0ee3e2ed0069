"""The same account under the same order flow ends differently by the rules of its venue."""

from __future__ import annotations

import json
import re

import pytest

from exchange_sim.analysis.running import run
from exchange_sim.risk.profiles import PROFILES
from exchange_sim.scenario.load import load


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """By profile: summary of the run, and the lines of the narrative about the account ``long``."""
    found = {}
    for name in PROFILES:
        scenario = load(f"profile_{name}")
        done = run(scenario, out=tmp_path_factory.mktemp(name))
        assert done.directory is not None
        text = (done.directory / "narrative.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        ended = [
            line
            for line in lines
            if line["event"] == "liquidation ended" and line["account"] == "long"
        ]
        found[name] = lines, ended
    return found


def test_each_venue_ends_the_account_in_its_own_way(ends):
    """Nothing differs but the rules, and no two venues do the same."""
    stories = {
        name: [line["outcome"] + re.sub(r"\d+", "", line.get("steps", "")) for line in ended]
        for name, (_, ended) in ends.items()
    }

    assert all(stories.values())
    reasons = {name: ended[-1]["rule"] for name, (_, ended) in ends.items()}
    assert len({(tuple(stories[name]), reasons[name]) for name in PROFILES}) == len(PROFILES)


def test_binance_reduces_to_a_target_and_charges_the_fund(ends):
    """The book is swept until nothing is left of the account; the fund pays the rest."""
    _, ended = ends["binance"]

    assert ended[-1]["outcome"] == "bankrupt"
    assert "reductions" in ended[-1]["steps"]
    assert "the fund pays" in ended[-1]["rule"]


def test_bybit_takes_over_when_a_fill_or_kill_step_fails(ends):
    """Nothing is sold at a worse price; the account had equity left, which is the fund's."""
    _, ended = ends["bybit"]

    assert ended[-1]["outcome"] == "taken over"
    assert not ended[-1]["equity"].startswith("-")
    assert "taken over at the bankruptcy price" in ended[-1]["rule"]


def test_okx_goes_down_bracket_by_bracket_and_waits(ends):
    """Partial steps, each long enough apart for the account to be cured in between."""
    _, ended = ends["okx"]

    assert any("by bracket" in line.get("steps", "") for line in ended)
    assert ended[0]["outcome"] == "recovered"
    assert "stopped early" in ended[0]["rule"]


def test_hyperliquid_deleverages_what_the_vault_has_no_room_for(ends):
    """A share first; below two thirds of maintenance it is too large for a vault of 40,000: ADL at
    the mark before, in the slot of its last order.
    """
    lines, ended = ends["hyperliquid"]

    assert ended[-1]["outcome"] == "deleveraged"
    assert "the rest is the owner's" in ended[-1]["rule"]
    rounds = [line for line in lines if line["event"] == "round of auto-deleveraging"]
    assert [line["time"] for line in rounds] == [ended[-1]["time"]]
    assert any("by a share" in line.get("steps", "") for line in ended)
    adl = [line for line in lines if line["event"] == "auto-deleveraging of this minute"]
    assert "previous mark price" in adl[0]["rule"]
