"""Broken scenario files through the command line: located, exit code 2, no traceback, no run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.harness import SMALL, here, process

TEXT = SMALL.read_text()

CASES: dict[str, tuple[tuple[str, str], str, str]] = {
    # what is replaced by what, the address that must be named, a part of the message
    "not TOML": (("seed = 11", "seed = = 11"), "seed", "not valid TOML"),
    "unfinished table": (("[assets.PEG]\n", "[assets.PEG\n"), "[assets.PEG", "not valid TOML"),
    "key twice": (("seed = 11", "seed = 11\nseed = 12"), "seed = 12", "not valid TOML"),
    "unknown key": (("seed = 11", "seed = 11\nsed = 1"), "sed", "unknown key"),
    "no seed": (("seed = 11\n", ""), "[scenario]", "seed"),
    "wrong type": (("seed = 11", 'seed = "eleven"'), "seed", "seed"),
    "bad time": (("start = 2025-10-10T20:50:00Z", 'start = "noon"'), "start", "start"),
    "bad duration": (('duration = "3m"', 'duration = "3 fortnights"'), "duration", "duration"),
    "negative money": (("insurance = 2000", "insurance = -2000"), "insurance", "insurance"),
    "too many decimals": (
        ("takeover_limit = 60000", "takeover_limit = 0.1234567"),
        "takeover_limit",
        "decimals",
    ),
    "unknown asset": (('base = "PEG"', 'base = "PEGG"'), "PEGG", "did you mean 'PEG'"),
    "unknown venue": (('venue = "second"\nkind = "SPOT"', 'venue = "secnd"\nkind = "SPOT"'),
                      "secnd", "did you mean 'second'"),
    "unknown index source": (
        ('{ instrument = "leading:ALTUSDT", weight = 1 }', '{ instrument = "leading:ALT" }'),
        '"leading:ALT"',
        "leading:ALT",
    ),
    "price off the grid": (("price = 1.0000", "price = 1.00005"), "1.00005", "tick_size"),
    "brackets out of order": (("floor = 100000,", "floor = 2000000,"), "floor", "bracket"),
    "unknown brackets": (('brackets = "alt"', 'brackets = "atl"'), "atl", "did you mean 'alt'"),
    "mechanism of another age": (
        ("[assets.USDT]", "[mechanisms]\nshort_ban = true\n\n[assets.USDT]"),
        "short_ban",
        "unknown key",
    ),
    "unknown class": (
        ("strategies.ladder:LadderMaker", "strategies.ladder:LaderMaker"),
        "LaderMaker",
        "did you mean 'LadderMaker'",
    ),
    "unknown module": (
        ("strategies.cross_venue_arbitrage:", "strategies.cross_venue:"),
        "strategies.cross_venue:",
        "strategies.cross_venue",
    ),
    "unknown parameter": (("recycle_s = 15.0", "recycle = 15.0"), "recycle", "recycle_s"),
    "parameter of a wrong type": (
        ("recycle_s = 15.0", 'recycle_s = "often"'),
        "recycle_s",
        "recycle_s",
    ),
    "tag that nobody has": (
        ('select = ["alt", "second"]', 'select = ["alt", "secnd"]'),
        "select",
        "did you mean 'second'",
    ),
    "unknown shock in a time": (
        ('start_ns = "news"', 'start_ns = "nwes"'),
        "start_ns",
        "shocks: news",
    ),
    "unknown parameter of a population": (
        ("leverage_median = 8", "leverage_medan = 8"),
        "leverage_medan",
        "leverage_median",
    ),
    "population that cannot be drawn": (
        ("accounts = 300", "accounts = 3"),
        "populations.params",
        "cannot hold",
    ),
    "loan that the venue refuses": (
        ("loans = { USDT = 480000 }", "loans = { USDT = 9000000 }"),
        "loans",
        "refuses this loan",
    ),
    "outage outside the run": (('start = "60s"\nend = "90s"', 'start = "60m"\nend = "90m"'),
                               "start", "outside the run"),
    "circle of extends": (("[scenario]", 'extends = "broken.toml"\n\n[scenario]'), "extends",
                          "circle"),
}  # fmt: skip


def line_of(text: str, part: str) -> int:
    """Number of the first line that holds a text."""
    return next(k for k, line in enumerate(text.splitlines(), start=1) if part in line)


@pytest.mark.parametrize("name", CASES)
def test_mistake_is_located(name: str, tmp_path: Path) -> None:
    """``file:line:column: error: ...`` for each; the line is where the mistake is."""
    (old, new), where, told = CASES[name]
    assert TEXT.count(old) >= 1
    broken = TEXT.replace(old, new)
    file = tmp_path / "broken.toml"
    file.write_text(broken)

    done = here("run", file, "--out", tmp_path / "runs")

    assert done.code == 2, done
    located = re.findall(rf"^{re.escape(str(file))}:(\d+):\d+: error: (.*(?:\n    hint: .*)?)",
                         done.err, re.MULTILINE)  # fmt: skip
    assert located, done.err
    assert told in done.err
    address = where if where in broken else where.rpartition(".")[2]
    lines = [k for k, line in enumerate(broken.splitlines(), start=1) if address in line]
    assert any(int(line) in lines for line, _ in located), (located, lines)
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not list((tmp_path / "runs").glob("*"))


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Three mistakes in three tables, one run of the program, in its own process."""
    broken = TEXT.replace('base = "PEG"', 'base = "PEGG"').replace("seed = 11", "seed = -1")
    broken = broken.replace('brackets = "alt"', 'brackets = "atl"')
    (tmp_path / "broken.toml").write_text(broken)

    done = process("run", "broken.toml", cwd=tmp_path)

    assert done.code == 2
    assert done.err.count(": error: ") == 3
    assert "3 problems" in done.err
    assert f"broken.toml:{line_of(broken, 'seed = -1')}:" in done.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"x = [" + b"[" * 5_000, "nested too deeply"),
        (b"\x00" * 100, "not valid TOML"),
    ],
)
def test_file_that_is_no_scenario(content: bytes, told: str, tmp_path: Path) -> None:
    """Whatever is in the file, it is told in one located line."""
    file = tmp_path / "odd.toml"
    file.write_bytes(content)

    done = here("run", file)

    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("first_trad", "did you mean 'first_trade'?"),
        ("nowhere/x.toml", "no such file"),
        (".", "no scenario is called '.'"),
        ("tests/", "is a directory"),
    ],
)
def test_scenario_that_is_not_there(name: str, told: str) -> None:
    """The nearest name, or what is wrong with the path."""
    done = here("run", name)

    assert done.code == 2
    assert told in done.err
