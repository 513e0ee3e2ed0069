"""The published examples, one test each, and the runner that judges them."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.rule_vectors import (
    Vector,
    load_vectors,
    run_vector,
    run_vector_file,
    same,
)
from exchange_sim.analysis.rules import find_rule, rule_names
from exchange_sim.errors import ScenarioError, UsageError

FILE = Path(__file__).parents[1] / "data" / "rule_vectors.json"
VECTORS = load_vectors(FILE)
OWN = load_vectors(FILE.with_name("rule_vectors_more.json"))
"""Boundaries, debts, shorts, negative rates and other spellings, worked out with fractions."""

# Further rows of the families in the file, worked out from the same formulas.
MORE: list[tuple[str, dict[str, Any], dict[str, Any], float]] = [
    (
        "loop.rounds10_ltv90",
        {"initial": 100, "ltv": 0.9, "rounds": 10},
        {"total_collateral": 686.1894, "total_debt": 586.1894, "equity_wipe": 0.14573},
        1e-4,
    ),
    (
        "binance.loan.state",
        {"product": "cross_eth", "loan": 7700, "collateral": 10000},
        {"state": "MARGIN_CALL", "collateral_at_liq": 9058.8235},
        1e-4,
    ),
    (
        "loan.sale_to_target",
        {"loan": 650, "collateral": 722, "target_ltv": 0.65},
        {"sell_usd": 516.2857, "loan_after": 133.7143, "collateral_after": 205.7143},
        1e-4,
    ),
    (
        "loan.interest",
        {"principal": 10000, "apr": 0.0876, "days": 1},
        {"interest": 2.4, "debt": 10002.4},
        1e-9,
    ),
    (
        "ethena.short_pnl",
        {"eth_short": 10, "spot_qty": 10, "entry": 4300, "mark": 3500},
        {"unrealised_gain": 8000, "net_pnl": 0, "delta": 0},
        1e-9,
    ),
    ("usde.mint", {"paid": 500, "used": 800, "limit": 1000}, {"minted": 500, "allowed": False}, 0),
    (
        "usde.redeem",
        {"usde": 1000, "fee": 0.001, "buffer": 999, "redeem_limit": 1000},
        {"paid": 999, "allowed": True},
        0,
    ),
    ("ethena.redeem", {"usde": 1000, "buffer": 998}, {"paid": 1000, "allowed": False}, 0),
    ("binance.wbeth.wrap", {"eth": 10.8, "rate": 1.08}, {"units": 10}, 1e-9),
    ("wrapper.wrap", {"wbeth": 10, "rate": 1.08}, {"underlying": 10.8}, 1e-9),
    ("binance.pmpro.status", {"unimmr": 1.06}, {"status": "REDUCE_ONLY"}, 0),
    ("binance.pmpro.status", {"unimmr": 1.0000001}, {"status": "LIQUIDATION"}, 0),
    (
        "binance.multi_asset.auto_exchange",
        {"deficit": 5000, "auto_exchange_haircut": 0.025},
        {"collateral_usd_sold": 5128.20},
        0.01,
    ),
    (
        "binance.um.maint_margin",
        {"qty": 100, "price": 120000, "mmr": 0.01, "cum": 11450},
        {"maint_margin": 108550},
        1e-6,
    ),
    (
        "binance.um.maint_margin",
        {
            "notional": 12000000,
            "floors": [0, 50000, 600000, 3000000, 12000000],
            "mmr": [0.004, 0.005, 0.0065, 0.01, 0.02],
        },
        {"maint_margin": 108550, "bracket": 4},
        1e-6,
    ),
    (
        "binance.um.liquidation_price.isolated",
        {
            "wallet_balance": 1535443.01,
            "qty": 109.488,
            "entry": 32481.98,
            "side": "LONG",
            "mmr": 0.025,
            "cum": 16300,
        },
        {"liq_price": 18778.73},
        0.01,
    ),
    (
        "binance.um.liquidation_price.cross",
        {
            "wallet_balance": 1535443.01,
            "target": {
                "qty": 3683.979,
                "entry": 1456.84,
                "side": 1,
                "mmr": 0.1,
                "cum": 135365,
            },
            "other": {
                "qty": 109.488,
                "entry": 32481.98,
                "mark": 31967.27,
                "side": 1,
                "mmr": 0.025,
                "cum": 16300,
            },
        },
        {"liq_price": 1153.26},
        0.01,
    ),
    (
        "bybit.uta.collateral_value",
        {"qty": 25, "usd_index": 100000, "tiers_qty": [[10, 0.98], [20, 0.95], [30, 0.9]]},
        {"collateral_usd": 2380000},
        1e-6,
    ),
    (
        "bybit.uta.collateral_value",
        {"qty": -2, "usd_index": 100000, "tiers_qty": [[10, 0.98]]},
        {"collateral_usd": -200000},
        1e-6,
    ),
    (
        "hyperliquid.liq_price.isolated",
        {"mark": 100000, "side": "SHORT", "size": 1, "isolated_margin": 5000, "max_leverage": 40},
        {"liq_price": 103703.7037037037},
        1e-6,
    ),
    (
        "hyperliquid.backstop",
        {"account_value": -1, "maintenance_margin": 10},
        {"state": "ADL"},
        0,
    ),
    ("aave.capo.stable", {"feed": -1, "cap": 1.04}, {"price": 0}, 0),
    (
        "uniswap.v2.amount_out",
        {
            "amount_in": "1000000000000000000",
            "reserve_in": "5000000000000000000",
            "reserve_out": "10000000000000000000",
        },
        {"amount_out": "1662497915624478906"},
        0,
    ),
    (
        "binance.funding_rate",
        {"avg_premium_index": -0.005, "interest_8h": 0.0001, "interval_hours": 4},
        {"funding_rate": -0.00225},
        1e-12,
    ),
    ("binance.funding_cap", {"multiplier": 1, "mmr": 0.024}, {"cap": 0.024}, 1e-12),
    ("binance.funding_cap", {"max_leverage": 20, "raw_rate": -0.5}, {"rate": -0.03}, 1e-12),
    (
        "binance.spot.PERCENT_PRICE_BY_SIDE",
        {"side": "SELL", "price": 500, "avg_price": 100, "askUp": 5, "askDown": 0.8},
        {"pass": True},
        0,
    ),
    (
        "binance.spot.stp.EXPIRE_TAKER",
        {
            "makers": [{"side": "BUY", "qty": 1.2, "price": 1.2}],
            "taker": {"side": "SELL", "qty": 3, "price": 1.0, "stp": "EXPIRE_TAKER"},
        },
        {"taker_status": "EXPIRED_IN_MATCH", "maker_status": ["NEW"], "prevented": [0]},
        0,
    ),
    (
        "book.market_buy_walk",
        {"asks": [[100, 5], [101, 5]], "market_buy_qty": 12},
        {"fills": [[100, 5], [101, 5]], "status": "EXPIRED", "remaining_cancelled": 2},
        0,
    ),
    (
        "binance.spot.price_range_rule",
        {"reference": 10, "askUp": 2, "askDown": 0.5, "side": "SELL", "best_bid": 5},
        {"executes": True},
        0,
    ),
    (
        "binance.um.price_protect",
        {"stop_trigger": 9000, "last": 8900, "mark": 9000, "triggerProtect": 0.05},
        {"triggered": True},
        0,
    ),
]


def exact(value: Any) -> Any:
    """Numbers of a Python literal as the file reader would give them."""
    return json.loads(json.dumps(value), parse_float=Decimal)


@pytest.mark.parametrize("vector", [*VECTORS, *OWN], ids=lambda vector: vector.vector_id)
def test_published_example(vector: Vector) -> None:
    """The rule gives what its source prints, or what its formula comes to by hand."""
    outcome = run_vector(vector)
    assert outcome.verdict == "passed", str(outcome)


@pytest.mark.parametrize(("area", "inputs", "expected", "tolerance"), MORE)
def test_further_example(
    area: str, inputs: dict[str, Any], expected: dict[str, Any], tolerance: float
) -> None:
    """Other inputs of the same rules, other spellings and boundaries."""
    sizes = {"": Fraction(str(tolerance))}
    outcome = run_vector(Vector("more", area, exact(inputs), exact(expected), sizes, 1))
    assert outcome.verdict == "passed", str(outcome)


def test_report_of_the_whole_file() -> None:
    """The report counts every vector once."""
    report = run_vector_file(FILE)
    assert report.ok
    assert (report.passed, report.failed, report.without_rule) == (169, [], [])
    assert str(report) == "169 passed, 0 failed, 0 without a rule"


@pytest.mark.parametrize("vector", [*VECTORS, *OWN], ids=lambda vector: vector.vector_id)
def test_wrong_expectation_is_caught(vector: Vector) -> None:
    """Every vector can fail: its expected values moved beyond the tolerance are refused."""
    moved = {key: shifted(value, vector.tolerance(key)) for key, value in vector.expected.items()}
    outcome = run_vector(
        Vector(vector.vector_id, vector.area, vector.inputs, moved, vector.tolerances, 1)
    )
    assert outcome.verdict == "failed"
    assert len(outcome.differences) == len(vector.expected)


def shifted(value: Any, tolerance: Fraction) -> Any:
    """A value that is wrong by a little more than the tolerance."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, list):
        return [shifted(entry, tolerance) for entry in value]
    if isinstance(value, dict):
        return {key: shifted(entry, tolerance) for key, entry in value.items()}
    if isinstance(value, str):
        return value + "1"
    return (
        Decimal(value) + 2 * Decimal(tolerance.numerator) / tolerance.denominator + Decimal("1e-6")
    )


