"""Finding strategies and building their parameters: every mistake is located."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from exchange_sim.strategy import Strategy
from exchange_sim.strategy.load import (
    StrategyLoadError,
    build_params,
    load_class,
    load_strategy,
    project_root,
    source_digest,
)

GOOD = """
import attrs
from exchange_sim.strategy import Strategy

class MyBot(Strategy):
    @attrs.frozen
    class Params(Strategy.Params):
        symbol: str
        qty: float = 0.5

class NotABot:
    pass

class BadParams(Strategy):
    class Params:
        pass

class Angry(Strategy):
    def __init__(self, params=None):
        raise RuntimeError("not today")
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A scenario directory with a strategy file in it."""
    (tmp_path / "my_bot.py").write_text(GOOD)
    (tmp_path / "broken.py").write_text("import attrs\nx = 1 / 0\n")
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    return tmp_path


def problem_of(reference: str, base: Path) -> Any:
    with pytest.raises(StrategyLoadError) as caught:
        load_class(reference, base)
    assert caught.value.exit_code == 2
    [problem] = caught.value.problems
    return problem


def test_file_relative_to_the_scenario(base):
    """./file.py:Class, with its parameters."""
    bot = load_strategy("./my_bot.py:MyBot", {"symbol": "v:X"}, base)

    assert (bot.params.symbol, bot.params.qty) == ("v:X", 0.5)
    assert load_class("my_bot.py:MyBot", base) is type(bot)
    assert len(source_digest(type(bot))) == 32


def test_module_and_class():
    """strategies.module:Class from the project root."""
    cls = load_class("strategies.avellaneda_stoikov:AvellanedaStoikov", Path(__file__).parent)
    assert issubclass(cls, Strategy)


@pytest.mark.parametrize(
    ("reference", "what", "message", "hint"),
    [
        ("./my_bat.py:MyBot", "file", "there is no file", "my_bot.py"),
        ("./my_bot.py:MyBott", "attribute", "no attribute 'MyBott'", "'MyBot'"),
        ("./my_bot.py:NotABot", "type", "not a subclass of Strategy", "derive"),
        ("./my_bot.py:BadParams", "type", "Params is no attrs class", "attrs.frozen"),
        ("./broken.py:Bot", "module", "broken.py:2: importing", ""),
        ("./syntax.py:Bot", "module", "syntax.py:1: importing", ""),
        ("./leaves.py:Bot", "module", "SystemExit", ""),
        ("strategies.nothing_here:Bot", "module", "there is no module", ""),
        ("no_such_package.x:Bot", "module", "there is no module", ""),
        ("just_a_name", "module", "no strategy is registered", "module:Class"),
    ],
)
def test_mistakes_in_references_say_what_is_wrong(base, reference, what, message, hint):
    """File, module, attribute or type, and the nearest valid name."""
    problem = problem_of(reference, base)

    assert problem.what == what
    assert message in problem.message
    assert hint in str(problem)


def test_error_inside_an_imported_module_is_not_a_missing_module(tmp_path):
    """A typo in an import inside the strategy's file is reported with its line."""
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "typo_inside.py").write_text("\nimport no_such_thing_at_all\n")
    problem = problem_of("typo_inside:Bot", tmp_path)

    assert "typo_inside.py:2" in problem.message
    assert "no_such_thing_at_all" in problem.message


def test_failing_constructor_is_located(base):
    """A strategy that cannot be created."""
    with pytest.raises(StrategyLoadError, match=r"my_bot\.py:\d+: creating Angry"):
        load_strategy("./my_bot.py:Angry", {}, base)


def test_project_root_is_the_nearest_pyproject(tmp_path):
    """Looking upwards from the scenario."""
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("")
    assert project_root(deep) == tmp_path / "a"


class Mode(Enum):
    """An enumeration for parameters."""

    FAST = 1
    SLOW = 2


@attrs.frozen
class Inner:
    """A nested table."""

    size: int
    ratio: float = 1.0


