"""What a notebook shows: short, true, well-formed HTML for runs, tear sheets and scores."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import attrs
import pytest

from exchange_sim import run
from exchange_sim.analysis.notebook import INSTRUMENTS_SHOWN, table
from exchange_sim.analysis.run_dir import RunData, open_run
from exchange_sim.analysis.score import builtin_targets, score_run
from exchange_sim.analysis.summary import summarise
from exchange_sim.errors import UsageError

SIZE_MAX = 6_000
VOID = frozenset({"br"})


class Page(HTMLParser):
    """Tags balanced, texts collected, links kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open
        assert len(text) < SIZE_MAX

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.links += [str(value) for key, value in attrs if key == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def opened(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunData:
    """The small crash, in a folder of its own."""
    copy = tmp_path_factory.mktemp("shown") / small_run.name
    shutil.copytree(small_run, copy)
    return open_run(copy)


def shown(what: object) -> Page:
    """What a notebook would show of it."""
    return Page(what._repr_html_())  # type: ignore[attr-defined]  # looked up as notebooks do


def test_a_run_shows_falls_forced_flow_and_its_report(
    opened: RunData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures are those of the summary; the link leads to the file from where one stands."""
    monkeypatch.chdir(opened.path.parent)
    (opened.path / "report.html").unlink(missing_ok=True)
    page = shown(opened)
    assert "small" in page.texts[0]
    rows = summarise(opened).instruments
    worst = max(rows, key=lambda row: row.drawdown_pct)
    assert worst.symbol in page.texts
    assert f"{worst.drawdown_pct:.1f} %" in page.texts
    assert sum(row.symbol in page.texts for row in rows) == min(len(rows), INSTRUMENTS_SHOWN)
    assert opened.manifest.digest in page.texts
    assert page.links == []

    report = opened.report()
    assert report == opened.path / "report.html"
    (link,) = shown(opened).links
    assert Path(link).resolve() == report.resolve()
    assert not Path(link).is_absolute()


def test_a_run_without_its_summary_is_summarised(opened: RunData, tmp_path: Path) -> None:
    """``summary.json`` saves time, nothing else; junk in it does no harm."""
    copy = tmp_path / "run"
    shutil.copytree(opened.path, copy)
    before = shown(open_run(copy)).texts
    (copy / "summary.json").write_text("{", encoding="utf-8")
    assert shown(open_run(copy)).texts == before


def test_a_finished_run_shows_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With tables like the opened run, without them what is known; ``open`` leads on."""
    monkeypatch.chdir(tmp_path)
    plain = run("first_trade")
    assert f"{plain.trades:,} trades" in "".join(shown(plain).texts)
    assert plain.digest in shown(plain).texts
    with pytest.raises(UsageError, match="nothing was written"):
        plain.open()

    kept = run("first_trade", out="runs")
    assert shown(kept).texts == shown(kept.open()).texts
    assert kept.open().manifest.digest == plain.digest
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_tear_sheets_and_scores(opened: RunData) -> None:
    """Profit by source; the share of the record and what is missed."""
    sheet = opened.tear_sheet("mm-1")
    page = shown(sheet)
    assert f"{sheet.profit:,.2f}" in page.texts
    assert all(part in page.texts for part in sheet.parts)

    score = score_run(opened, builtin_targets())
    page = shown(score)
    assert f"{score.percent:.0f} % of the record" in page.texts
    missed = [line for line in score.scored if not line.inside]
    assert max(missed, key=lambda line: line.target.weight).target.quantity in page.texts


def test_names_are_escaped(opened: RunData) -> None:
    """A name is text, whatever is in it."""
    assert table(("<a>",), [("<b>", "&")]).count("&lt;") == 2
    sheet = attrs.evolve(opened.tear_sheet("mm-1"), strategy="<script>")
    assert "<script>" not in sheet._repr_html_()
    assert json.dumps(shown(sheet).texts)
