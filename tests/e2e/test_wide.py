"""Many books, one factor: the makers' bids go everywhere, in an order that one query tells.

The market is ``wide_1000`` with fewer coins and an early shock; the whole hour is a soak test.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from exchange_sim.analysis.run_dir import RunData, open_run
from tests.e2e.harness import ROOT, TIMEOUT_S, environment_with, here

GUIDE = ROOT / "docs" / "guides" / "wide.md"
PAIRS = 60
SHORT = """
extends = "wide_1000"

[scenario]
duration = "100s"

[assets.C]
count = {pairs}

[[shocks]]
name = "news"
at = 2025-10-10T20:01:00Z
"""
NANOS = 1_000_000_000
HOUR_S, MEMORY_KIB = 600.0, 4 * 2**20


def ran(folder: Path, *options: str, pairs: int = PAIRS) -> RunData:
    """A short run of the market."""
    (folder / "short.toml").write_text(SHORT.format(pairs=pairs), encoding="utf-8")
    out = folder / "runs"
    done = here("run", folder / "short.toml", "--out", out, "--no-report", "--quiet", *options)
    assert done.code == 0, done.err
    (directory,) = out.iterdir()
    return open_run(directory)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader of the guide stands."""
    return tmp_path_factory.mktemp("wide")


@pytest.fixture(scope="module")
def names(folder: Path) -> dict[str, Any]:
    """What the guide's Python leaves behind, on the short run."""
    run = ran(folder)
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(blocks, 1):
            exec(compile(block, f"wide.md block {number}", "exec"), space)
    assert space["run"].path.name == run.path.name
    return space


def test_one_query_tells_who_withdrew_in_which_order(names: dict[str, Any]) -> None:
    """Twenty makers, each from every pair, one after the other; it agrees with their own notes."""
    rows = names["order"].fetchall()
    assert len(rows) == 20
    assert all(pairs >= PAIRS and bids > PAIRS for *_, pairs, bids in rows)
    assert all(one[2] <= other[2] for one, other in pairwise(rows))
    assert len({row[2] for row in rows}) == 20

    said = names["run"].sql("""
        SELECT account, min(time) FROM noted WHERE kind = 'QUOTES_WITHDRAWN' GROUP BY account
    """)
    noted = dict(said.fetchall())
    first = [account for account, *_ in rows if account.startswith("mm-factor")]
    assert sorted(first, key=lambda account: noted[account]) == first


def test_bids_vanish_from_nine_pairs_of_ten_within_seconds(names: dict[str, Any]) -> None:
    """From the first withdrawal to nine tenths of the pairs: less than a quarter of a minute."""
    lost = dict(names["lost"].fetchall())
    told = names["run"].sql("""
        SELECT min(time_ns) FILTER (kind = 'SHOCK'),
               min(time_ns) FILTER (kind IN ('QUOTES_REDUCED', 'QUOTES_WITHDRAWN'))
        FROM noted
    """)
    ((shock, first),) = told.fetchall()
    gone = min(second for second, pairs in lost.items() if pairs >= 0.9 * PAIRS)
    assert gone - (first - shock) / NANOS <= 15


def test_commands_of_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They run; here on five coins for a second."""
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^\$ exchange-sim (run .*)$", GUIDE.read_text(), flags=re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        short = ["--set", "assets.C.count=5", "--until", "1s", "--no-log", "--quiet"]
        assert here(*line.split(), *short).code == 0


def test_only_the_lead_was_sold(names: dict[str, Any]) -> None:
    """The stress is on one market: the seller has no order in any coin."""
    sold = names["run"].sql(
        "SELECT DISTINCT instrument FROM order_accepted WHERE account = 'seller'"
    )
    assert sold.fetchall() == [("main:LEADUSDT",)]


@pytest.mark.parametrize("mechanism", ["mm_withdrawal", "macro_shock"])
def test_without_the_cause_the_bids_stay(tmp_path: Path, mechanism: str) -> None:
    """Makers without policies stay through the fall; without the fall nobody leaves."""
    run = ran(tmp_path, "--without", mechanism, pairs=20)
    notes = run.view("noted").column("kind").to_pylist()
    assert not [kind for kind in notes if kind.startswith("QUOTES")]
    pulled = run.sql("""
        SELECT count(*)
        FROM order_canceled AS c JOIN order_accepted AS o USING (order_id)
        WHERE o.side = 'BUY' AND c.account LIKE 'mm-%' AND c.instrument LIKE '%:C%'
    """)
    ((bids,),) = pulled.fetchall()
    assert bids <= 0.01 * 20 * 20 * 2, "of twenty makers with two bids in twenty books"


@pytest.mark.soak
def test_an_hour_of_a_thousand_books_within_bounds(tmp_path: Path) -> None:
    """Ten minutes of one core and four gibibytes, log on; bids of 900 pairs go within seconds."""
    words = ["run", "wide_1000", "--out", str(tmp_path), "--no-report", "--quiet"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "exchange_sim", *words],
        cwd=ROOT,
        env=environment_with(),
        check=True,
        timeout=20 * TIMEOUT_S,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert spent <= HOUR_S
    assert after.ru_maxrss <= MEMORY_KIB

    (directory,) = tmp_path.iterdir()
    blocks = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), flags=re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    text = "\n".join(blocks).replace('glob("runs/wide_1000-*")[0]', repr(str(directory)))
    exec(compile(text, "wide.md", "exec"), space)
    rows, lost = space["order"].fetchall(), dict(space["lost"].fetchall())
    assert len(rows) == 20
    assert min(pairs for *_, pairs, _ in rows) >= 1_000
    assert max(lost.values()) > 900
    start = min(second for second, pairs in lost.items() if pairs >= 10)
    assert min(second for second, pairs in lost.items() if pairs > 900) - start <= 15
