"""Prices by venue, the vacuum: depth and spreads, and the book of one instrument as a picture."""

from __future__ import annotations

from typing import Final

import numpy as np

from exchange_sim.analysis.report.figures import (
    SERIES,
    Chart,
    Floats,
    Section,
    extremes,
    flags,
    heat,
    line,
    times,
)
from exchange_sim.analysis.report.source import Source
from exchange_sim.analysis.score.roles import Instrument
from exchange_sim.model.enums import BUY, SELL

POINTS: Final = 900
"""Buckets of a price line; each keeps its low and its high."""
BANDS: Final = 60
"""Price bands of the picture of a book."""
PICTURE_COLUMNS: Final = 240
PICTURES: Final = 3
"""Books that are drawn level by level."""


def prices_section(source: Source) -> Section:
    """Where prices went, by group and by instrument."""
    charts = [_groups(source), _single(source)]
    return Section(
        id="prices",
        title="Prices",
        lead="Every price was made by orders. Percent of the last trade before the news."
        if source.has_news
        else "Every price was made by orders. Percent of the price after a tenth of the run.",
        parts=tuple(chart for chart in charts if not chart.empty),
    )


def _groups(source: Source) -> Chart:
    """Majors on the leading venue, and the median alt of every venue."""
    traces = []
    colours = iter(SERIES * 3)
    lead = source.view.roles.venues.get("primary") or _venues(source)[0]
    majors = source.items("major", lead, spot=True) or source.items(venue=lead)
    largest = sorted(majors, key=source.volume, reverse=True)
    traces += [
        line(item.base, source.grid, source.relative(item), next(colours)) for item in largest[:3]
    ]
    for venue in _venues(source):
        for spot, word in ((True, "spot"), (False, "perpetuals")):
            alts = source.items("alt", venue, spot=spot)
            if not alts:
                continue
            rows = np.array([source.relative(item) for item in alts])
            name = f"median alt, {venue} {word}"
            dash = "solid" if venue == lead else "dash"
            traces.append(
                line(name, source.grid, median_of(rows), next(colours), dash=dash, width=2.4)
            )
    return Chart(
        id="groups",
        title="Majors, and the median alt of each venue",
        note="Change of the last trade in percent.",
        traces=tuple(traces),
        layout={"yaxis": {"ticksuffix": " %"}, **flags(source.moments)},
        height=430,
    )


def median_of(rows: Floats) -> Floats:
    """The median of each column, NaN where nothing is known."""
    known = ~np.isnan(rows).all(axis=0)
    found = np.full(rows.shape[1], np.nan)
    if known.any():
        found[known] = np.nanmedian(rows[:, known], axis=0)
    return found


def _venues(source: Source) -> list[str]:
    return list(dict.fromkeys(item.venue for item in source.view.roles.instruments))


