"""Strategies that fail, through ``--strategy``: exit code 6, located in their file, files whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange_sim import open_run
from exchange_sim.journal.reader import valid_prefix
from tests.e2e.harness import BOTS, SMALL, Done, events, here, left_over, manifest, run_into

SOURCE = BOTS.read_text().splitlines()


def added(bot: str) -> tuple[object, ...]:
    """Options that add one of the bots."""
    return "--strategy", f"{BOTS}:{bot}", "--venue", "leading", "--capital", "USDT=100000"


def run_with(bot: str, *options: object) -> Done:
    """Ten seconds of the small crash with one of them."""
    return here("run", SMALL, "--until", "10s", *added(bot), *options)


def line_in(bot: str, text: str) -> int:
    """Number of the line of a bot's class that holds a text."""
    start = next(k for k, line in enumerate(SOURCE) if line.startswith(f"class {bot}("))
    return next(k for k in range(start, len(SOURCE)) if text in SOURCE[k]) + 1


@pytest.mark.parametrize(
    ("bot", "statement", "callback", "told"),
    [
        ("Raises", "print_nothing = [1]", "on_timer", "IndexError"),
        ("SendsJunk", "self.buy(SYMBOL, junk, 9)", "on_start", "expected a number"),
        ("UnknownMarket", "self.buy(", "on_start", "did you mean 'leading:ALTUSDT'?"),
        ("NoParams", "raise RuntimeError", "__init__", "not today"),
        ("Exits", "raise SystemExit", "on_start", "SystemExit"),
    ],
)
def test_fault_is_located(bot: str, statement: str, callback: str, told: str) -> None:
    """File, line, strategy, callback and cause, in one line."""
    done = run_with(bot, "--no-log")

    assert done.code == 6
    place = f"{BOTS}:{line_in(bot, statement)}: "
    assert done.err.startswith(f"error: {place}strategy 'added-{bot.lower()}' failed in {callback}")
    assert told in done.err
    assert done.err.count("\n") == 1


def test_endless_callback_is_a_fault() -> None:
    """A strategy that never returns does not stop the program from ending."""
    done = run_with("Floods", "--no-log", "--hang-limit", "0.3")

    assert done.code == 6
    assert f"error: {BOTS}:" in done.err
    assert "StrategyHung" in done.err


@pytest.mark.parametrize("limit", [0, 50])
def test_market_goes_on_in_a_flood(limit: int, tmp_path: Path) -> None:
    """Two thousand orders a second; the venue takes what it is set to take."""
    options = ("--until", "5s", "--set", f"venues.leading.orders_per_s={limit}")
    run = run_into(tmp_path, *options, *added("FloodsPolitely"))

    (bot,) = [row["account"] for row in open_run(run).accounts if row["owner"].startswith("added")]
    taken = events(run, "order_accepted").column("account").to_pylist().count(bot)
    assert taken > 5_000 if not limit else 200 < taken <= 6 * limit
    assert manifest(run)["complete"] is True
    assert here("verify", run).code == 0


def test_failed_run_can_be_looked_at(tmp_path: Path) -> None:
    """Journal and narrative hold everything up to the fault, and the fault itself."""
    done = run_with("Raises", "--out", tmp_path)
    (run,) = tmp_path.iterdir()

    assert done.code == 6
    assert left_over(tmp_path) == []
    assert valid_prefix(run / "journal.bin").seq > 0
    assert here("replay", run, "--at", "4s", "--instrument", "PEGUSDT").code == 0
    verified = here("verify", run)
    assert verified.code == 4
    assert "the run was not finished" in verified.out
    told = [json.loads(line) for line in (run / "narrative.jsonl").read_text().splitlines()]
    (fault,) = [line for line in told if "fault" in line]
    assert fault["where"] == f"bots.py:{line_in('Raises', 'print_nothing = [1]')}"
    assert fault["level"] == "error"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (added("not_a_class"), "not a subclass of Strategy"),
        (added("NotAStrategy"), "not a subclass of Strategy"),
        (added("Silen"), "did you mean 'Silent'?"),
        ((*added("Silent"), "--param", "size=1"), "unknown parameter 'size'"),
        (("--strategy", "nobody.home:Bot", "--venue", "leading"), "nobody"),
        (("--strategy", f"{BOTS.parent / 'bot.py'}:Silent", "--venue", "leading"), "bots.py"),
    ],
)
def test_strategy_that_cannot_be_used(options: tuple[object, ...], told: str) -> None:
    """What is wrong with the reference, at the option: exit code 2 before anything runs."""
    done = here("run", SMALL, "--no-log", *options)

    assert done.code == 2
    assert told in done.err
    assert done.err.startswith("--")
    assert "Traceback" not in done.err


def test_strategy_with_a_syntax_error(tmp_path: Path) -> None:
    """The line of the mistake, not a defect of ours."""
    (tmp_path / "typo.py").write_text("class Bot:\n    def on_start(self:\n        pass\n")

    done = here("run", SMALL, "--strategy", f"{tmp_path / 'typo.py'}:Bot", "--venue", "leading")

    assert done.code == 2
    assert "typo.py:2" in done.err
