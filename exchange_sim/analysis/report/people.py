"""The cascade as a graph, and who lost and gained."""

from __future__ import annotations

from typing import Final

import numpy as np

from exchange_sim.analysis.cascade import Cascade, cascade
from exchange_sim.analysis.compare import gains_by_population
from exchange_sim.analysis.marks_of_run import INDEX_BAND_PERCENT
from exchange_sim.analysis.report.figures import SERIES, Chart, Section, Table
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.report.words import clock, dollars

LINKS_MAX: Final = 24
GENERATIONS_MAX: Final = 20
GAINS_MAX: Final = 24


def cascade_section(source: Source) -> Section:
    """Which forced selling caused which liquidation."""
    found = cascade(source.run)
    if not found.nodes:
        return Section(id="cascade", title="The cascade", lead="Nobody was liquidated.")
    many = "without bound" if np.isinf(found.multiplier) else f"{found.multiplier:.2f} dollars"
    return Section(
        id="cascade",
        title="The cascade",
        lead=f"Branching ratio {found.branching:.2f}: one dollar of forced selling that nobody"
        f" else had forced became {many}.",
        parts=tuple(
            part
            for part in (_generations(found), _links(found), _moves(found))
            if isinstance(part, Table) or not part.empty
        ),
    )


def _generations(found: Cascade) -> Chart:
    rows = [
        (generation, value)
        for generation, value in found.forced_by_generation.items()
        if found.count_by_generation[generation] >= 0.05
    ][:GENERATIONS_MAX]
    trace = {
        "type": "bar",
        "x": [str(generation) for generation, _ in rows],
        "y": [value for _, value in rows],
        "marker": {"color": "@red"},
        "hovertemplate": "generation %{x}: $%{y:,.3s}<extra></extra>",
    }
    return Chart(
        id="generations",
        title="Forced dollars by generation",
        note="Generation 0 was pushed by people who were free not to trade; each next one by the"
        " forced selling of the one before.",
        traces=(trace,),
        layout={
            "xaxis": {"title": {"text": "generation"}, "type": "category"},
            "yaxis": {"tickprefix": "$"},
        },
        time=False,
        height=280,
    )


def _links(found: Cascade) -> Chart:
    """Who pushed whom, as flows between populations."""
    ranked = sorted(found.fed.items(), key=lambda pair: -pair[1])
    ranked = [pair for pair in ranked if pair[1] > 0][:LINKS_MAX]
    if not ranked:
        return Chart(id="links", title="")
    left = list(dict.fromkeys(pusher for (pusher, _), _ in ranked))
    right = list(dict.fromkeys(pushed for (_, pushed), _ in ranked))
    trace = {
        "type": "sankey",
        "node": {
            "label": [*left, *right],
            "pad": 10,
            "thickness": 12,
            "color": [SERIES[at % len(SERIES)] for at in range(len(left) + len(right))],
        },
        "link": {
            "source": [left.index(pusher) for (pusher, _), _ in ranked],
            "target": [len(left) + right.index(pushed) for (_, pushed), _ in ranked],
            "value": [value for _, value in ranked],
            "color": "@veil",
        },
        "valueformat": "$.3s",
    }
    return Chart(
        id="links",
        title="Whose trades pushed whom over the edge",
        note="Left: who traded in the minute before; right: who was liquidated; width: what the"
        " liquidated were forced to trade.",
        traces=(trace,),
        time=False,
        height=max(320, 90 + 22 * max(len(left), len(right))),
    )


def _moves(found: Cascade) -> Table:
    rows = tuple((clock(at), what) for at, what in found.first_moves)
    return Table(title="Who moved first", columns=("UTC", "what"), rows=rows)


def gains_section(source: Source) -> Section:
    """Gains and losses of every population, market operators left out."""
    gains = gains_by_population(source.view, source.run)
    if not gains:
        return Section(id="gains", title="Who lost, who gained")
    ranked = sorted(gains.items(), key=lambda pair: pair[1])
    if len(ranked) > GAINS_MAX:
        half = GAINS_MAX // 2
        ranked = [*ranked[:half], *ranked[-half:]]
    values = [value for _, value in ranked]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [name for name, _ in ranked],
        "x": values,
        "marker": {"color": ["@red" if value < 0 else "@green" for value in values]},
        "text": [dollars(value) for value in values],
        "textposition": "outside",
        "cliponaxis": False,
        "hovertemplate": "%{y}: $%{x:,.4s}<extra></extra>",
    }
    worst, best = ranked[0], ranked[-1]
    lead = (
        f"{worst[0]} lost most ({dollars(worst[1])}), {best[0]} gained most ({dollars(best[1])})."
    )
    return Section(
        id="gains",
        title="Who lost, who gained",
        lead=lead,
        parts=(
            Chart(
                id="gains-bars",
                title="Change of net worth by population",
                note="What is held at the end, in accounts, loans, pools, pledges and open"
                " contracts, less what was brought in; at mids, contracts within"
                f" {INDEX_BAND_PERCENT} % of their index.",
                traces=(trace,),
                layout={
                    "xaxis": {"tickprefix": "$"},
                    "yaxis": {"automargin": True, "type": "category"},
                    "showlegend": False,
                },
                time=False,
                height=max(260, 90 + 24 * len(ranked)),
            ),
        ),
    )
