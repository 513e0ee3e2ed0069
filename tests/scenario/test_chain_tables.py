"""The tables of the chain: read strictly, every mistake located and told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange_sim.defi.feeds import OracleKind
from exchange_sim.errors import ScenarioError
from exchange_sim.scenario.build import build_run
from exchange_sim.scenario.load import load, problems_of
from exchange_sim.scenario.world_config import world_config

GOOD = """
extends = "loop_table"

[oracles.PIN]
kind = "capped"
asset = "USDE"
base = "USDT"
cap = 1.04

[oracles.AMM]
kind = "amm"
asset = "USDE"
amm = "curve"
quote = "USDT"

[markets.blue]
collateral = "USDE"
loan = "USDT"
collateral_oracle = "PIN"
loan_oracle = "USDT"
lltv = 0.915
deposits = 100000

[amms.v3]
kind = "concentrated"
assets = ["USDE", "USDT"]
fee = 0.0005
price = 1.0
liquidity = { USDE = 10000, USDT = 10000 }
range = [0.98, 1.02]

[[participants]]
name = "bot"
opening = [
  { market = "blue", supply = { USDE = 1000 }, borrow = { USDT = 900 } },
  { amm = "v3", supply = { USDE = 500, USDT = 500 }, range = [0.99, 1.01] },
]
"""


def written(tmp_path: Path, text: str) -> Path:
    """A scenario file."""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_arrives_in_the_world(tmp_path: Path) -> None:
    """Oracles after what they refer to, positions at the start, what was borrowed spent."""
    scenario = load(written(tmp_path, GOOD))
    config = world_config(scenario)
    assert config.chain is not None
    kinds = [oracle.kind for oracle in config.chain.oracles]
    assert sorted(kinds) == sorted(
        [OracleKind.FIXED, OracleKind.MARKET, OracleKind.MARKET, OracleKind.CAPPED, OracleKind.AMM]
    )
    assert all(max(o.base, o.quote) < k for k, o in enumerate(config.chain.oracles))
    built = build_run(scenario, None)
    chain, wallet = built.world.chain, built.accounts.of["bot", "ethereum"]
    assert chain is not None
    lot = chain.markets[0].positions[wallet]
    assert lot.collateral == 1_000 * 10**6
    assert chain.markets[0].market.owed(lot.borrow_shares) == 900 * 10**6
    assert built.world.ledger.posted[wallet][2] < 500 * 10**6
    assert len(chain.amms[1].ranges) == 2


MISTAKES = {
    'chain.gas_asset = "ETHH"': "there is no asset 'ETHH'",
    'chain.name = "demo"': "like a venue",
    'oracles.USDE.quote = "EUR"': "there is no oracle 'EUR'",
    'oracles.USDE.sources = "demo:ETHUSDT"': "no spot book of USDE",
    'oracles.USDT.kind = "market"': "needs 'sources'",
    'oracles.USDT.base = "ETH"': "'fixed' has no 'base'",
    "pools.core.reserves.USDE.ltv = 0.9": "is above the threshold",
    "pools.core.reserves.USDE.bonus = 0.3": "more than what is left",
    'pools.core.reserves.USDE.oracle = "ETH"': "prices ETH",
    "pools.core.deposits.ETH = 5": "no reserve of the pool",
    "pools.core.deposits.USDT = 0.0000001": "more than the 6 decimals",
    'amms.curve.assets = ["USDE", "USDE"]': "a coin is there twice",
    'amms.curve.kind = "constant_product"': "only a stableswap pool has 'amplification'",
    "amms.curve.liquidity.ETH = 1": "the pool has no ETH",
    "amms.curve.fee = 2": "must be a number",
    "amms.curve.price = 1": "only a concentrated pool has 'price'",
    'participants.bot.venues = ["etherium"]': "there is no venue 'etherium'",
    'participants.bot.opening = [{ pool = "core", amm = "curve" }]': "one of pool, market and amm",
    'participants.bot.opening = [{ pool = "cor" }]': "there is no pool 'cor'",
    'participants.bot.opening = [{ pool = "core", category = "x" }]': "has no category 'x'",
    'participants.bot.opening = [{ pool = "core", supply = { ETH = 1 } }]': "has no ETH",
}


@pytest.mark.parametrize("override", MISTAKES)
def test_mistakes_are_told(override: str) -> None:
    """One mistake, one located sentence."""
    with pytest.raises(ScenarioError) as error:
        load("loop_table", [override])
    assert MISTAKES[override] in str(error.value)


def test_mistakes_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    """All of them, each with its line."""
    text = GOOD.replace("lltv = 0.915", "lltv = 1.5").replace('loan = "USDT"', 'loan = "USDE"')
    text = text.replace("range = [0.98, 1.02]", "range = [1.02, 0.98]")
    found = problems_of(written(tmp_path, text))
    lines = text.splitlines()
    assert {lines[p.line - 1].split(" = ")[0] for p in found} >= {"lltv", "range"}
    assert all(p.path.endswith("mine.toml") for p in found)


def test_what_lives_on_a_chain_needs_one(tmp_path: Path) -> None:
    """Pools without a chain are a mistake, not silence."""
    text = (Path("scenarios") / "first_trade.toml").read_text(encoding="utf-8")
    text += '\n[pools.core.reserves.BTC]\noracle = "BTC"\n'
    text += '[oracles.BTC]\nkind = "fixed"\nasset = "BTC"\n'
    messages = [problem.message for problem in problems_of(written(tmp_path, text))]
    assert [m for m in messages if "needs a [chain]" in m] == [
        "[pools] needs a [chain]", "[oracles] needs a [chain]",
    ]  # fmt: skip


def test_an_opening_that_the_chain_refuses_is_located() -> None:
    """More debt than the pool allows: the reason, at the position."""
    position = '{ pool = "core", supply = { USDE = 100 }, borrow = { USDT = 99 } }'
    bad = [f"participants.bot.opening = [{position}]"]
    with pytest.raises(ScenarioError, match="BORROW at the start is refused: COLLATERAL_TOO_LOW"):
        build_run(load("loop_table", bad), None)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pool", '"cor"', "there is no pool 'cor'"),
        ("collateral", '"WBTC"', "core has no WBTC"),
        ("category", '"gold"', "has no category 'gold'"),
        ("amm", '"curv"', "there is no AMM 'curv'"),
        ("ltv_high", "1.5", "loan-to-values must rise"),
        ("rounds_low", "99", "rounds must rise"),
        ("accounts", "0", "above 0"),
        ("ltv_low", "0.893", "BORROW at the start is refused"),
    ],
)
def test_loopers_are_checked(key: str, value: str, message: str) -> None:
    """Bad parameters of a population become located problems."""
    overrides = [
        f"populations.loopers.params.{key}={value}",
        "populations.loopers.params.accounts=9",
    ]
    if key == "accounts":
        overrides.pop()
    if key == "ltv_low":
        overrides.append("populations.loopers.params.ltv_high=0.97")
    with pytest.raises(ScenarioError, match=message):
        build_run(load("loop_unwind", overrides), None)


def test_the_members_of_an_issuer_are_all_instances_of_a_name(tmp_path):
    """A participant with a count: each of its wallets may redeem, nobody else's."""
    path = tmp_path / "members.toml"
    path.write_text(
        """
extends = "loop_table"

[issuers.dollar]
asset = "USDE"
backing = "USDT"
wallet = "treasury"
members = ["redeemer"]

[[participants]]
name = "treasury"
class = "exchange_sim.participants.holder:Holder"
venues = "ethereum"
account = "cash"
capital = { USDT = 1000 }

[[participants]]
name = "redeemer"
class = "exchange_sim.participants.holder:Holder"
count = 3
venues = "ethereum"
account = "cash"
capital = { ETH = 1 }
"""
    )
    world = build_run(load(path)).world
    (issuer,) = world.issuers
    eth = next(s.asset.id for s in world.config.assets if s.asset.name == "ETH")
    unit = world.config.assets[eth].asset.scale
    holders = {a for a in issuer.whitelist if world.ledger.posted[a][eth] == unit}

    assert len(holders) == 3
    assert set(issuer.whitelist) <= holders | {issuer.wallet}
