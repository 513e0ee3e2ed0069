"""The bot of thirty lines: liquidated when it is plain, alive when it watches its margin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange_sim import load, open_run, run
from tests.e2e.harness import ROOT

BOT = ROOT / "examples" / "margin_aware.py"
MARKETS = ("BTC", "SOL", "XRP", "LINK")
CAPITAL = 30_000


def both_in(name: str, bases: tuple[str, ...], folder: Path, **options: Any) -> dict[str, Any]:
    """Tear sheets of a plain and a margin-aware bot in each of these markets, all in one run."""
    text = f'extends = "{name}"\n[scenario]\nname = "{name}_bots"\n'
    for base in bases:
        for kind in ("Plain", "Aware"):
            text += (
                f'[[participants]]\nname = "{kind.lower()}-{base.lower()}"\n'
                f'class = "{BOT}:{kind}"\nvenue = "leading"\ncapital = {{ USDT = {CAPITAL} }}\n'
                f'params = {{ symbol = "leading:{base}USDT-PERP" }}\n'
            )
    path = folder / f"both_{name}.toml"
    path.write_text(text)
    scenario = load(path, seed=options.pop("seed", None))
    finished = run(scenario, out=folder, **options)
    assert finished.directory is not None
    data = open_run(finished.directory)
    return {
        f"{kind}-{base.lower()}": data.tear_sheet(f"{kind}-{base.lower()}")
        for base in bases
        for kind in ("plain", "aware")
    }


def check(sheets: dict[str, Any]) -> None:
    """Every plain one is liquidated; no other one is, nor was any ever near."""
    for name, sheet in sheets.items():
        margin = sheet.margin
        if name.startswith("plain"):
            assert (name, margin.survived, margin.liquidations > 0) == (name, False, True)
            assert margin.leverage_max > 3.0, name
        else:
            assert (name, margin.survived, margin.liquidations) == (name, True, 0)
            assert margin.leverage_max < 2.0, name
            assert sheet.equity > 0.2 * CAPITAL, name
        assert abs(sheet.unexplained) < 1e-9, name


def test_thirty_lines() -> None:
    """As the guide says, blank ones left out."""
    source = BOT.read_text(encoding="utf-8")
    plain = source[source.index("class Plain") : source.index("# %% the other one")]
    assert sum(1 for line in plain.splitlines() if line.strip()) <= 30


@pytest.mark.parametrize("seed", [11, 13])
def test_in_the_small_crash(seed: int, tmp_path: Path) -> None:
    """Both in one run."""
    check(both_in("small_crash", ("ALT",), tmp_path, seed=seed))


@pytest.mark.soak
@pytest.mark.parametrize(("name", "until"), [("oct10_article", "55m"), ("oct10_record", "65m")])
def test_in_the_crashes_of_october(name: str, until: str, tmp_path: Path) -> None:
    """Through the main leg and its trough, in two majors' and two alts' perpetuals."""
    check(both_in(name, MARKETS, tmp_path, until=until))
