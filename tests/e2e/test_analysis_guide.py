"""Everything that ``docs/guides/analysis.md`` shows is run, on the small crash, and is true."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.model.enums import BUY
from tests.e2e.harness import ROOT, here

GUIDE = ROOT / "docs" / "guides" / "analysis.md"
RENAMED = {"mm-ladder-1": "mm-1"}
"""The maker of the guide's scenario, and the one of ours."""


def text() -> str:
    """The guide with our maker."""
    found = GUIDE.read_text(encoding="utf-8")
    for one, other in RENAMED.items():
        found = found.replace(one, other)
    return found


@pytest.fixture(scope="module")
def folder(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would stand after running the scenario of the guide."""
    found: Path = tmp_path_factory.mktemp("guide")
    (found / "runs").mkdir()
    (found / "runs" / "oct10_article-1-x").symlink_to(small_run)
    return found


@pytest.fixture(scope="module")
def names(folder: Path) -> dict[str, Any]:
    """What the guide's Python leaves behind; every block ran."""
    blocks = re.findall(r"^```python\n(.*?)^```", text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 8
    space: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"analysis.md block {number}", "exec"), space)
    return space


@pytest.fixture(scope="module")
def run(folder: Path) -> RunData:
    """The same run, for answers by other means."""
    return open_run(folder / "runs" / "oct10_article-1-x")


def test_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Console lines, except the run itself, which is there already."""
    monkeypatch.chdir(folder)
    lines = [line[2:] for line in text().splitlines() if line.startswith("$ exchange-sim explain")]
    assert len(lines) == 3
    for line in lines:
        words = [str(folder / "runs" / "oct10_article-1-x") if "*" in w else w
                 for w in shlex.split(line)[1:]]  # fmt: skip
        done = here(*words)
        assert done.code == 0, (line, done.err)
        assert len(done.out.splitlines()) > 1


def test_who_withdrew_first(names: dict[str, Any], run: RunData) -> None:
    rows = [row for row in run.table("noted").to_pylist() if row["kind"] == 1]
    answer = names["first"].fetchall()

    assert len(answer) == min(1, len(rows))
    if rows:
        assert answer[0][1] == run.accounts[rows[0]["account"]]["owner"]


def test_bid_depth_at_each_tenth(names: dict[str, Any], run: RunData) -> None:
    """Again, second by second, in Python."""
    wanted: dict[int, float] = {}
    start = 0.0
    for row in run.view("book_1s").to_pylist():
        if row["instrument"] != names["symbol"] or row["mid"] is None:
            continue
        start = start or row["mid"]
        tenth = int(10 * (1 - row["mid"] / start) // 1)
        if tenth >= 0:
            wanted.setdefault(10 * tenth, row["bid_depth_100bp"])
    answer = {int(row[0]): row[2] for row in names["depth"].fetchall()}

    assert answer == pytest.approx(wanted)
    assert len(answer) >= 2


def test_forced_share(names: dict[str, Any], run: RunData) -> None:
    rows = [row for row in run.view("traded").to_pylist() if row["aggressor"] == "SELL"]
    forced = sum(row["quote_amount"] for row in rows if row["taker_flags"] & 36)
    ((share,),) = names["share"].fetchall()

    assert share == pytest.approx(forced / sum(row["quote_amount"] for row in rows))
    assert 0 < share < 1


def test_makers_below_the_threshold(names: dict[str, Any], run: RunData) -> None:
    wanted = [
        run.accounts[row["account"]]["owner"]
        for row in run.table("margin_band_changed").to_pylist()
        if row["uni_mmr_ppm"] <= 1_050_000
        and run.accounts[row["account"]]["population"].startswith("mm")
    ]

    assert [row[1] for row in names["crossed"].fetchall()] == wanted


def test_one_level_deeper(names: dict[str, Any], run: RunData) -> None:
    """The next lot's price is the best bid of the book after that command."""
    instrument = run.instrument_id(names["symbol"])
    tick = float(run.instruments[instrument]["tick_size"])
    trades = run.table("traded").to_pylist()
    answer = names["deeper"].fetchall()
    assert answer
    for time, price, bid, pct in answer:
        lowest = [
            row for row in trades
            if row["instrument"] == instrument and row["taker_flags"] & 4 and row["aggressor"] == 1
            and row["time_ns"] // 1000 == round(time.timestamp() * 1e6)
        ]  # fmt: skip
        found = min(lowest, key=lambda row: row["price"])
        levels = run.book_of(instrument).after(found["seq"]).levels(BUY, 1)
        assert price == pytest.approx(found["price"] * tick)
        assert bid == pytest.approx(levels[0][0] * tick)
        assert pct == pytest.approx(100 * (bid / price - 1))


def test_the_rest_of_the_page(names: dict[str, Any], run: RunData) -> None:
    assert names["nodes"].num_rows == run.manifest.counts["liquidation_started"]
    assert names["costs"].num_rows > 100
    assert names["path"].num_rows > 100
    assert names["path"].column_names[3:] == ["equity", "maintenance", "uni_mmr", "net_worth"]
    assert names["widest"].touch()[2] > names["widest"].touch()[0]
