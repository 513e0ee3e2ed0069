"""The report: one file, every chart drawn by a real browser, numbers that are the run's."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exchange_sim import open_run
from exchange_sim.analysis.report.figures import extremes, flags, packed, per_minute
from exchange_sim.analysis.report.page import write_report
from exchange_sim.analysis.report.versus import labels, write_comparison
from exchange_sim.analysis.report.words import count, dollars
from exchange_sim.analysis.run_dir import RunCorrupt
from exchange_sim.cli import main
from exchange_sim.errors import UsageError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of the learners' crash, written by the command line."""
    out = tmp_path_factory.mktemp("runs")
    assert main(["run", "gym_crash", "--until", "150s", "--out", str(out), "--quiet"]) == 0
    (folder,) = out.iterdir()
    return folder


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without withdrawal, and without a report."""
    out = tmp_path_factory.mktemp("runs")
    asked = ["run", "gym_crash", "--until", "150s", "--without", "mm_withdrawal", "--no-report"]
    assert main([*asked, "--out", str(out), "--quiet"]) == 0
    (folder,) = out.iterdir()
    return folder


def charts(page: Path) -> list[dict[str, Any]]:
    """The data of a page's charts."""
    text = page.read_text(encoding="utf-8")
    found = re.search(
        r'<script type="application/json" id="page-data">(.*?)</script>', text, re.DOTALL
    )
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return list(data["charts"])


