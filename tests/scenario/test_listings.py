"""Listings make instruments, stock makes capital: both in exact decimals, mistakes located."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from exchange_sim.errors import ScenarioError
from exchange_sim.scenario import Scenario, load

TEXT = """
[scenario]
name = "listed"
start = 2025-10-10T20:30:00Z
duration = "1m"
seed = 1

[assets.USDT]
decimals = 6
kind = "quote"

[assets.AAA]
decimals = 2
kind = "alt"
beta = 2.5
market = { price = 3, tick_size = 0.001, lot_size = 0.1, depth_usd = 1000 }

[assets.BBB]
decimals = 2
kind = "alt"
market = { price = 7, tick_size = 0.01, lot_size = 0.1, depth_usd = 500 }

[venues.one]
profile = "binance"
numeraire = "USDT"
fees = [{ maker = 0, taker = 0 }]

[listings.spot]
venue = "one"
symbol = "{base}USDT"
kind = "SPOT"
bases = ["alt"]
quote = "USDT"
depth_share = 0.4
collar_per_beta = 0.01
slice_d1 = 0.05
takeover_d1 = 0.5

[[instruments]]
venue = "one"
symbol = "BBBUSDT"
price = 8

[[participants]]
name = "flow"
class = "exchange_sim.participants.flow:BackgroundFlow"
venues = ["one"]
capital = { USDT = 5, AAA = 1 }
stock = [{ select = ["SPOT", "alt"], d1 = 0.5 }]
"""


def loaded(folder: Path, text: str = TEXT, *overrides: str) -> Scenario:
    """The scenario of a text."""
    file = folder / "listed.toml"
    file.write_text(text)
    return load(file, overrides)


def test_one_instrument_per_asset(tmp_path: Path) -> None:
    """Half of what is written belongs to the asset, the rest to the listing."""
    one, other = loaded(tmp_path).instruments

    assert (one.name, one.base, one.price) == ("one:AAAUSDT", "AAA", Decimal(3))
    assert (one.depth_usd, one.liquidation_collar) == (Decimal(400), Decimal("0.025"))
    assert (one.liquidation_slice, one.takeover_limit) == (Decimal(20), Decimal(200))
    assert (other.name, other.price, other.depth_usd) == ("one:BBBUSDT", Decimal(8), Decimal(200))


def test_a_listed_instrument_can_be_overridden(tmp_path: Path) -> None:
    found = loaded(tmp_path, TEXT, "instruments.one:AAAUSDT.tick_size=0.01").instruments[0]

    assert found.tick_size == Decimal("0.01")


def test_stock_is_added_to_the_capital(tmp_path: Path) -> None:
    """Half of 400 dollars at 3 is 66.66 coins, rounded down; half of 200 at 8 is 12.5."""
    scenario = loaded(tmp_path)
    flow = scenario.participants[0]

    assert flow.capital_at["one"] == {
        "USDT": Decimal(5), "AAA": Decimal("67.66"), "BBB": Decimal("12.5"),
    }  # fmt: skip
    assert Scenario.from_json(scenario.to_json()) == scenario


PERPETUAL = """
[brackets]
b = [{ floor = 0, leverage = 10, mmr = 0.01 }]

[listings.perps]
venue = "one"
symbol = "{base}PERP"
kind = "PERPETUAL"
bases = "AAA"
quote = "USDT"
brackets = "b"
default_leverage = 5
depth_share = 0.4
index = [{ instrument = "one:{base}USDT" }]
"""
OTHER = """
[[participants]]
name = "other"
class = "exchange_sim.participants.flow:BackgroundFlow"
venues = ["one"]
"""


def test_stock_against_somebody_is_a_position(tmp_path: Path) -> None:
    """Two D1 of 400 dollars at 3 are 266.6 coins in lots of 0.1; without the other side: none."""
    text = TEXT.replace('["SPOT", "alt"], d1 = 0.5', '["PERPETUAL"], d1 = 2, against = "other"')

    flow = loaded(tmp_path, text + PERPETUAL + OTHER).participants[0]
    assert [(held.instrument, held.qty, held.against) for held in flow.positions] == [
        ("one:AAAPERP", Decimal("266.6"), "other")
    ]
    assert flow.capital_at["one"]["AAA"] == 1
    assert loaded(tmp_path, text + PERPETUAL).participants[0].positions == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('bases = ["alt"]', 'bases = ["alts"]', 32, "no asset or kind 'alts'"),
        ('bases = ["alt"]', 'bases = ["USDT"]', 32, "asset 'USDT' has no market"),
        ('bases = ["alt"]', "", 28, "lacks 'bases'"),
        ("depth_share = 0.4", 'depth_share = "much"', 34, "must be a number"),
        ("slice_d1 = 0.05", "slice_d2 = 0.05", 36, "unknown key"),
        ('select = ["SPOT", "alt"]', 'select = ["SPOT", "majr"]', 49, "no instrument has the tag"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        loaded(tmp_path, TEXT.replace(old, new))

    found = [f"{problem.line}: {problem.message}" for problem in caught.value.problems]
    assert any(text.startswith(f"{line}: ") and words in text for text in found), found