class Rich(Strategy):
    """All kinds of parameters."""

    @attrs.frozen
    class Params(Strategy.Params):
        """Parameters."""

        symbol: str
        levels: int = attrs.field(default=5, validator=attrs.validators.ge(1))
        spread: float = 0.1
        price: Decimal = Decimal(1)
        on: bool = True
        mode: Mode = Mode.FAST
        sizes: tuple[float, ...] = ()
        names: list[str] = attrs.field(factory=list)
        weights: dict[str, float] = attrs.field(factory=dict)
        limit: int | None = None
        inner: Inner | None = None


def test_values_become_the_declared_types():
    """Decimals from TOML become floats where floats are declared."""
    params = build_params(
        Rich,
        {
            "symbol": "v:X",
            "spread": Decimal("0.25"),
            "price": Decimal("1.10"),
            "mode": "slow",
            "sizes": [1, Decimal("2.5")],
            "names": ["a"],
            "weights": {"a": 1},
            "limit": 7,
            "inner": {"size": 3},
        },
    )

    assert params.spread == 0.25
    assert type(params.spread) is float
    assert params.price == Decimal("1.10")
    assert params.mode is Mode.SLOW
    assert params.sizes == (1.0, 2.5)
    assert params.weights == {"a": 1.0}
    assert params.inner == Inner(3)


def test_all_wrong_parameters_are_reported_at_once():
    """Unknown with the nearest name, missing, and of the wrong type."""
    with pytest.raises(StrategyLoadError) as caught:
        build_params(Rich, {"levles": 3, "spread": "wide", "on": 1, "sizes": 5})
    by_name = {problem.name: str(problem) for problem in caught.value.problems}

    assert set(by_name) == {"levles", "symbol", "spread", "on", "sizes"}
    assert "did you mean 'levels'" in by_name["levles"]
    assert "is missing" in by_name["symbol"]
    assert "expected a number" in by_name["spread"]
    assert "expected true or false" in by_name["on"]
    assert "expected a list" in by_name["sizes"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": 0},
        {"levels": 1.5},
        {"levels": True},
        {"symbol": 5},
        {"mode": "MEDIUM"},
        {"inner": {"size": 1, "colour": 2}},
        {"inner": {}},
        {"inner": 5},
        {"limit": "many"},
        {"names": "abc"},
        {"weights": [1]},
        {"price": "1"},
    ],
    ids=str,
)
def test_unsuitable_values_name_their_parameter(wrong):
    """One mistake, one problem, with the parameter's name."""
    with pytest.raises(StrategyLoadError) as caught:
        build_params(Rich, {"symbol": "v:X", **wrong})
    [problem] = caught.value.problems
    assert problem.name == next(iter(wrong))


def test_file_may_import_its_neighbours(tmp_path: Path) -> None:
    """As a script may; what is installed comes first."""
    (tmp_path / "neighbour_of_bot.py").write_text("QTY = 3\n")
    (tmp_path / "with_neighbour.py").write_text(
        "from exchange_sim import Strategy\nfrom neighbour_of_bot import QTY\n"
        "class Bot(Strategy):\n    qty = QTY\n"
    )
    found = load_class("with_neighbour.py:Bot", tmp_path)

    assert found.qty == 3  # type: ignore[attr-defined]  # of the file


def test_callbacks_that_would_never_be_called(tmp_path: Path) -> None:
    """Misspelt names and wrong arguments are told with their line, all at once."""
    (tmp_path / "typo.py").write_text(
        "from exchange_sim import Strategy\n"
        "class Bot(Strategy):\n"
        "    def on_orderbook(self, book): ...\n"
        "    def on_fill(self): ...\n"
        "    def on_timer(self, name, extra=1): ...\n"
        "    def on_disconnect(self, *what): ...\n"
        "    def _on_helper(self): ...\n"
    )
    with pytest.raises(StrategyLoadError) as caught:
        load_class("typo.py:Bot", tmp_path)

    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 2
    assert "typo.py:4: on_fill cannot be called with what it is told: too many" in told[0]
    assert told[0].endswith("write def on_fill(self, fill)")
    assert "typo.py:3: on_orderbook is no callback" in told[1]
    assert "did you mean 'on_book'?" in told[1]
