"""The guides for strategy authors are true: their blocks run, their claims hold."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.first_bot import BLOCK, PAGE
from exchange_sim import load, open_run
from exchange_sim.cli import main
from exchange_sim.scenario.files import make_strategies_importable

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "guides" / "strategies.md"


def blocks(page: Path, language: str) -> list[str]:
    """Fenced blocks of a language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_scenario_of_the_guide_runs(tmp_path: Path) -> None:
    """Connections, outages and halts as they are written there."""
    (text,) = [block for block in blocks(GUIDE, "toml") if "extends = " in block]
    path = tmp_path / "guide.toml"
    path.write_text(text, encoding="utf-8")

    assert load(path).halts[0].auction_ns == 10_000_000_000
    assert main(["run", str(path), "--until", "70s", "--no-log", "--quiet"]) == 0


def test_python_of_the_guide_runs() -> None:
    """The bench and its assertion."""
    make_strategies_importable()
    (text,) = [block for block in blocks(GUIDE, "python") if "Bench" in block]
    exec(compile(text, str(GUIDE), "exec"), {})


@pytest.mark.parametrize("seed", [11, 12])
def test_margin_policy_survives_where_the_plain_bot_is_liquidated(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's two bots with the page's options, on two seeds."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    page = PAGE.read_text(encoding="utf-8")
    assert main(["new", "strategy", "my_bot"]) == 0
    (careful,) = [body for language, body in BLOCK.findall(page) if language == "python"]
    (tmp_path / "careful.py").write_text(careful, encoding="utf-8")
    (line,) = [text for text in page.splitlines() if text.endswith("--out crash")]
    options = line.partition("--venue")[2].removesuffix(" --out crash").split()

    fates = {}
    for bot in ("my_bot.py:MyBot", "careful.py:Careful"):
        words = ["--strategy", bot, "--venue", *options, "--seed", str(seed), "--out", bot[:4]]
        assert main(["run", "small_crash", *words, "--quiet"]) == 0
        (run,) = (tmp_path / bot[:4]).iterdir()
        fates[bot] = open_run(run).tear_sheet(f"added-{bot.rpartition(':')[2].lower()}")

    plain, careful_one = fates.values()
    assert plain.margin.liquidations >= 1
    assert not plain.margin.survived
    assert careful_one.margin.survived
    assert careful_one.equity > 0
    assert {cause for _, _, cause, _ in careful_one.notes} == {"margin"}
    assert plain.unexplained == careful_one.unexplained == 0
