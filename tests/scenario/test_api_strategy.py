"""``exchange_sim.run(..., strategy=...)``: what the command line does, from Python."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from exchange_sim import load, open_run, run
from exchange_sim.errors import ScenarioError, UsageError
from exchange_sim.scenario.addition import toml_value
from exchange_sim.sim.run import Run
from exchange_sim.strategy import Strategy
from tests.doubles.sim_world import add, fund, make_run

BOT = "strategies.grid:Grid"
PARAMS = {"symbol": "demo:BTCUSDT", "levels": 2, "step": 0.001, "qty": Decimal("0.01")}


def test_strategy_is_added_with_its_settings(tmp_path: Path) -> None:
    """Its name, capital, parameters; its tear sheet afterwards."""
    finished = run(
        "first_trade", strategy=BOT, venues="demo", capital={"USDT": 5_000, "BTC": "0.5"},
        params=PARAMS, name="grid", on_fault="continue", out=tmp_path, until="5s",
    )  # fmt: skip
    assert finished.directory is not None
    sheet = open_run(finished.directory).tear_sheet("grid")

    assert sheet.orders.accepted == 4
    assert sheet.capital == pytest.approx(55_000, rel=0.01)


def test_mistakes_are_those_of_the_command_line() -> None:
    """Located, with the nearest valid name; all of them."""
    with pytest.raises(ScenarioError) as caught:
        run("first_trade", strategy=BOT, venues="dmo", capital={"USDX": 1}, params={"levls": 1})
    told = "\n".join(str(problem) for problem in caught.value.problems)
    assert "did you mean 'demo'?" in told
    assert "USDX" in told
    with pytest.raises(UsageError, match="--venue"):
        run("first_trade", strategy=BOT)
    with pytest.raises(UsageError, match="belong to load"):
        run(load("first_trade"), strategy=BOT, venues="demo")


class Idle(Strategy):
    """Does nothing."""


def test_a_class_will_do(tmp_path: Path) -> None:
    """One of a module or notebook; the manifest names it, and the options of the run."""
    finished = run(
        "first_trade", strategy=Idle, venues=["demo"], without=["adl"], seed=5, out=tmp_path
    )
    assert finished.manifest.overrides == [
        "--without adl",
        f"--strategy {__name__}:Idle",
        "--venue demo",
    ]
    assert len(finished.manifest.strategies["added-idle"]) == 32

    class Hidden(Strategy):
        """Nobody can find it again."""

    with pytest.raises(UsageError, match="Hidden cannot be found again"):
        run("first_trade", strategy=Hidden, venues=["demo"])


def test_markets_that_do_not_exist_are_told_before_the_run() -> None:
    """A default, a parameter, a nested one: each with the nearest market."""
    with pytest.raises(ScenarioError) as caught:
        run("first_trade", strategy=BOT, venues="demo", params={"symbol": "demo:BTCUSD"})
    (problem,) = caught.value.problems
    assert "no market 'demo:BTCUSD' for parameter 'symbol'" in problem.message
    assert problem.hint == "did you mean 'demo:BTCUSDT'?"
    assert problem.path.startswith("--param symbol=")

    with pytest.raises(ScenarioError, match="cannot be built") as caught:
        run("first_trade", strategy=BOT, venues="demo")
    assert "leading:BTCUSDT-PERP" in caught.value.problems[0].message

    pairs = [{"first": "demo:BTCUSDT", "second": "demo:ETHUSDT", "depth_usd": 1}]
    arbitrage = "strategies.cross_venue_arbitrage:CrossVenueArbitrage"
    with pytest.raises(ScenarioError) as caught:
        run("first_trade", strategy=arbitrage, venues="demo", params={"pairs": pairs})
    assert "'demo:ETHUSDT' for parameter 'pairs.second'" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        ("a b", '"a b"'),
        (Decimal("1.50"), "1.50"),
        ([1, [2.5, "x"]], '[1, [2.5, "x"]]'),
        ({"a": {"b": 1}}, '{ "a" = { "b" = 1 } }'),
    ],
)
def test_python_values_as_toml(value: object, text: str) -> None:
    """Exactly what one would type."""
    assert toml_value(value) == text


def test_values_that_toml_does_not_know() -> None:
    """An object is no parameter."""
    with pytest.raises(UsageError, match="cannot be a object"):
        toml_value(object())


def test_two_strategies_cannot_share_an_account() -> None:
    """Neither would know of the other's orders."""
    pieces: Run = make_run()
    account = fund(pieces, "leading")
    pieces.add_strategy("one", Strategy(), {"leading": account})
    with pytest.raises(UsageError, match=f"account {account} is traded by strategy 'one'"):
        pieces.add_strategy("two", Strategy(), {"leading": account})
    add(pieces, "three", Strategy())
