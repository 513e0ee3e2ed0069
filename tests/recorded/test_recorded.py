"""Recorded files: read exactly, mistakes by line, played back to the book that they tell."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exchange_sim import open_run
from exchange_sim import run as run_scenario
from exchange_sim.analysis.export import lobster, tardis
from exchange_sim.analysis.run_dir import RunData
from exchange_sim.cli import main
from exchange_sim.errors import ScenarioError, UsageError
from exchange_sim.model.enums import BUY, SELL
from exchange_sim.recorded.formats import format_of, read_rows
from exchange_sim.recorded.rows import CLEAR, LEVEL, TAKE, TOUCH, Findings, Grid, Rows
from exchange_sim.scenario.importing import import_file

L2 = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
T0 = 1_760_097_600_000_000
GRID = Grid(0.1, 0.001)
MARKET = """
[scenario]
name = "tape"
start = 2025-10-10T12:00:00Z
duration = "{duration}"
seed = 1

[assets.USDT]
decimals = 6
kind = "quote"
collateral = 1

[assets.BTC]
decimals = 8
kind = "major"

[venues.demo]
profile = "binance"
numeraire = "USDT"
fees = [{{ maker = 0.0002, taker = 0.0005 }}]

[[instruments]]
symbol = "BTCUSDT"
venue = "demo"
kind = "SPOT"
base = "BTC"
quote = "USDT"
tick_size = 0.1
lot_size = 0.001
price = 100000.0
depth_usd = 1000000

