"""Account modes and contracts from a scenario file to what a strategy reads, and their mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exchange_sim import open_run
from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.pnl import profit_of
from exchange_sim.analysis.second_bookkeeper import check_balances
from exchange_sim.analysis.tear_sheet import strategies_of
from exchange_sim.errors import ScenarioError
from exchange_sim.messages.events import LiquidationStep
from exchange_sim.model.account import CROSS
from exchange_sim.scenario import load
from exchange_sim.scenario.build import build_run

FILE = Path(__file__).parent / "data" / "modes.toml"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scenario, watched by every rule, and its directory."""
    done = build_run(load(FILE), out=tmp_path_factory.mktemp("runs")).execute()
    assert done.directory is not None
    return done.directory


def seen(run: Path, who: str) -> list[dict[str, Any]]:
    """What a strategy said."""
    lines = [json.loads(line) for line in (run / "narrative.jsonl").read_text().splitlines()]
    return [line for line in lines if line.get("who") == who and "seen" in line.values()]


def test_the_books_of_every_mode_agree(run: Path) -> None:
    """Balances rebuilt from the tables alone: coins and wallets included."""
    assert check_balances(open_run(run)) == []
    names = [row["owner"] for row in open_run(run).accounts]
    assert "alone/BTCUSDT-PERP" in names


def test_legs_are_read_side_by_side(run: Path) -> None:
    """A long and a short, and what closing one of them leaves."""
    first, last = seen(run, "hedger")
    assert (first["long"], first["short"], first["net"]) == (1.0, -0.4, 0.6)
    assert (last["long"], last["net"]) == (0.0, -0.4)


def test_isolated_margin_and_its_liquidation_price(run: Path) -> None:
    """One coin at ten times, bought 10 above the mark: that loss stays in the wallet too.

    (10,010 - 100,010) / (0.004 - 1), then 5,000 more.
    """
    first, last = seen(run, "alone")
    assert first["margin"] == pytest.approx(10_010)
    assert first["price"] == pytest.approx((10_010 - 100_010) / (0.004 - 1), rel=1e-6)
    assert last["margin"] == pytest.approx(15_010)
    assert last["price"] == pytest.approx((15_010 - 100_010) / (0.004 - 1), rel=1e-6)
    assert last["cash"] == pytest.approx(100_000 - 15_010 - 50.005)


def test_contracts_in_dollars_and_fees_in_coins(run: Path) -> None:
    """100,000 dollars of contracts cost 0.05 % of 0.9999 coins."""
    first, last = seen(run, "coins")
    assert (first["qty"], first["notional"]) == (100_000, 100_000)
    assert first["coins"] == pytest.approx(2 - 0.0005 * 100_000 / 100_010, abs=1e-8)
    spread = 100_000 / 99_990 - 100_000 / 100_010
    fees = 0.0005 * (100_000 / 100_010 + 100_000 / 99_990)
    assert last["qty"] == 0
    assert last["coins"] == pytest.approx(2 - spread - fees, abs=3e-8)


MOVES = """        self.set_timer("move", 4, repeat=False)

    def on_timer(self, name: str) -> None:
        \"\"\"Every price falls, that of the contract further than the coin's.\"\"\"
        self.cancel_all_orders()
        for symbol, size, price in ((SPOT, 5, 95_000), (PERP, 10, 95_000), (COIN, 500_000, 94_900)):
            self.buy(symbol, size, price - 10)
            self.sell(symbol, size, price + 10)


class Reporter(Strategy):
"""


def test_profits_of_coin_margined_contracts_add_up(tmp_path: Path) -> None:
    """100,000 dollars of contracts, bought at 100,010 and sold at 94,890, while the coin falls.

    Whoever holds two coins and so many contracts loses on both; what is left is coins at 95,000.
    """
    for name in ("modes.toml", "modes.py"):
        text = FILE.with_name(name).read_text()
        text = text.replace("class Reporter(Strategy):\n", MOVES, 1)
        (tmp_path / name).write_text(
            text.replace("\n\n\n        self.set", "\n        self.set", 1)
        )
    done = build_run(load(tmp_path / "modes.toml"), out=tmp_path / "runs").execute()
    assert done.directory is not None
    run = open_run(done.directory)
    marks, found = Marks(run), {}
    for name, accounts in strategies_of(run).items():
        found[name] = profit = profit_of(run, accounts, marks)
        assert profit.unexplained == 0, name
        assert profit.curve[-1] == pytest.approx(float(profit.total), rel=1e-9), name
    coins = found["coins"]
    bought, sold = 100_000 / 100_010, 100_000 / 94_890
    left = 2 + bought - sold - 0.0005 * (bought + sold)
    assert float(coins.total) == pytest.approx(left * 95_000 - 200_000, abs=0.01)
    assert float(coins.parts["fees"]) == pytest.approx(
        -0.0005 * (bought * 100_000 + sold * 95_000), abs=0.01
    )
    assert float(coins.parts["spread"]) == pytest.approx(
        -10 / 100_010 * 100_000 - 10 / 94_890 * 95_000 * 100_000 / 94_900, abs=0.05
    )
    (coin,) = [row for row in run.tear_sheet("maker").markets if row.symbol == "demo:BTCUSD-COIN"]
    assert 350_000 < coin.bid_depth < 500_000


