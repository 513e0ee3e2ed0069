"""Tear sheets of a real crash: parts that add up exactly, twins of every figure, own impact."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from exchange_sim import RunData, open_run
from exchange_sim.analysis.impact import own_impact
from exchange_sim.analysis.marks_of_run import Marks
from exchange_sim.analysis.pnl import profit_of
from exchange_sim.analysis.tear_sheet import sections, strategies_of
from exchange_sim.errors import UsageError
from exchange_sim.eventlog.tables import write_balances
from tests.e2e.harness import here, run_into

BOT = '''
import attrs
from exchange_sim import Strategy

SYMBOL = "leading:ALTUSDT-PERP"

class Maker(Strategy):
    """Quotes both sides of the perpetual, with no thought of the margin."""

    @attrs.frozen
    class Params(Strategy.Params):
        qty: float = 2000.0
        spread_bps: float = 20.0

    def on_start(self):
        self.subscribe_book(SYMBOL, depth=5)
        self.set_timer("quote", 1.0)

    def on_timer(self, name):
        mid = self.book(SYMBOL).mid
        if mid is None:
            return
        self.record(mid=mid)
        self.cancel_all_orders()
        step = mid * self.params.spread_bps / 20_000
        self.buy(SYMBOL, self.params.qty, mid - step, post_only=True)
        self.sell(SYMBOL, self.params.qty, mid + step, post_only=True)
'''

WINDOW = '''
from exchange_sim import Strategy

class Window(Strategy):
    """One order a side, far from the touch, from second 2 to second 6; one market order at 8."""

    def on_start(self):
        self.subscribe_book("demo:BTCUSDT", depth=1)
        for name, at in (("in", 2.5), ("out", 6.5), ("take", 8.0)):
            self.set_timer(name, at, repeat=False)

    def on_timer(self, name):
        mid = self.book("demo:BTCUSDT").mid
        if name == "in":
            self.buy("demo:BTCUSDT", 0.5, mid * 0.995, post_only=True)
            self.sell("demo:BTCUSDT", 0.25, mid * 1.005, post_only=True)
        elif name == "out":
            self.cancel_all_orders()
        else:
            self.buy("demo:BTCUSDT", 0.1)
'''


@pytest.fixture(scope="module")
def with_bot(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The small crash with a careless maker in it."""
    folder = tmp_path_factory.mktemp("bot")
    (folder / "mm.py").write_text(BOT)
    options = ("--strategy", f"{folder / 'mm.py'}:Maker", "--venue", "leading")
    return open_run(run_into(folder / "runs", *options, "--capital", "USDT=30000"))


def test_parts_add_up_exactly_for_everybody(with_bot: RunData) -> None:
    """Makers, arbitrage with transfers, whales with loans, the crowd."""
    marks = Marks(with_bot)
    groups = strategies_of(with_bot)
    rest = [row["account"] for row in with_bot.accounts if row["population"] == "crowd"]
    groups["the rest"] = rest
    groups |= {f"account {account}": [account] for account in rest[:40]}
    totals = {}
    for name, accounts in groups.items():
        found = profit_of(with_bot, accounts, marks)
        assert found.unexplained == 0, name
        assert found.curve[-1] == pytest.approx(float(found.total), rel=1e-9, abs=1e-6), name
        totals[name] = found

    bot = totals["added-maker"]
    assert bot.flows == 30_000
    assert 0 <= bot.equity < Fraction(1, 1000)
    assert bot.total == bot.equity - 30_000
    assert bot.parts["spread"] > 0
    assert bot.parts["fees"] < 0
    assert any(found.parts["interest"] for found in totals.values())
    assert any(found.parts["funding"] for found in totals.values())


def test_what_one_gains_others_lose(tmp_path: Path) -> None:
    """Before anybody is liquidated: spreads cancel, fees are all that leaves the traders."""
    run = open_run(run_into(tmp_path, "--until", "35s"))
    assert run.table("liquidation_started").num_rows == 0
    traders = [row["account"] for row in run.accounts if row["population"] != "system"]
    whole = profit_of(run, traders, Marks(run))

    assert whole.parts["spread"] == 0
    assert whole.parts["fees"] < 0
    assert whole.unexplained == 0