[[recorded]]
name = "tape"
file = "{file}"
instrument = "demo:BTCUSDT"
capital = {{ USDT = 100000000, BTC = 10000 }}
{more}
"""


def read(path: Path, form: str, grid: Grid = GRID) -> tuple[Rows, Findings]:
    """All rows of a file in one, and what is wrong with it."""
    findings = Findings(path.name)
    parts = list(read_rows(path, form, grid, findings))
    columns = ("time_ns", "kind", "side", "price", "qty", "order", "line")
    joined: list[Any] = [
        np.concatenate([getattr(p, c) for p in parts]) if parts else [] for c in columns
    ]
    return Rows(*(np.asarray(column, np.int64) for column in joined)), findings


def play(folder: Path, file: str, duration: str = "10s", more: str = "", **options: Any) -> RunData:
    """Run the small market with a file in it."""
    scenario = folder / "tape.toml"
    scenario.write_text(MARKET.format(file=file, duration=duration, more=more), encoding="utf-8")
    finished = run_scenario(scenario, out=folder / "runs", **options)
    assert finished.directory is not None
    return open_run(finished.directory)


BINANCE = {
    "BTCUSDT-trades-2025-10-10.csv": (
        "1,100000.1,0.5,50000.05,1760097600100,true\n2,100000.2,0.25,25000.05,1760097600200,false\n"
    ),
    "BTCUSDT-aggTrades-2025-10-10.csv": (
        "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
        "9,100000.1,0.5,1,3,1760097600100000,true\n10,100000.2,0.25,4,4,1760097600200000,false\n"
    ),
}


@pytest.mark.parametrize("name", BINANCE)
def test_binance_trades_with_and_without_header(name, tmp_path):
    """Milliseconds or microseconds; the buyer was the maker: somebody sold."""
    path = tmp_path / name
    path.write_text(BINANCE[name])
    rows, findings = read(path, format_of(path))

    assert (findings.bad_rows, findings.gaps) == (0, 0)
    assert rows.kind.tolist() == [TAKE, TAKE]
    assert rows.side.tolist() == [SELL, BUY]
    assert rows.price.tolist() == [1_000_001, 1_000_002]
    assert rows.qty.tolist() == [500, 250]
    assert rows.time_ns.tolist() == [T0 * 1_000 + 10**8, T0 * 1_000 + 2 * 10**8]


def test_compressed_files_are_read_alike(tmp_path):
    """.zip as Binance publishes, .gz as Tardis does."""
    name = "BTCUSDT-trades-2025-10-10"
    text = BINANCE[f"{name}.csv"]
    with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}.csv", text)
    with gzip.open(tmp_path / f"{name}.csv.gz", "wt") as file:
        file.write(text)

    for ending in ("zip", "csv.gz"):
        rows, findings = read(tmp_path / f"{name}.{ending}", "binance-trades")
        assert (len(rows), findings.bad_rows) == (2, 0)


def test_book_ticker_is_two_touches_a_row(tmp_path):
    """Both sides, and a crossed row is a problem."""
    path = tmp_path / "BTCUSDT-bookTicker-2025-10-10.csv"
    path.write_text("7,99999.9,1,100000.1,2,1760097600100,1760097600101\n"
                    "8,100000.3,1,100000.1,2,1760097600200,1760097600201\n")  # fmt: skip
    rows, findings = read(path, "binance-bookTicker")

    assert rows.kind.tolist() == [TOUCH, TOUCH]
    assert rows.side.tolist() == [BUY, SELL]
    assert str(findings.problems[0]).startswith("BTCUSDT-bookTicker-2025-10-10.csv:2:1: error:")
    assert "is not below the best ask" in findings.problems[0].message


MISTAKES = {
    "nan": ("bid,nan,1", "price 'nan' is no finite number"),
    "text": ("bid,cheap,1", "price 'cheap' is no finite number"),
    "negative amount": ("bid,100000,-1", "amount '-1' is negative"),
    "zero price": ("bid,0,1", "price '0' is not above zero"),
    "off the tick": ("bid,100000.05,1", "price '100000.05' is no multiple of 0.1"),
    "off the lot": ("bid,100000,0.0005", "amount '0.0005' is no multiple of 0.001"),
    "side": ("left,100000,1", "side 'left' is not bid or ask"),
    "huge": ("bid,1e300,1", "price '1e300' is too large"),
    "infinite": ("bid,100000,inf", "amount 'inf' is no finite number"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_bad_rows_are_told_by_line_and_the_rest_is_read(name, tmp_path):
    """One mistake among good rows: its line, what it is; nothing else is lost."""
    cells, message = MISTAKES[name]
    stamp = f"binance,BTCUSDT,{T0},{T0}"
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_text(f"{L2}\n{stamp},true,bid,99999.9,1\n{stamp},true,{cells}\n"
                    f"{stamp},true,ask,100000.1,1\n")  # fmt: skip
    rows, findings = read(path, "tardis-incremental_book_L2")

    assert rows.kind.tolist() == [CLEAR, LEVEL, LEVEL]
    assert [(p.line, p.message) for p in findings.problems] == [(3, message)]


def test_time_that_goes_back_and_missing_trades_are_told(tmp_path):
    """The row is left out; a gap in the numbers of trades is told at the row after it."""
    path = tmp_path / "BTCUSDT-trades-x.csv"
    path.write_text("1,1.0,1,1,1760097600300,true\n2,1.0,1,1,1760097600200,true\n"
                    "9,1.0,1,1,1760097600400,true\n")  # fmt: skip
    rows, findings = read(path, "binance-trades")

    assert rows.line.tolist() == [1, 3]
    assert (findings.bad_rows, findings.gaps) == (1, 1)
    told = {p.line: p.message for p in findings.problems}
    assert told[2] == "the time goes back by 0.100000 s"
    assert told[3] == "6 trades are missing before this row"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "is empty"),
        ("a,b,c\n1,2,3\n", 1, "lacks exchange"),
        (f"{L2},extra\n", 1, "unknown columns extra"),
        (L2.replace("side,price", "price,side") + "\n", 1, "another order"),
        (f"{L2}\n", 2, "holds no rows"),
    ],
)
def test_foreign_files_are_refused_at_their_line(text, line, message, tmp_path):
    """Wrong header, a header alone, nothing at all."""
    path = tmp_path / "x_incremental_book_L2_y.csv"
    path.write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(path, "tardis-incremental_book_L2")
    assert caught.value.problems[0].line == line
    assert message in caught.value.problems[0].message


def levels(run: RunData, side: int) -> dict[float, float]:
    """Displayed quantities by price at the end of a run."""
    book = run.book_of(0).after(2**60)
    return {
        float(run.facts.prices(ticks, 0)): float(run.facts.quantities(lots, 0))
        for ticks, lots in book.levels(side)
    }


def random_tape(path: Path, rows: int, seed: int) -> dict[str, dict[float, float]]:
    """A consistent book file, and the book that it ends with."""
    dice = np.random.default_rng(seed)
    book: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
    lines, stamp = [L2], T0
    for number in range(rows):
        stamp += int(dice.integers(0, 20_000))
        side = "bid" if dice.random() < 0.5 else "ask"
        away = int(dice.integers(1, 40))
        ticks = 1_000_000 + (-away if side == "bid" else away)
        lots = 0 if dice.random() < 0.3 else int(dice.integers(1, 4_000))
        price, amount = ticks / 10, lots / 1_000
        if lots:
            book[side][price] = amount
        else:
            book[side].pop(price, None)
        first = "true" if number < 10 else "false"
        lines.append(f"binance,BTCUSDT,{stamp},{stamp},{first},{side},{price},{amount}")
    path.write_text("\n".join(lines) + "\n")
    return book


@pytest.mark.parametrize("seed", range(3))
def test_a_book_file_is_played_to_the_book_that_it_tells(seed, tmp_path):
    """Nobody else trades: the engine's book is the file's, level by level."""
    wanted = random_tape(tmp_path / "x_incremental_book_L2_y.csv", 600, seed)
    run = play(tmp_path, "x_incremental_book_L2_y.csv", "20s")

    assert levels(run, BUY) == wanted["bid"]
    assert levels(run, SELL) == wanted["ask"]
    assert run.table("order_rejected").num_rows == 0


def test_an_added_strategy_meets_the_tape(tmp_path):
    """What if my bot had been there: its market order eats recorded levels, which come back."""
    random_tape(tmp_path / "x_incremental_book_L2_y.csv", 600, 7)
    (tmp_path / "bot.py").write_text(
        "from exchange_sim import Strategy\n\n\n"
        "class Hungry(Strategy):\n"
        "    def on_start(self):\n"
        "        self.set_timer('eat', 2.0)\n\n"
        "    def on_timer(self, name):\n"
        "        self.buy('demo:BTCUSDT', 0.5)\n"
    )
    more = (
        '\n[[participants]]\nname = "hungry"\nclass = "bot.py:Hungry"\nvenue = "demo"\n'
        "capital = { USDT = 10000000 }\n"
    )
    run = play(tmp_path, "x_incremental_book_L2_y.csv", "10s", more)
    trades = run.view("traded").to_pylist()

    assert trades
    assert {trade["taker_account"] for trade in trades} == {"hungry"}
    assert {trade["maker_account"] for trade in trades} == {"tape/resting"}


def test_trades_alone_hit_the_participants(tmp_path):
    """A trades file against the emulator's own maker, at the file's instants."""
    name = "BTCUSDT-trades-2025-10-10.csv"
    (tmp_path / name).write_text(
        "".join(f"{k},100000.0,0.01,1000,{1760097602000 + 500 * k},{k % 2 == 0}\n".lower()
                for k in range(1, 11))
    )  # fmt: skip
    more = (
        'trades = "market"\n\n[[participants]]\nname = "mm"\n'
        'class = "strategies.ladder:LadderMaker"\nvenue = "demo"\n'
        "capital = { USDT = 10000000, BTC = 100 }\n\n[participants.params]\n"
        'pairs = [{ symbol = "demo:BTCUSDT", share = 0.5, half_spread_bp = 2 }]\n'
    )
    run = play(tmp_path, name, "10s", more)
    trades = run.view("traded").to_pylist()

    assert [t["aggressor"] for t in trades] == ["BUY", "SELL"] * 5
    assert {t["maker_account"] for t in trades} == {"mm"}
    assert [t["time_ns"] // 10**6 for t in trades] == [
        1760097602000 + 500 * k for k in range(1, 11)
    ]


def test_exports_come_back(tmp_path):
    """A run exported as Tardis and as LOBSTER is played back to the same final book."""
    finished = run_scenario("first_trade", out=tmp_path / "runs")
    assert finished.directory is not None
    before = open_run(finished.directory)
    files = [
        p
        for p, _ in tardis.write(
            before, tmp_path / "t", [0], ["incremental_book_L2"], tardis.Feed()
        )
    ]
    files += [p for p, _ in lobster.write(before, tmp_path / "l", [0], 5)][:1]
    for file in files:
        more = ""
        if "message" in file.name:
            more = "price_scale = 10000\nqty_scale = 1000\n"
        folder = tmp_path / file.name[:12]
        folder.mkdir()
        again = play(folder, str(file), "10s", more)
        assert levels(again, BUY) == levels(before, BUY)
        assert levels(again, SELL) == levels(before, SELL)


def test_bad_rows_stop_the_run_unless_they_may_be_skipped(tmp_path):
    """The lines are told before anything runs; ``bad_rows = "skip"`` plays the rest."""
    path = tmp_path / "x_incremental_book_L2_y.csv"
    random_tape(path, 50, 1)
    path.write_text(
        path.read_text() + f"binance,BTCUSDT,{T0 + 10**7},{T0 + 10**7},false,bid,nan,1\n"
    )

    with pytest.raises(ScenarioError) as caught:
        play(tmp_path, path.name)
    told = [str(problem) for problem in caught.value.problems]
    assert any(f"{path}:52:1: error: price 'nan' is no finite number" in text for text in told)
    assert not (tmp_path / "runs").exists()

    play(tmp_path, path.name, more='bad_rows = "skip"\n')


def test_a_recorded_run_verifies_without_its_file(tmp_path):
    """The commands are in the journal; the manifest has the file's digest."""
    path = tmp_path / "x_incremental_book_L2_y.csv"
    random_tape(path, 200, 2)
    run = play(tmp_path, path.name)
    path.unlink()

    assert main(["verify", str(run.path)]) == 0
    assert path.name in run.manifest.inputs or path.name in str(run.manifest)