def ends(tmp_path: Path, *without: str) -> tuple[set[int], dict[str, int]]:
    """Liquidated positions of ``both`` by instrument, and the lots that it holds at the end."""
    scenario = load(FILE.with_name("contagion.toml"), (), without)
    built = build_run(scenario, out=tmp_path)
    done = built.execute()
    assert done.directory is not None
    run, world = open_run(done.directory), built.world
    assert check_balances(run) == []
    own = [row["account"] for row in run.accounts if row["owner"].partition("/")[0] == "both"]
    steps = run.table(LiquidationStep).to_pylist()
    touched = {row["instrument"] for row in steps if row["account"] in own}
    held = {
        world.instruments[i].symbol: position.qty
        for account in own
        for i, position in world.accounts[account].positions.items()
    }
    return touched - {-1}, held


def test_without_unified_accounts_a_loss_stays_where_it_is(tmp_path: Path) -> None:
    """The alt takes the other position with it, unless each has a wallet of its own."""
    touched, held = ends(tmp_path / "with")
    assert len(touched) == 2
    assert held.get("demo:BTCUSDT-PERP", 0) == 0
    touched, held = ends(tmp_path / "without", "unified_account")
    assert len(touched) == 1
    assert held["demo:BTCUSDT-PERP"] == 1_000
    assert held.get("demo:ALTUSDT-PERP", 0) == 0


def crowd_of(*without: str) -> tuple[list[dict[str, int]], list[dict[int, int]]]:
    """What the accounts of the crowd of ``small_crash`` hold at the start, and their positions."""
    built = build_run(load("small_crash", (), without))
    world, holdings, positions = built.world, [], []
    names = [spec.asset.name for spec in world.config.assets]
    for account in world.accounts:
        if account.mode == CROSS and account.positions and account.owner >= 0:
            posted = world.ledger.posted[account.id]
            holdings.append({n: x for n, x in zip(names, posted, strict=True) if x})
            positions.append({i: p.qty for i, p in account.positions.items()})
    return holdings, positions


def test_without_unified_accounts_the_crowd_is_margined_in_money() -> None:
    """One position each, as before; what was pegged dollars is money of the same value."""
    with_pegs, before = crowd_of()
    without, after = crowd_of("unified_account")
    assert before == after
    assert all(len(held) == 1 for held in after)
    pegged = [k for k, held in enumerate(with_pegs) if "PEG" in held]
    assert 0.2 < len(pegged) / len(before) < 0.4
    for k, (one, other) in enumerate(zip(with_pegs, without, strict=True)):
        assert set(other) == {"USDT"}
        if k not in pegged:
            assert one == other
        else:
            assert other["USDT"] == pytest.approx(one["PEG"], rel=0.25)


def problems(*overrides: str, text: tuple[str, str] = ("", ""), folder: Path) -> list[str]:
    """Messages of a file with one thing replaced."""
    source = FILE.read_text()
    assert text[0] in source
    file = folder / "modes.toml"
    file.write_text(source.replace(*text, 1))
    (folder / "modes.py").write_text(FILE.with_suffix(".py").read_text())
    with pytest.raises(ScenarioError) as caught:
        load(file, overrides)
    return [f"{problem.line}: {problem.message}" for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("contract_size = 100", "", "needs 'contract_size'"),
        ("contract_size = 100", "lot_size = 100", "lot_size is not for INVERSE_PERPETUAL"),
        ("lot_size = 0.001", "contract_size = 1", "contract_size is not for SPOT"),
        ("contract_size = 100", "contract_size = 0.0000001", "finer than the 6 decimals"),
        ("contract_size = 100", "contract_size = -1", "contract_size"),
        ('kind = "SPOT"', 'kind = "INVERSE_PERPETUAL"', "settles in BTC, which has no spot"),
        ('account = "isolated"', 'account = "isolate"', "did you mean 'isolated'"),
        ('position_mode = "hedge"', 'position_mode = "both"', "position_mode"),
        ('account = "isolated"', 'account = "unified"\nisolated = ["demo:BTCUSDT-PERP"]',
         "isolated is for cash and cross accounts"),
        ('account = "isolated"', 'account = "cash"\nisolated = ["demo:BTCUSDT"]', "is SPOT"),
        ('account = "isolated"', 'account = "cash"\nisolated = ["demo:BTCUSD-COIN"]',
         "is INVERSE_PERPETUAL"),
        ('account = "isolated"', 'account = "cash"\nisolated = ["demo:BTC"]', "demo:BTC"),
    ],
)  # fmt: skip
def test_mistakes_are_located(old: str, new: str, message: str, tmp_path: Path) -> None:
    """Every mistake has the line of its key."""
    found = problems(text=(old, new), folder=tmp_path)
    text = "\n".join(found)
    assert message in text or message.split("'")[-2] in text
    assert all(int(line.partition(":")[0]) > 0 for line in found)
