"""Pictures of every section of a run's report, for the documentation.

``python -m docs.pictures RUN NAME`` writes ``docs/pictures/NAME/<section>.png`` with headless
Chromium; each section is put on a page of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from exchange_sim.analysis.report.figures import Chart, Section, Table
from exchange_sim.analysis.report.opening import Opening, opening
from exchange_sim.analysis.report.page import SECTIONS, write_page
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.run_dir import open_run
from exchange_sim.errors import UsageError

FOLDER = Path(__file__).parent / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WIDTH = 1280
HEAD, CAPTION, ROWS_SHOWN = 230, 95, 18
"""Pixels of the title of a page and around a chart; rows of a table that fit its frame."""


def height_of(section: Section) -> int:
    """How tall a page with this section is, about."""
    total = HEAD
    for part in section.parts:
        if isinstance(part, Chart):
            total += part.height + CAPTION
        elif isinstance(part, Table):
            total += 120 + 29 * min(ROWS_SHOWN, len(part.rows))
    return total


def take(page: Path, target: Path, height: int) -> None:
    """A picture of a page.  Raises ``UsageError`` where there is no Chromium."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise UsageError(f"pictures need one of {', '.join(BROWSERS)}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(  # noqa: S603 - a browser that was found on the path, our own page
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--hide-scrollbars", "--virtual-time-budget=20000", f"--user-data-dir={profile}",
                f"--window-size={WIDTH},{height}", f"--screenshot={target}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip


def main(run: str, name: str) -> None:
    """All sections that the run has, and the first screen."""
    source = Source(open_run(run))
    span = (source.start_ns, source.end_ns)
    title = f"{source.run.manifest.scenario}, seed {source.run.manifest.seed}"
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        first = opening(source)
        write_page(page, title, first, [], span)
        take(page, FOLDER / name / "opening.png", 420 + 32 * len(first.sentences))
        for make in SECTIONS:
            section = make(source)
            if section.parts:
                write_page(page, title, Opening((), ()), [section], span)
                take(page, FOLDER / name / f"{section.id}.png", height_of(section))


if __name__ == "__main__":
    main(*sys.argv[1:3])
