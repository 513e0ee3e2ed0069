"""Lenders, wrappers and issuers in a scenario file: read, checked, built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange_sim.errors import ScenarioError
from exchange_sim.scenario.build import build_run
from exchange_sim.scenario.load import load

GOOD = Path(__file__).parent / "data" / "good.toml"

LENDING = """
extends = "good.toml"

[loans.vip]
venue = "leading"
fund = 1_000_000
lag = "3s"
fee = 0.01
[loans.vip.collateral.BTC]
initial = 0.65
call = 0.75
liquidation = 0.83
"""

ALONE = """
[[participants]]
name = "mm-ladder"
enabled = false

[[participants]]
name = "arb"
enabled = false

[[participants]]
name = "buyer"
enabled = false

[[populations]]
name = "crowd"
enabled = false
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """A scenario file beside the good one."""
    for name in ("good.toml", "maker.py"):
        (tmp_path / name).write_bytes((GOOD.parent / name).read_bytes())

    def make(text: str) -> Path:
        path = tmp_path / "lending.toml"
        path.write_text(text)
        return path

    return make


def messages(path: Path) -> list[str]:
    """Line and message of every mistake."""
    with pytest.raises(ScenarioError) as caught:
        load(path)
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


def test_borrowers_and_pledges_exist_at_the_start(write):
    """Coins are pledged, what was borrowed has been spent, the fund lacks it."""
    path = write(
        LENDING
        + ALONE
        + """
[[participants]]
name = "whale"
class = "exchange_sim.participants.rotation:Rotation"
venue = "leading"
account = "cash"
pledges = [{ product = "vip", asset = "BTC", qty = 2, principal = 130_000 }]

[[populations]]
name = "borrowers"
kind = "borrowers"
params = { product = "vip", collateral = [{ asset = "BTC" }], count = 20, total_usd = 200_000 }
"""
    )
    built = build_run(load(path))
    world = built.world
    (lender,) = world.lenders

    assert len(world.loans) == 21
    assert lender.lent == sum(loan.principal for loan in world.loans.values())
    assert world.ledger.posted[world.loans[1].account][lender.spec.venue] == 0
    assert len(built.run.credit.borrowers.reactions) == 20


def test_without_loans_the_coins_are_simply_owned(write):
    """The switch takes the lenders away and leaves the coins."""
    path = write(
        LENDING
        + ALONE
        + """
[[participants]]
name = "whale"
class = "exchange_sim.participants.rotation:Rotation"
venue = "leading"
account = "cash"
pledges = [{ product = "vip", asset = "BTC", qty = 2, principal = 130_000 }]
"""
    )
    world = build_run(load(path, without=("cefi_loans",))).world
    btc = [spec.asset.name for spec in world.config.assets].index("BTC")
    scale = world.config.assets[btc].asset.scale

    assert not world.loans
    assert not world.lenders
    assert max(row[btc] for row in world.ledger.posted) >= 2 * scale


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("initial = 0.80", "loans.vip.collateral.BTC: levels must rise"),
        ("venue = 'nowhere'", "there is no venue 'nowhere'"),
        ("fee = 1.5", "loans.vip.fee must be"),
        ("[loans.vip.collateral.USDT]", "'leading' has no spot market of USDT"),
    ],
)
def test_mistakes_are_located(write, text, found):
    """Each with its line and a sentence."""
    key = text.partition(" =")[0]
    lines = [text if line.startswith(f"{key} =") else line for line in LENDING.splitlines()]
    if text.startswith("["):
        lines = [text if line.startswith("[loans.vip.coll") else line for line in lines]
    problems = messages(write("\n".join(lines)))

    assert any(found in problem for problem in problems), problems
    assert all(int(problem.partition(":")[0]) > 0 for problem in problems)


@pytest.mark.parametrize(
    ("pledge", "found"),
    [
        ('product = "vop", asset = "BTC"', "there is no loan product 'vop'"),
        ('product = "vip", asset = "USDT"', "'vip' takes no USDT as collateral"),
    ],
)
def test_pledges_are_checked(write, pledge, found):
    """Product and collateral must exist."""
    path = write(
        LENDING
        + f"""
[[participants]]
name = "whale"
class = "exchange_sim.participants.rotation:Rotation"
venue = "leading"
pledges = [{{ {pledge}, qty = 2, principal = 130_000 }}]
"""
    )

    assert any(found in problem for problem in messages(path))


def test_a_loan_that_the_lender_refuses_is_a_mistake_of_the_scenario(write):
    """Too much principal for the pledge."""
    path = write(
        LENDING
        + """
[[participants]]
name = "whale"
class = "exchange_sim.participants.rotation:Rotation"
venue = "leading"
pledges = [{ product = "vip", asset = "BTC", qty = 1, principal = 999_000 }]
"""
    )
    with pytest.raises(ScenarioError, match="LOAN_TO_VALUE"):
        build_run(load(path))


def test_a_wrapper_needs_a_redemption(write):
    """Nothing is redeemed into nothing."""
    found = messages(write(LENDING + '[wrappers.BTC]\nvenues = ["leading"]\n'))

    assert any("BTC is a wrapper, but redeemed into nothing" in problem for problem in found)