def browse(page: Path, folder: Path, size: str) -> tuple[str, str]:
    """The page's document after its scripts ran, and what the browser's console said."""
    assert BROWSER is not None
    switches = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        "--enable-logging=stderr", "--dump-dom", "--virtual-time-budget=20000",
    ]  # fmt: skip
    done = subprocess.run(
        [BROWSER, *switches, f"--window-size={size}", f"--user-data-dir={folder}", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, "\n".join(console)


@needs_browser
@pytest.mark.parametrize("size", ["1280,900", "420,800"])
def test_a_browser_draws_every_chart(crash: Path, tmp_path: Path, size: str) -> None:
    """Desktop and phone: no error on the console, an SVG in every chart, nothing left out."""
    document, console = browse(crash / "report.html", tmp_path / "profile", size)

    expected = len(charts(crash / "report.html"))
    assert console == ""
    assert f'data-drawn="{expected}"' in document
    drawn = re.findall(r'<div class="chart[^"]*" id="chart-[^"]+".*?</figure>', document, re.DOTALL)
    assert len(drawn) == expected
    assert all('class="main-svg"' in part for part in drawn)


@needs_browser
def test_a_browser_draws_the_comparison(crash: Path, without: Path, tmp_path: Path) -> None:
    """The page of two runs as well."""
    page = tmp_path / "both.html"
    assert main(["compare", str(crash), str(without), "--html", str(page)]) == 0
    document, console = browse(page, tmp_path / "profile", "1280,900")

    assert console == ""
    assert f'data-drawn="{len(charts(page))}"' in document
    assert "--without mm_withdrawal" in document


def test_the_page_needs_nothing_else(crash: Path) -> None:
    """No link to a script, a style, a font or an image elsewhere; below fifteen megabytes."""
    page = crash / "report.html"
    text = page.read_text(encoding="utf-8")
    outside = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)

    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', outside) == []
    assert page.stat().st_size < 15_000_000


def test_every_section_is_there(crash: Path) -> None:
    """What a crash of one venue can show, in the order of the page."""
    text = (crash / "report.html").read_text(encoding="utf-8")
    ids = re.findall(r'<section id="([^"]+)">', text)

    assert ids == ["prices", "vacuum", "forced", "cascade", "gains", "story", "settings"]
    assert "News came at 20:31:00 UTC" in text
    assert open_run(crash).manifest.digest in text


def test_figures_are_those_of_the_tables(crash: Path) -> None:
    """The forced dollars of the bars are the sum of the steps and of ADL."""
    found = next(
        chart for chart in charts(crash / "report.html") if chart["id"] == "forced-minutes"
    )
    shown = sum(sum(trace["y"]) for trace in found["traces"])
    run = open_run(crash)
    steps = run.view("liquidation_step").to_pylist()
    books = {"REDUCE_POSITION", "SELL_ASSET", "BUY_LIABILITY"}
    forced = sum(abs(row["value"]) for row in steps if row["action"] in books)
    adl = run.view("adl_executed").to_pylist()
    closed = sum(abs(row["qty"]) * row["price"] for row in adl)

    assert shown == pytest.approx(forced + closed, rel=1e-6)


def test_a_run_is_the_same_with_and_without_its_report(crash: Path) -> None:
    """The report is no part of the run: it verifies, and writing it again gives the same bytes."""
    before = (crash / "report.html").read_bytes()

    assert main(["verify", str(crash)]) == 0
    assert main(["report", str(crash)]) == 0
    assert (crash / "report.html").read_bytes() == before


def test_no_report_when_none_is_wanted(without: Path) -> None:
    """``--no-report``."""
    assert not (without / "report.html").exists()


def test_runs_on_a_page_are_told_apart(crash: Path, without: Path) -> None:
    """By options, by number where nothing else differs; one run is no comparison."""
    first, second = open_run(crash), open_run(without)

    assert labels([first, second, first]) == [
        "gym_crash seed 1",
        "gym_crash seed 1 --without mm_withdrawal",
        "gym_crash seed 1 (2)",
    ]
    with pytest.raises(UsageError, match="2 to 8 runs"):
        write_comparison([first], crash / "x.html")


def test_damaged_runs_are_named(crash: Path, tmp_path: Path) -> None:
    """The page is made of what can be read, and says first what is left out."""
    copy = tmp_path / "copy"
    shutil.copytree(crash, copy, ignore=shutil.ignore_patterns("report.html", "cache"))
    (copy / "events" / "liquidation_step.parquet").write_bytes(b"junk")

    with pytest.raises(RunCorrupt, match=r"liquidation_step\.parquet"):
        write_report(open_run(copy))
    assert main(["report", str(copy)]) == 4
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert 'role="alert"' in page
    assert "liquidation_step.parquet: cannot be read as Parquet" in page
    assert 'role="alert"' not in (write_report(open_run(crash), tmp_path / "whole.html")).read_text(
        encoding="utf-8"
    )


def test_words() -> None:
    """Numbers as people say them."""
    assert [dollars(v) for v in (0, 7, 999.6, 1_234, -5.6e6, 999.7e6, 2.5e9, 1.2e13)] == [
        "$0", "$7", "$1k", "$1.23k", "-$5.6m", "$1bn", "$2.5bn", "$12,000bn",
    ]  # fmt: skip
    assert (count(1, "maker"), count(1_200, "maker")) == ("1 maker", "1,200 makers")


def test_thinning_keeps_wicks() -> None:
    """The lowest and the highest trade are on the chart, however few points it has."""
    values = np.ones(100_000)
    values[12_345], values[54_321] = 0.1, 9.0
    at, kept = extremes(np.arange(100_000), values, 200)

    assert len(at) <= 402
    assert (kept.min(), kept.max()) == (0.1, 9.0)
    assert (np.diff(at) > 0).all()


def test_numbers_travel_as_they_are() -> None:
    """Base64 of little-endian floats, which Plotly reads."""
    told = packed([1.5, -2.0], "f8")
    assert np.frombuffer(base64.b64decode(told["bdata"]), "<f8").tolist() == [1.5, -2.0]


def test_minutes_add_up() -> None:
    """Sums by minute from the start; the end belongs to the last one."""
    minute = 60_000_000_000
    at, sums = per_minute(np.array([0, minute - 1, 2 * minute]), [1.0, 2.0, 4.0], 0, 2 * minute)
    assert at.tolist() == [0, minute]
    assert sums.tolist() == [3.0, 4.0]


def test_close_marks_share_their_words() -> None:
    """Two happenings within three minutes are one text."""
    second = 1_000_000_000
    told = flags([(0, "news"), (60 * second, "first ADL"), (600 * second, "back")])
    assert [word["text"] for word in told["annotations"]] == ["news, first ADL", "back"]
    assert len(told["shapes"]) == 3