def test_import_writes_a_scenario_that_runs(tmp_path, monkeypatch, capsys):
    """From a downloaded file to a run in two commands; tick and lot as they are written."""
    monkeypatch.chdir(tmp_path)
    random_tape(tmp_path / "binance_incremental_book_L2_2025-10-10_BTCUSDT.csv", 300, 3)

    assert (
        main(["import", "binance_incremental_book_L2_2025-10-10_BTCUSDT.csv", "--out", "t.toml"])
        == 0
    )
    assert "bad rows  0" in capsys.readouterr().out
    text = (tmp_path / "t.toml").read_text()
    assert "tick_size = 0.1\nlot_size = 0.001" in text
    assert main(["run", "t.toml", "--out", "runs", "--quiet", "--no-report"]) == 0


def import_trades(symbol: str, trades: list[str]) -> None:
    """Write a trades file of ``price,qty,quote_qty``, one each 100 ms, and import it here."""
    name = f"{symbol}-trades-2025-10-10.csv"
    rows = [
        f"{k},{trade},{1760097605000 + 100 * k},{str(k % 2 == 0).lower()}\n"
        for k, trade in enumerate(trades, start=1)
    ]
    Path(name).write_text("".join(rows))
    assert main(["import", name, "--out", "t.toml"]) == 0