JUNK: list[Any] = [
    None,
    "",
    "x",
    "1e999999999",
    True,
    0,
    -1,
    10**40,
    [],
    {},
    [[1]],
    Decimal("1e-300"),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.vector_id)
def test_unusable_inputs_fail_in_words(vector: Vector) -> None:
    """No input, of whatever kind, makes a rule raise; the vector fails and says why."""
    for key in vector.inputs:
        without = {name: value for name, value in vector.inputs.items() if name != key}
        for inputs in (without, *({**vector.inputs, key: junk} for junk in JUNK)):
            outcome = run_vector(
                Vector("junk", vector.area, inputs, vector.expected, vector.tolerances, 1)
            )
            assert outcome.verdict == "passed" or outcome.reason or outcome.differences


def test_unknown_area_has_no_rule(tmp_path: Path) -> None:
    """An area that no rule covers is reported apart; a known one is found by its longest name."""
    file = tmp_path / "v.json"
    file.write_text('[{"id": "A", "area": "kraken.margin", "inputs": {}, "expected": {}}]')
    report = run_vector_file(file)
    assert [outcome.vector_id for outcome in report.without_rule] == ["A"]
    assert not report.ok
    assert find_rule("binance.index.new_case") is find_rule("binance.index")
    assert find_rule("aave.hf.oracle_pin") is not find_rule("aave.hf")
    assert "adl.rank.pnl_times_leverage" in rule_names()