def test_cooked_books_are_not_explained(with_bot: RunData, tmp_path: Path) -> None:
    """One millionth of a dollar too much in the final balances shows."""
    copy = tmp_path / "run"
    shutil.copytree(with_bot.path, copy)
    rows = with_bot.balances.to_pylist()
    usdt = next(row["asset"] for row in with_bot.assets if row["symbol"] == "USDT")
    maker = strategies_of(with_bot)["mm-1"]
    row = next(r for r in rows if r["ledger_account"] in maker and r["asset"] == usdt)
    row["amount"] += 1
    write_balances(copy, [tuple(r.values()) for r in rows])

    cooked = profit_of(open_run(copy), maker, Marks(with_bot))
    assert cooked.unexplained == Fraction(1, 10**6)


def test_figures_agree_with_the_tables(with_bot: RunData) -> None:
    """Fills, volumes, refusals and liquidations counted once more, in another way."""
    sheet = with_bot.tear_sheet("added-maker")
    (account,) = strategies_of(with_bot)["added-maker"]
    trades = with_bot.view("traded").to_pylist()
    mine = [row for row in trades if account in (row["maker_account_id"], row["taker_account_id"])]
    rejected = with_bot.table("order_rejected")
    forced = with_bot.table("liquidation_started")

    assert sheet.orders.fills == len(mine) > 100
    assert sheet.orders.maker_volume + sheet.orders.taker_volume == pytest.approx(
        sum(row["quote_amount"] for row in mine)
    )
    assert (
        sum(sheet.orders.rejected.values())
        == rejected.filter(pc.equal(rejected.column("account"), account)).num_rows
    )
    assert (
        sheet.margin.liquidations
        == forced.filter(pc.equal(forced.column("account"), account)).num_rows
        == 1
    )
    assert not sheet.margin.survived
    assert sheet.margin.worst_uni_mmr is not None
    assert sheet.margin.worst_uni_mmr < 1.05
    assert [value for _, value in sheet.series["mid"]][:1] == [pytest.approx(10, abs=0.05)]
    assert sheet.orders.markout_bp[10] < -100
    assert {"mm-1", "mm-2"} <= {row.name for row in sheet.references}
    assert "added-maker" not in {row.name for row in sheet.references}


def test_sections_are_text_and_json_is_json(with_bot: RunData) -> None:
    """What the terminal and the report show; the same figures as data."""
    sheet = with_bot.tear_sheet("added-maker")
    found = sections(sheet)
    sources = next(rows for title, _, rows in found if title == "Profit by source")
    parts = {row[0]: row[1] for row in sources}
    data = json.loads(json.dumps(sheet.asdict()))

    assert all(len(row) == len(columns) for _, columns, rows in found for row in rows)
    assert all(isinstance(cell, str) for _, _, rows in found for row in rows for cell in row)
    assert parts["total"] == "-30,000.00"
    assert sum(data["parts"].values()) == pytest.approx(data["profit"])
    assert data["margin"]["steps"][0]["time_ns"].startswith("2025-10-10T20:50:")
    assert len(data["curve"]) > 100


def test_presence_is_counted_in_seconds(tmp_path: Path) -> None:
    """Four of the ten seconds; depth is what rested; a market order pays half the spread."""
    (tmp_path / "w.py").write_text(WINDOW)
    options = ("--strategy", f"{tmp_path / 'w.py'}:Window", "--venue", "demo")
    run = open_run(run_into(tmp_path / "runs", *options, "--capital", "USDT=100000",
                            "--capital", "BTC=1", scenario="first_trade"))  # fmt: skip
    sheet = run.tear_sheet("added-window")
    (market,) = sheet.markets

    seconds = len(Marks(run).grid)
    assert market.both_pct == pytest.approx(100 * 4 / seconds)
    assert market.bid_depth == pytest.approx(4 / seconds * 0.5 * 99_500, rel=0.01)
    assert market.ask_depth == pytest.approx(4 / seconds * 0.25 * 100_500, rel=0.01)
    assert (sheet.orders.accepted, sheet.orders.canceled) == (3, 2)
    assert sheet.orders.maker_volume == 0
    assert sheet.parts["spread"] < 0
    assert sheet.parts["fees"] == pytest.approx(-0.0005 * sheet.orders.taker_volume, abs=1e-5)
    assert sheet.unexplained == 0
    assert sheet.capital == pytest.approx(200_000, rel=0.01)


def tape(run: RunData, symbol: str) -> tuple[Any, Any]:
    """Lowest price and dollars of all trades in a market."""
    view = run.view("traded")
    rows = view.filter(pc.equal(view.column("instrument"), symbol)).to_pylist()
    volume = pytest.approx(sum(row["price"] * row["qty"] for row in rows))
    return pytest.approx(min(row["price"] for row in rows)), volume