def test_trades_are_imported_with_somebody_to_trade_with(tmp_path, monkeypatch):
    """A trades file gets a maker, and every trade of the file happens."""
    monkeypatch.chdir(tmp_path)
    import_trades("ETHUSDT", [f"4000.{k % 7}1,0.01,40" for k in range(1, 41)])
    assert main(["run", "t.toml", "--out", "runs", "--quiet", "--no-report"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    takers = open_run(folder).view("traded").column("taker_account").to_pylist()
    assert takers.count("tape/taking") >= 40


def test_a_file_of_large_trades_is_imported_with_capital_that_fits(tmp_path, monkeypatch):
    """A day of a major: what the maker needs is cut to what 64 bits hold, not refused."""
    monkeypatch.chdir(tmp_path)
    import_trades("BTCUSDT", ["116000.1,90000.5,1"] * 40)
    assert main(["run", "t.toml", "--no-log", "--until", "2s", "--quiet"]) == 0


def test_files_that_tell_nothing_are_refused(tmp_path):
    """No format in the name, and none given."""
    (tmp_path / "data.csv").write_text("1,2,3\n")
    with pytest.raises(UsageError, match="tells no format"):
        import_file(tmp_path / "data.csv")
    assert main(["import", str(tmp_path / "data.csv"), "--format", "excel"]) == 2
    assert main(["import", str(tmp_path / "missing-trades-.csv")]) == 2
