"""The page: sections, tables and charts as one HTML file that needs no network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Final

from exchange_sim.analysis.export.common import whole_file
from exchange_sim.analysis.report.figures import NANOS_PER_MS, Chart, Section, Table
from exchange_sim.analysis.report.forced import forced_section
from exchange_sim.analysis.report.opening import Opening, opening, story_section
from exchange_sim.analysis.report.pegs import lending_section, pegs_section
from exchange_sim.analysis.report.people import cascade_section, gains_section
from exchange_sim.analysis.report.prices import prices_section, vacuum_section
from exchange_sim.analysis.report.record import score_section, settings_section, tear_section
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.run_dir import RunData

REPORT: Final = "report.html"

SECTIONS: Final[tuple[Callable[[Source], Section], ...]] = (
    prices_section,
    vacuum_section,
    forced_section,
    pegs_section,
    lending_section,
    cascade_section,
    gains_section,
    story_section,
    tear_section,
    score_section,
    settings_section,
)
"""In the order of the page."""


def write_report(run: RunData, target: Path | None = None) -> Path:
    """Write the report of a run to ``target`` (default: ``report.html`` in the run's directory).

    Raises ``RunCorrupt`` for a run without event tables, ``StorageError``.
    """
    source = Source(run)
    sections = [section for make in SECTIONS if (section := make(source)).parts]
    title = f"{run.manifest.scenario}, seed {run.manifest.seed}"
    span = (source.start_ns, source.end_ns)
    first, path = opening(source), target or run.path / REPORT
    return write_page(path, title, first, sections, span, run.losses)


def write_page(
    path: Path, title: str, first: Opening, sections: Sequence[Section], span: tuple[int, int],
    losses: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Join the parts into one file.  ``span`` in ns is what time axes show at first.

    ``losses`` are what could not be read, and stand above everything else.

    Raises ``StorageError``.
    """
    charts = [part for section in sections for part in section.parts if isinstance(part, Chart)]
    data = {
        "span": [at / NANOS_PER_MS for at in span],
        "charts": [chart.asdict() for chart in charts],
    }
    numbers = json.dumps(data, separators=(",", ":"), allow_nan=False)
    values = {
        "TITLE": escape(title),
        "STYLE": _static("style.css"),
        "NAVIGATION": "".join(
            f'<a href="#{section.id}">{escape(section.title)}</a>' for section in sections
        ),
        "SENTENCES": _lost(losses) + "".join(f"<p>{escape(text)}</p>" for text in first.sentences),
        "CARDS": "".join(
            f'<div class="card"><b>{escape(figure)}</b><span>{escape(what)}</span></div>'
            for figure, what in first.cards
        ),
        "SECTIONS": "".join(_section(section) for section in sections),
        # A "</" inside the data would end the script element.
        "FIGURES": numbers.replace("</", "<\\/"),
        "PLOTLY": _plotly(),
        "SCRIPT": _static("page.js"),
    }
    with whole_file(path) as sink:
        for piece in _pieces(_static("page.html"), values):
            sink.write(piece.encode())
    return path


def _lost(losses: Sequence[str]) -> str:
    if not losses:
        return ""
    lines = "".join(f"<li>{escape(loss)}</li>" for loss in losses)
    text = "Not all of the run could be read. What follows leaves this out:"
    return f'<div class="lost" role="alert"><p>{text}</p><ul>{lines}</ul></div>'


def _pieces(template: str, values: dict[str, str]) -> list[str]:
    """The template with ``{{NAME}}`` replaced; what is put in is not looked through again."""
    pieces = []
    for at, part in enumerate(template.split("{{")):
        if not at:
            pieces.append(part)
            continue
        name, _, rest = part.partition("}}")
        pieces += [values[name], rest]
    return pieces


def _static(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text(encoding="utf-8")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


def _section(section: Section) -> str:
    lead = f'<p class="lead">{escape(section.lead)}</p>' if section.lead else ""
    parts = "".join(
        _chart(part) if isinstance(part, Chart) else _table(part) for part in section.parts
    )
    return f'<section id="{section.id}"><h2>{escape(section.title)}</h2>{lead}{parts}</section>'


def _chart(chart: Chart) -> str:
    note = f"<p>{escape(chart.note)}</p>" if chart.note else ""
    choose = ""
    if chart.choices:
        options = "".join(
            f'<option value="{at}">{escape(name)}</option>'
            for at, (name, _) in enumerate(chart.choices)
        )
        choose = (
            f'<select id="{chart.id}-choice" aria-label="{escape(chart.title)}">{options}</select>'
        )
    return (
        f"<figure><figcaption><h3>{escape(chart.title)}</h3>{choose}{note}</figcaption>"
        f'<div class="chart" id="chart-{chart.id}" style="height:{chart.height}px"></div></figure>'
    )


def _table(table: Table) -> str:
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    head = f"<thead><tr>{head}</tr></thead>" if any(table.columns) else ""
    body = "".join("<tr>" + "".join(_cell(cell) for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<div class='table'><h3>{escape(table.title)}</h3>{note}"
        f"<div class='scroll'><table>{head}<tbody>{body}</tbody></table></div></div>"
    )


def _cell(text: str) -> str:
    number = text.replace(",", "").replace(".", "").lstrip("+-$").rstrip("%kmbnx ")
    kind = ' class="number"' if number.isdigit() else ""
    return f"<td{kind}>{escape(text)}</td>"
