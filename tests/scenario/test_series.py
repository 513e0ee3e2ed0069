"""``count`` makes many assets of one table: names, numbers, files and options, mistakes located."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from exchange_sim.errors import ScenarioError
from exchange_sim.scenario import Scenario, load

TEXT = """
[scenario]
name = "many"
start = 2025-10-10T20:30:00Z
duration = "1m"
seed = 1

[assets.USDT]
decimals = 6
kind = "quote"

[assets.C]
count = 11
decimals = 2
kind = "alt"
beta = { first = 1, last = 4 }
collateral = [{ upto = 10, ratio = 0.8 }, { ratio = 0.4 }]

[assets.C.market]
price = { first = 100, last = 0.01 }
tick_size = 0.005
lot_size = 0.1
depth_usd = { first = 1024, last = 1 }

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
"""


def loaded(folder: Path, text: str = TEXT, *overrides: str) -> Scenario:
    """The scenario of a text."""
    file = folder / "many.toml"
    file.write_text(text)
    return load(file, overrides)


def problems(folder: Path, text: str, *overrides: str) -> list[str]:
    """What is wrong with a text, as it is printed."""
    with pytest.raises(ScenarioError) as caught:
        loaded(folder, text, *overrides)
    return [str(problem) for problem in caught.value.problems]


def test_members_are_named_and_spread_in_equal_ratios(tmp_path: Path) -> None:
    """First and last are exact, prices lie on the grid, and nothing else differs."""
    scenario = loaded(tmp_path)
    names = [f"C{k:02d}" for k in range(1, 12)]
    items = scenario.instruments

    assert list(scenario.assets) == [*names, "USDT"]
    assert [item.name for item in items] == [f"one:{name}USDT" for name in names]
    assert [item.depth_usd for item in items] == [Decimal(2) ** k for k in range(10, -1, -1)]
    assert (items[0].price, items[-1].price) == (Decimal(100), Decimal("0.01"))
    assert all(item.price % Decimal("0.005") == 0 for item in items)
    betas = [scenario.assets[name].beta for name in names]
    assert (betas[0], betas[5], betas[-1]) == (Decimal(1), Decimal(2), Decimal(4))
    assert len({scenario.assets[name].collateral for name in names}) == 1


def test_the_number_can_be_set(tmp_path: Path) -> None:
    """By an option, and by a file that extends; members can be addressed afterwards."""
    small = loaded(tmp_path, TEXT, "assets.C3.beta=9", "assets.C.count=3")
    assert [item.base for item in small.instruments] == ["C1", "C2", "C3"]
    assert small.assets["C3"].beta == 9

    (tmp_path / "less.toml").write_text('extends = "many"\n[assets.C]\ncount = 1\n')
    assert list(load(tmp_path / "less.toml").assets) == ["C1", "USDT"]


def test_mistakes_are_told_once(tmp_path: Path) -> None:
    """Not once for each member."""
    assert "a whole number from 1 to 100000" in problems(tmp_path, TEXT, "assets.C.count=0")[0]
    assert "a whole number" in problems(tmp_path, TEXT.replace("count = 11", "count = true"))[0]
    (wrong,) = problems(tmp_path, TEXT.replace("{ first = 1, last = 4 }", "{ first = 1 }"))
    assert "many.toml:16:" in wrong
    assert "a number, or { first, last } with two numbers above 0" in wrong
    (wrong,) = problems(tmp_path, TEXT.replace("first = 1,", 'first = "a",'))
    assert "two numbers above 0" in wrong
    (wrong,) = problems(tmp_path, TEXT.replace("decimals = 2", "decimals = 99"))
    assert "assets.C01.decimals" in wrong
    (wrong,) = problems(tmp_path, TEXT.replace("decimals = 2", "decimal = 2\ndecimals = 2"))
    assert "assets.C01" in wrong


def test_a_member_must_not_exist_already(tmp_path: Path) -> None:
    """A name is one asset."""
    found = problems(tmp_path, TEXT + '[assets.C07]\ndecimals = 2\nkind = "alt"\n')
    assert any("assets.C07 is also one of assets.C" in text for text in found)