def test_own_impact(with_bot: RunData, small_run: Path) -> None:
    """The market with and without it, each from its own tape, and what the others gained."""
    without = open_run(small_run)
    impact = own_impact(with_bot, without, "added-maker")
    perpetual = next(row for row in impact.markets if row.symbol == "leading:ALTUSDT-PERP")
    assert (perpetual.low_with, perpetual.volume_with) == tape(with_bot, perpetual.symbol)
    assert (perpetual.low_without, perpetual.volume_without) == tape(without, perpetual.symbol)

    # Both may fall to the same old bid; what was traded on the way cannot be the same.
    assert perpetual.volume_with != perpetual.volume_without
    assert perpetual.end_with != perpetual.end_without
    assert "mm-1" in impact.profits
    with pytest.raises(UsageError, match="differ in added-maker, mm-1 as well"):
        own_impact(open_run(small_run), with_bot, "mm-1")


def test_command(with_bot: RunData, small_run: Path, tmp_path: Path) -> None:
    """The added strategy is the default; an unknown one has a near name; JSON goes to a file."""
    shown = here("tearsheet", with_bot.path, "--against", small_run, "--json", tmp_path / "t.json")
    assert shown.code == 0
    for title in ("Profit by source", "Quoting", "Margin", "Beside the makers", "Profit of the"):
        assert title in shown.out
    assert json.loads((tmp_path / "t.json").read_text())["strategy"] == "added-maker"

    wrong = here("tearsheet", with_bot.path, "--strategy", "aded-maker")
    assert wrong.code == 2
    assert "did you mean 'added-maker'?" in wrong.err
    several = here("tearsheet", small_run)
    assert several.code == 2
    assert "name one with --strategy: " in several.err


def test_run_compares_with_itself_without_the_bot(tmp_path: Path) -> None:
    """``--without-bot``: two runs, one difference."""
    (tmp_path / "w.py").write_text(WINDOW)
    options = ("--strategy", f"{tmp_path / 'w.py'}:Window", "--venue", "demo")
    done = here("run", "first_trade", *options, "--capital", "USDT=100000", "--capital", "BTC=1",
                "--out", tmp_path / "runs", "--without-bot")  # fmt: skip
    assert done.code == 0, done.err
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert "The market without and with added-window" in done.out
    alone = here("run", "first_trade", "--without-bot", "--no-log")
    assert alone.code == 2


def test_tables_stay_arrow(with_bot: RunData) -> None:
    """Reading a sheet changes no table of the run."""
    before = with_bot.table("traded").num_rows
    with_bot.tear_sheet("mm-1")

    assert isinstance(with_bot.table("traded"), pa.Table)
    assert with_bot.table("traded").num_rows == before


LENDER = """
extends = "small_crash"

[loans.vip]
venue = "leading"
fund = 10_000_000
lag = "1s"
fee = 0.01

[loans.vip.collateral.ALT]
initial = 0.65
call = 0.75
liquidation = 0.83
"""

BORROWER = """
import attrs
from exchange_sim import Strategy

class Borrower(Strategy):
    @attrs.frozen
    class Params(Strategy.Params):
        repays: bool = False

    def on_start(self):
        self.set_timer("open", 2.0, repeat=False)
        if self.params.repays:
            self.set_timer("repay", 20.0, repeat=False)

    def on_timer(self, name):
        if name == "open":
            self.open_loan("vip", "ALT", 1000, 6000)
        else:
            (loan,) = self.pledged_loans()
            self.repay_loan(loan, 10**9)
"""


@pytest.mark.parametrize("repays", [True, False])
def test_a_pledge_is_not_lost_and_a_loan_is_not_earned(repays: bool, tmp_path: Path) -> None:
    """Repaid: only the coins' price moved.  Liquidated: the lender's sale and fee are a loss."""
    (tmp_path / "lender.toml").write_text(LENDER)
    (tmp_path / "borrower.py").write_text(BORROWER)
    bot = ("--strategy", f"{tmp_path / 'borrower.py'}:Borrower", "--venue", "leading")
    money = ("--capital", "ALT=1000", "--capital", "USDT=500")
    param = ("--param", f"repays={str(repays).lower()}")
    scenario = tmp_path / "lender.toml"
    run = open_run(run_into(tmp_path / "runs", *bot, *money, *param, scenario=scenario))
    found = profit_of(run, strategies_of(run)["added-borrower"], Marks(run))

    assert found.unexplained == 0
    assert found.flows == 10_500
    assert found.parts["other"] == found.parts["spread"] == 0
    assert found.parts["inventory"] < 0
    assert (found.parts["liquidation"] < 0) == (not repays)
