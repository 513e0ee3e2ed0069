"""The article's causal chain, link by link: when each happened and how large it was.

macro shock -> risk aversion -> unwinding of loops -> decoupling of the synthetic dollar -> loop
loans liquidated on chain -> makers' collateral falls, passive leverage rises -> makers' unified
accounts liquidated -> makers withdraw -> alt spot collapses

A link that the run does not show is missing, with the reason.  Each instant is that of the first
happening of its kind after the news; size is in dollars, until the end of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np

from exchange_sim.analysis.score.chain import pool_liquidations
from exchange_sim.analysis.score.pegged import ratio_to_fair
from exchange_sim.analysis.score.view import NANOS, Array, CannotMeasureError, View
from exchange_sim.messages import chain_events as ce
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import MarginBand, NoteKind
from exchange_sim.model.enums import FLAG_LIQUIDATION
from exchange_sim.units import format_utc

DECOUPLED: Final = 0.98
"""Share of fair under which the synthetic dollar counts as decoupled."""
COLLAPSED: Final = 0.5
"""Share of its price at the news under which an alt counts as collapsed."""
WITHDRAWN: Final = 0.1
"""Share of calm bids within 1 % under which the makers of alts have left."""
MEAN_S: Final = 60
"""Seconds over which bids are averaged."""
AVERSION_SHARE: Final = 0.01
"""The link of risk aversion: the first fall of BTC by so much since the news."""


@attrs.frozen
class Link:
    """One link of the chain.  ``time_ns`` and ``usd`` are ``None`` when it did not happen."""

    number: int
    name: str
    time_ns: int | None
    usd: float | None
    what: str
    """What the size counts, or why the link is missing."""

    @property
    def happened(self) -> bool:
        """Whether the run shows it."""
        return self.time_ns is not None

    def asdict(self) -> dict[str, Any]:
        """For ``--json``."""
        time = None if self.time_ns is None else format_utc(self.time_ns)
        return {
            "number": self.number, "name": self.name, "time": time, "usd": self.usd,
            "what": self.what,
        }  # fmt: skip


@attrs.frozen
class Chain:
    """The nine links of a run."""

    scenario: str
    seed: int
    digest: str
    links: tuple[Link, ...]

    @property
    def happened(self) -> int:
        """Links that the run shows."""
        return sum(link.happened for link in self.links)

    @property
    def in_order(self) -> bool:
        """Whether the links that happened did so in the order of the article."""
        times = [link.time_ns for link in self.links if link.time_ns is not None]
        return all(a <= b for a, b in pairwise(times))

    @property
    def complete(self) -> bool:
        """Whether every link happened, in order."""
        return self.happened == len(self.links) and self.in_order

    def asdict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "scenario": self.scenario, "seed": self.seed, "digest": self.digest,
            "happened": self.happened, "in_order": self.in_order, "complete": self.complete,
            "links": [link.asdict() for link in self.links],
        }  # fmt: skip


Found = tuple[float, float, str]
"""Instant, dollars, and what they count."""


def chain_of(view: View, scenario: str = "", seed: int = 0, digest: str = "") -> Chain:
    """The nine links in a run."""
    links = []
    for number, (name, measure) in enumerate(_LINKS.items(), start=1):
        try:
            time_ns, usd, what = measure(view)
            links.append(Link(number, name, int(time_ns), usd, what))
        except CannotMeasureError as cause:
            links.append(Link(number, name, None, None, str(cause)))
    return Chain(scenario, seed, digest, tuple(links))


def _macro_shock(view: View) -> Found:
    notes = view.columns(e.Noted)
    shocks = (notes["kind"] == NoteKind.SHOCK) & (notes["account"] < 0)
    if not shocks.any():
        raise CannotMeasureError("the run has no shock")
    when = float(notes["time_ns"][shocks][0])
    sold = _sold_by(view, _accounts(view, ("macro",)), when, when + 300 * NANOS)
    return when, sold, "sold by those whom the news moved, in 5 minutes"


def _risk_aversion(view: View) -> Found:
    item = view.books("primary_perp", "btc")[0]
    prices = view.prices(item, "mark price")
    after = prices.between(view.news_ns, view.roles.end_ns)
    low = after.p <= prices.before(view.news_ns) * (1.0 - AVERSION_SHARE)
    if not low.any():
        raise CannotMeasureError(f"BTC never fell by {100 * AVERSION_SHARE:g} %")
    when = float(after.t[int(np.argmax(low))])
    net = 0.0
    for book in view.roles.instruments:
        trades = view.trades(book).between(view.news_ns, view.news_ns + 600 * NANOS)
        net += float(np.where(trades.sell, trades.usd, -trades.usd).sum())
    return when, net, "net selling by takers in the first 10 minutes"


def _loop_unwinding(view: View) -> Found:
    accounts = _accounts(view, ("loop", "whale"))
    if not len(accounts):
        raise CannotMeasureError("nobody holds a loop")
    times, usd = _sales(view, accounts, "synthetic_dollar")
    swaps = view.columns(ce.Swapped)
    symbols = np.array([row["symbol"] for row in view.run.assets], dtype=object)
    units = np.array([10.0 ** row["decimals"] for row in view.run.assets])
    dollar = sorted(view.roles.bases("synthetic_dollar"))
    mine = np.isin(swaps["wallet"], accounts) & (swaps["time_ns"] >= view.news_ns)
    mine &= np.isin(symbols[swaps["asset_in"]], dollar)
    swapped = (swaps["amount_in"] / units[swaps["asset_in"]])[mine]
    times = np.concatenate((times, swaps["time_ns"][mine]))
    if not len(times):
        raise CannotMeasureError("nobody unwound a loop")
    total = float(usd.sum() + swapped.sum())
    return float(times.min()), total, "synthetic dollars sold and swapped by loopers and whales"


def _decoupling(view: View) -> Found:
    found: list[tuple[float, float]] = []
    for item in view.books("primary_spot", "synthetic_dollar"):
        ratio = ratio_to_fair(view, item, view.news_ns, view.roles.end_ns)
        under = ratio.p < DECOUPLED
        if under.any():
            when = float(ratio.t[int(np.argmax(under))])
            trades = view.trades(item).between(when, view.roles.end_ns)
            below = trades.p < DECOUPLED
            found.append((when, float(trades.usd[below].sum())))
    if not found:
        raise CannotMeasureError(f"the synthetic dollar stayed above {DECOUPLED:g}")
    when = min(found)[0]
    return when, sum(usd for _, usd in found), f"traded under {DECOUPLED:g}"


def _loop_loans(view: View) -> Found:
    times, seized, _ = pool_liquidations(view, view.news_ns, view.roles.end_ns)
    return float(times[0]), float(seized.sum()), "collateral seized in lending pools"


def _passive_leverage(view: View) -> Found:
    makers = _makers(view)
    bands = view.columns(e.MarginBandChanged)
    worse = np.isin(bands["account"], makers) & (bands["band"] >= MarginBand.REMINDER)
    worse &= bands["time_ns"] >= view.news_ns
    if not worse.any():
        raise CannotMeasureError("no maker's margin left the first band")
    first = int(np.argmax(worse))
    scale = view.books("primary_perp", "btc")[0].scale
    equity = bands["equity"][worse] / scale
    return (
        float(bands["time_ns"][first]),
        float(equity.sum()),
        "adjusted equity of the makers reminded",
    )


def _maker_liquidation(view: View) -> Found:
    makers = _makers(view)
    started = view.columns(e.LiquidationStarted)
    mine = np.isin(started["account"], makers) & (started["time_ns"] >= view.news_ns)
    if not mine.any():
        raise CannotMeasureError("no maker's account was liquidated")
    step = view.columns(e.LiquidationStep)
    own = np.isin(step["account"], makers) & (step["instrument"] >= 0)
    scales = np.array([item.scale for item in view.roles.instruments])
    usd = (step["value"] / scales[np.maximum(0, step["instrument"])])[own].sum()
    return float(started["time_ns"][mine][0]), float(usd), "liquidated in makers' accounts"


def _withdrawal(view: View) -> Found:
    items = view.books("primary_spot", "alt")
    _makers(view)
    total, calm = np.empty(0), 0.0
    for item in items:
        book = view.book(item)
        depth = book.depth("bid", 100)
        calm += float(np.median(depth[book.t < view.news_ns]))
        after = depth[book.t >= view.news_ns]
        total = after if not len(total) else total[: len(after)] + after[: len(total)]
    # Bids that are gone for a single second are only being requoted.
    width = min(MEAN_S, len(total))
    mean = np.convolve(total, np.full(width, 1.0 / width), "valid")
    gone = mean < WITHDRAWN * calm
    if not gone.any():
        raise CannotMeasureError(f"alts kept {100 * WITHDRAWN:g} % of their bids")
    when = view.news_ns + (int(np.argmax(gone)) + width) * NANOS
    return when, calm - float(mean.min()), "bids within 1 % that alts' spot books lost"


def _collapse(view: View) -> Found:
    times: list[float] = []
    sold = 0.0
    items = view.books("primary_spot", "alt")
    for item in items:
        prices = view.prices(item)
        after = prices.between(view.news_ns, view.roles.end_ns)
        low = after.p <= COLLAPSED * prices.before(view.news_ns)
        if low.any():
            times.append(float(after.t[int(np.argmax(low))]))
            trades = view.trades(item).between(view.news_ns, view.roles.end_ns)
            sold += float(trades.usd[trades.sell].sum())
    if 2 * len(times) < len(items):
        raise CannotMeasureError(f"{len(times)} of {len(items)} alts lost half of their price")
    return float(np.median(times)), sold, "sold by takers in the alts that lost half"


_LINKS: Final[dict[str, Callable[[View], Found]]] = {
    "macro shock": _macro_shock,
    "risk aversion": _risk_aversion,
    "loops are unwound": _loop_unwinding,
    "the synthetic dollar decouples": _decoupling,
    "loop loans are liquidated on chain": _loop_loans,
    "makers' collateral falls, passive leverage rises": _passive_leverage,
    "makers' unified accounts are liquidated": _maker_liquidation,
    "makers withdraw": _withdrawal,
    "alt spot collapses": _collapse,
}


def _accounts(view: View, prefixes: tuple[str, ...]) -> Array:
    rows = view.run.accounts
    return np.array([row["account"] for row in rows if row["population"].startswith(prefixes)], int)


def _makers(view: View) -> Array:
    found = _accounts(view, ("mm",))
    if not len(found):
        raise CannotMeasureError(
            "the run has no market makers (populations whose name starts with mm)"
        )
    return found


def _sold_by(view: View, accounts: Array, start_ns: float, end_ns: float) -> float:
    total = 0.0
    rows = view.columns(e.Traded)
    mine = np.isin(rows["taker_account"], accounts) & (rows["aggressor"] == 1)
    mine &= (rows["time_ns"] >= start_ns) & (rows["time_ns"] < end_ns)
    for item in view.roles.instruments:
        own = mine & (rows["instrument"] == item.id)
        total += float(rows["quote_amount"][own].sum()) / item.scale
    return total


def _sales(view: View, accounts: Array, asset_kind: str) -> tuple[Array, Array]:
    """Times and dollars of sales as taker, the venue's liquidations left out."""
    rows = view.columns(e.Traded)
    ids = [item.id for item in view.roles.instruments if item.base in view.roles.bases(asset_kind)]
    mine = np.isin(rows["taker_account"], accounts) & np.isin(rows["instrument"], ids)
    mine &= (rows["aggressor"] == 1) & (rows["time_ns"] >= view.news_ns)
    mine &= (rows["taker_flags"] & FLAG_LIQUIDATION) == 0
    scales = np.array([item.scale for item in view.roles.instruments])
    return rows["time_ns"][mine], rows["quote_amount"][mine] / scales[rows["instrument"][mine]]