def test_missing_result_is_a_failure(tmp_path: Path) -> None:
    """An expected value that the rule does not give fails, with its name."""
    entry = {
        "id": "A",
        "area": "binance.ltv",
        "inputs": {"loan": 1, "collateral": 2},
        "expected": {"ltv": 0.5, "colour": "red"},
    }
    file = tmp_path / "v.json"
    file.write_text(json.dumps([entry]))
    (outcome,) = run_vector_file(file).failed
    assert str(outcome) == (
        "A (binance.ltv): failed: colour: expected red, got no such result of this rule"
    )


NOTHING = '{"id": "A", "area": "x", "inputs": {}, "expected": {}}'
MALFORMED = [
    ("", 1, "expected a JSON list of vectors"),
    ('{"id": "A"}', 1, "expected a JSON list of vectors"),
    ("[\n1\n]", 2, "expected a table, got 1"),
    ('[\n{"id": 7, "area": "x", "inputs": {}, "expected": {}}]', 2, "'id' must be a text"),
    ('[\n\n{"id": "A", "area": "x", "inputs": [], "expected": {}}]', 3, "'inputs' must be a table"),
    ('[{"id": "A", "area": "x", "inputs": {}, "expected": {},\n"expected": {}}]', 1, "twice"),
    ('[{"id": "A", "area": "x", "inputs": {"a": NaN}, "expected": {}}]', 1, "NaN is not a number"),
    ('[{"id": "A", "area": "x", "inputs": {"a": 1e999}, "expected": {}}]', 1, "too large"),
    ('[\n{"id": "A",\n "area": }]', 3, "not JSON"),
    ('[{"id": "A", "area": "x", "inputs": {}, "expected": {}}', 1, "not closed"),
    ('[{"id": "A", "area": "x", "inputs": {}, "expected": {}} {}]', 1, "expected , or ]"),
    ("[]\nx", 2, "text after the end"),
    (f"[{NOTHING},]", 1, "a comma before the end"),
    ("[" * 100_000, 1, "nested too deeply"),
    (
        '[{"id": "A", "area": "x", "inputs": {}, "expected": {}, "tolerance": "wide"}]',
        1,
        "'tolerance' must be a number",
    ),
    (
        f"[{NOTHING},\n{NOTHING}]",
        2,
        "already used",
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), MALFORMED)
def test_malformed_file_is_located(tmp_path: Path, text: str, line: int, message: str) -> None:
    """A broken file is refused with path, line and the reason."""
    file = tmp_path / "vectors.json"
    file.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        run_vector_file(file)
    (problem,) = caught.value.problems
    assert problem.line == line
    assert message in problem.message
    assert f"{file}:{line}:" in str(caught.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Every entry is checked, not only the first wrong one."""
    file = tmp_path / "vectors.json"
    file.write_text('[{"id": "A"},\n{"area": "x"},\n3]')
    with pytest.raises(ScenarioError) as caught:
        run_vector_file(file)
    assert [problem.line for problem in caught.value.problems] == [1, 1, 1, 2, 2, 2, 3]


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file, a directory and bytes that are no text are refused without a traceback."""
    for path in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(UsageError, match="cannot read"):
            run_vector_file(path)
    binary = tmp_path / "b.json"
    binary.write_bytes(b"[\xff]")
    with pytest.raises(ScenarioError, match="rule vectors") as caught:
        run_vector_file(binary)
    assert "UTF-8" in str(caught.value)


def test_comparison() -> None:
    """Tolerance is absolute, text that is a number is one, and kinds are never mixed."""
    size = Fraction(1, 1000)
    assert same(Decimal("1.0"), Fraction(10005, 10000), size)
    assert not same(Decimal("1.0"), Fraction(1002, 1000), size)
    assert same("12", 12, Fraction(0))
    assert not same("12", 13, Fraction(0))
    for truth, value in ((True, 1), (False, 0)):
        assert not same(value, truth, size)
        assert not same(truth, value, size)
    assert not same(None, 0, size)
    assert same([1, [2]], [Fraction(1), [2]], Fraction(0))
    assert not same([1], [1, 2], size)
    assert not same({"a": 1}, {"b": 1}, size)
    assert not same("FREE", "REMINDER", size)
    assert not same(1, float("inf"), size)
