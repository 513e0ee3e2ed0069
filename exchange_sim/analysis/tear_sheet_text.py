"""The parts of a tear sheet as tables of text: pure functions of its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.units import format_utc

if TYPE_CHECKING:
    from exchange_sim.analysis.tear_sheet import Reference, Section, TearSheet

STEPS_SHOWN: Final = 12
"""Steps of the margin and remarks about quotes that are shown; JSON has all."""


def money(value: float) -> str:
    """Dollars with a sign and thousands: ``-1,234.56``."""
    return f"{value:,.2f}"


def clock(time_ns: int) -> str:
    """Time of day to the second."""
    return format_utc(time_ns, 0)[11:19] if time_ns else "-"


def overview_section(sheet: TearSheet) -> Section:
    """What it had, what it made, whether it survived."""
    share = f" ({100.0 * sheet.profit / sheet.capital:+.2f} %)" if sheet.capital > 0 else ""
    down = sheet.drawdown
    fate = "no liquidation" if sheet.margin.survived else "liquidated"
    if not sheet.margin.survived and not sheet.margin.liquidations:
        fate = "nothing left"
    rows = (
        ("run", sheet.run),
        ("time", f"{format_utc(sheet.start_ns, 0)} to {format_utc(sheet.end_ns, 0)}"),
        ("capital", money(sheet.capital)),
        ("equity at the end", money(sheet.equity)),
        ("profit", f"{money(sheet.profit)}{share}"),
        ("deepest drawdown", f"{money(down.amount)} ({down.pct:.1f} %)"),
        ("", f"from {clock(down.from_ns)} to {clock(down.to_ns)}"),
        ("fate", fate),
    )
    return f"{sheet.strategy}", ("", ""), rows


def part_section(sheet: TearSheet) -> Section:
    """Where the profit came from."""
    rows = [(part, money(value)) for part, value in sheet.parts.items()]
    rows.append(("total", money(sheet.profit)))
    if sheet.unexplained:
        rows.append(("unexplained", money(sheet.unexplained)))
    return "Profit by source", ("source", "dollars"), tuple(rows)


def order_section(sheet: TearSheet) -> Section:
    """Orders, fills, and what the market did after them."""
    orders = sheet.orders
    volume = orders.maker_volume + orders.taker_volume
    share = 100.0 * orders.filled / orders.accepted if orders.accepted else 0.0
    rows = [
        ("orders accepted", f"{orders.accepted:,}"),
        ("of these traded", f"{orders.filled:,} ({share:.1f} %)"),
        ("canceled on request", f"{orders.canceled:,}"),
        ("changes", f"{orders.replaced:,}, {orders.kept_priority_pct:.0f} % kept their place"),
        ("fills", f"{orders.fills:,}"),
        ("volume", money(volume)),
        ("as maker", f"{100.0 * orders.maker_volume / volume:.1f} %" if volume else "-"),
        ("median wait in the queue", "-" if orders.wait_s is None else f"{orders.wait_s:.3f} s"),
    ]
    for seconds, move in orders.markout_bp.items():
        rows.append((f"mid {seconds} s after a fill", f"{move:+.2f} bp"))
    rows += [(f"rejected: {name}", f"{count:,}") for name, count in orders.rejected.items()]
    rows += [(f"refused: {name}", f"{count:,}") for name, count in orders.refused.items()]
    return "Orders and fills", ("", ""), tuple(rows)


def market_section(sheet: TearSheet) -> Section:
    """Presence and depth, over the run and while the market fell."""
    columns = (
        "market", "both sides", "bids", "asks", "bid depth", "ask depth",
        "in the fall", "both sides", "bid depth",
    )  # fmt: skip
    rows = tuple(
        (
            market.symbol,
            f"{market.both_pct:.1f} %",
            f"{market.bid_pct:.1f} %",
            f"{market.ask_pct:.1f} %",
            money(market.bid_depth),
            money(market.ask_depth),
            f"{clock(market.fall_from_ns)} to {clock(market.fall_to_ns)}",
            f"{market.fall_both_pct:.1f} %",
            money(market.fall_bid_depth),
        )
        for market in sheet.markets
    )
    return "Quoting (depth within 1 % of the mid)", columns, rows


def margin_section(sheet: TearSheet) -> Section:
    """The way of the margin."""
    margin = sheet.margin
    worst = "-" if margin.worst_uni_mmr is None else f"{margin.worst_uni_mmr:.3f}"
    rows = [
        ("", "most leverage", f"{margin.leverage_max:.2f} x", ""),
        ("", "lowest uniMMR at a change of band", worst, ""),
        ("", "liquidations", f"{margin.liquidations}", ""),
        ("", "positions lost to ADL, taken over", f"{margin.adl}, {margin.taken_over}", ""),
    ]
    for step in margin.steps[:STEPS_SHOWN]:
        ratio = "" if step.uni_mmr is None else f"{step.uni_mmr:.3f}"
        rows.append((clock(step.time_ns), step.what, ratio, money(step.equity)))
    return "Margin", ("time", "", "uniMMR", "equity"), tuple(rows)


def withdrawal_section(sheet: TearSheet) -> Section:
    """When it took its quotes away and why."""
    rows = tuple(
        (clock(time_ns), what, cause, f"{100.0 * scale:.0f} %")
        for time_ns, what, cause, scale in sheet.notes[:STEPS_SHOWN]
    )
    return "Changes of its quotes", ("time", "", "cause", "size left"), rows


def reference_section(sheet: TearSheet, own: Reference) -> Section:
    """The strategy beside the makers of the run."""
    columns = (
        "strategy", "profit", "of capital", "spread", "inventory", "drawdown",
        "both sides", "in the fall", "liquidations",
    )  # fmt: skip
    rows = tuple(
        (
            row.name,
            money(row.profit),
            f"{row.pct:+.2f} %",
            money(row.spread),
            money(row.inventory),
            f"{row.drawdown_pct:.1f} %",
            f"{row.both_pct:.0f} %",
            f"{row.fall_both_pct:.0f} %",
            f"{row.liquidations}",
        )
        for row in (own, *sheet.references)
    )
    return "Beside the makers of the run", columns, rows if sheet.references else ()