def _single(source: Source) -> Chart:
    """One asset at a time, on every venue, wicks and all."""
    bases = dict.fromkeys(item.base for item in source.view.roles.instruments if item.main)
    choices = []
    for base in sorted(bases, key=lambda name: -_volume(source, name)):
        traces = []
        for colour, item in zip(
            SERIES, (i for i in source.items() if i.base == base), strict=False
        ):
            trades = source.view.trades(item)
            if not len(trades.t):
                continue
            at, price = extremes(trades.t, trades.p, POINTS)
            traces.append(line(item.name, at, price, colour))
            marks = source.view.marks(item)
            if len(marks):
                at, price = extremes(marks.t, marks.p, POINTS // 3)
                traces.append(line(f"{item.name} mark", at, price, colour, dash="dot", width=1))
        if traces:
            choices.append((base, tuple(traces)))
    return Chart(
        id="single",
        title="One asset on every venue",
        note="Trades with their wicks, and mark prices.",
        choices=tuple(choices),
        layout={"yaxis": {"tickformat": ",.6~g"}, **flags(source.moments)},
    )


def _volume(source: Source, base: str) -> float:
    return sum(source.volume(item) for item in source.items() if item.base == base)


def vacuum_section(source: Source) -> Section:
    """Depth by instrument over time, depth of groups, spreads, and books level by level."""
    items = [item for item in source.items() if len(source.view.trades(item).t)]
    parts = [_depth_map(source, items), _depth_lines(source), _spreads(source)]
    parts += _pictures(source)
    worst = _emptied(source, items)
    return Section(
        id="vacuum",
        title="The liquidity vacuum",
        lead=f"Bids within 1 % of the mid fell below a tenth of their level in {worst} of"
        f" {len(items)} books.",
        parts=tuple(chart for chart in parts if not chart.empty),
    )


def depth_share(source: Source, item: Instrument) -> Floats:
    """Bid depth within 1 %, as a share of its median before the reference instant."""
    depth = source.depth(item)
    before = depth[source.grid <= source.reference_ns]
    usual = float(np.nanmedian(before)) if np.isfinite(before).any() else 0.0
    return depth / usual if usual > 0 else np.full(len(depth), np.nan)


def _emptied(source: Source, items: list[Instrument]) -> int:
    after = source.grid > source.reference_ns
    return sum(
        bool(np.isfinite(share[after]).any() and np.nanmin(share[after]) < 0.1)
        for share in (depth_share(source, item) for item in items)
    )


def _depth_map(source: Source, items: list[Instrument]) -> Chart:
    """All books as rows: bright is deep, dark is empty."""
    if not items:
        return Chart(id="depth-map", title="")
    shares = np.array([depth_share(source, item) for item in items])
    values = np.log10(np.clip(shares, 0.001, 3.0))
    ticks = [0.001, 0.01, 0.1, 1.0]
    trace = heat(
        source.grid,
        [item.name for item in items],
        values,
        colorscale="@depth",
        zmin=-3.0,
        zmax=0.3,
        colorbar={
            "tickvals": np.log10(ticks).tolist(),
            "ticktext": ["0.1 % or less", "1 %", "10 %", "as usual"],
            "thickness": 12,
        },
        hovertemplate="%{y}<br>%{x}<br>10^%{z:.2f} of usual<extra></extra>",
    )
    return Chart(
        id="depth-map",
        title="Bids within 1 % of the mid, all books",
        note="Share of what rested before, on a logarithmic scale. The colour of the page: nobody"
        " buys.",
        traces=(trace,),
        layout={
            "yaxis": {"automargin": True, "autorange": "reversed", "tickfont": {"size": 9}},
            **flags(source.moments),
        },
        height=max(300, 120 + 14 * len(items)),
    )


def _groups_of(source: Source) -> list[tuple[str, list[Instrument]]]:
    found = []
    for venue in _venues(source):
        for kind in ("major", "alt", "pegged", "wrapper"):
            items = [i for i in source.items(kind, venue) if len(source.view.trades(i).t)]
            if items:
                found.append((f"{kind}, {venue}", items))
    return found


def _depth_lines(source: Source) -> Chart:
    traces = []
    for colour, (name, items) in zip(SERIES * 3, _groups_of(source), strict=False):
        share = median_of(np.array([depth_share(source, item) for item in items])) * 100.0
        traces.append(line(name, source.grid, np.clip(share, 0.01, None), colour, width=2))
    return Chart(
        id="depth-lines",
        title="Bids within 1 % of the mid, median book of each group",
        note="Percent of what rested before.",
        traces=tuple(traces),
        layout={"yaxis": {"type": "log", "ticksuffix": " %"}, **flags(source.moments)},
    )


def _spreads(source: Source) -> Chart:
    traces = []
    for colour, (name, items) in zip(SERIES * 3, _groups_of(source), strict=False):
        spread = median_of(np.array([source.spread_bp(item) for item in items]))
        traces.append(line(name, source.grid, np.clip(spread, 0.01, None), colour, width=2))
    return Chart(
        id="spreads",
        title="Quoted spread, median book of each group",
        note="Basis points of the mid; a gap means that one side was empty.",
        traces=tuple(traces),
        layout={"yaxis": {"type": "log", "ticksuffix": " bp"}, **flags(source.moments)},
    )


def _pictures(source: Source) -> list[Chart]:
    """Books level by level: the deepest major, the alt that fell most, a pegged asset."""
    rows = {row.instrument: row for row in source.summary.instruments}
    chosen: list[Instrument] = []
    for kind in ("major", "alt", "pegged", "wrapper"):
        items = [i for i in source.items(kind) if rows[i.id].trades]
        if items:
            chosen.append(max(items, key=lambda i: rows[i.id].drawdown_pct))
    if not chosen:
        chosen = [item for item in source.items() if rows[item.id].trades][:1]
    return [_picture(source, item) for item in chosen[:PICTURES]]


def _picture(source: Source, item: Instrument) -> Chart:
    """Resting value by price band and time, with the touch over it."""
    history = source.run.book_of(item.id)
    columns = np.linspace(source.start_ns, source.end_ns, PICTURE_COLUMNS + 1)[1:].astype(np.int64)
    trades = source.view.trades(item)
    low, high = float(trades.p.min()), float(trades.p.max())
    edges = np.linspace(low * 0.97, high * 1.02, BANDS + 1)
    grid = np.zeros((BANDS, PICTURE_COLUMNS))
    for column, at in enumerate(columns.tolist()):
        snapshot = history.at(at)
        for side in (BUY, SELL):
            mine = snapshot.side == side
            price = snapshot.price[mine] * item.tick
            value = snapshot.shown[mine] * item.lot * (1.0 if item.is_inverse else price)
            band = np.searchsorted(edges, price, side="right") - 1
            inside = (band >= 0) & (band < BANDS)
            np.add.at(grid[:, column], band[inside], value[inside])
    shown = np.where(grid > 0, np.log10(np.maximum(grid, 1.0)), np.nan)
    ticks = list(range(2, 10))
    trace = {
        **heat(columns, [], shown, colorscale="@depth"),
        "y": ((edges[:-1] + edges[1:]) / 2).tolist(),
        "colorbar": {
            "thickness": 12,
            "tickvals": ticks,
            "ticktext": ["$100", "$1k", "$10k", "$100k", "$1m", "$10m", "$100m", "$1bn"],
        },
        "hovertemplate": "%{y:,.6~g}<br>%{x}<br>$10^%{z:.1f}<extra></extra>",
    }
    mid = line("mid", source.grid, source.mids(item), "@ink")
    at, price = extremes(trades.t, trades.p, POINTS // 2)
    tape = {**line("trades", at, price, "@red", width=1), "x": times(at)}
    return Chart(
        id=f"picture-{item.id}",
        title=f"The book of {item.name}, level by level",
        note="Resting value by price; where there is none, nobody was there. Red: trades.",
        traces=(trace, mid, tape),
        layout={"yaxis": {"tickformat": ",.6~g"}, "showlegend": False, **flags(source.moments)},
        height=420,
    )
