"""The links of the causal chain as lines: which one, when, how large.

A line of the narrative with a ``link`` says that a link of the chain was seen: ``LINKS`` in the
order in which the public account of the crash has them, and four more.  ``usd`` is its size in
whole dollars so far.  A link is told when it is first seen and again when it has grown fourfold, or
when a price has fallen through the next of its steps.

What is looked at are events and nothing else: prices of collateral, marks and open interest,
trades (for the size of a break), loans, liquidations, margin bands and remarks of participants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from exchange_sim.eventlog.fallen import Fallen
from exchange_sim.eventlog.line import Line
from exchange_sim.eventlog.names import Names
from exchange_sim.messages import chain_events as ce
from exchange_sim.messages import credit_events as cr
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import LoanNoticeKind, MarginBand, NoteKind
from exchange_sim.model.enums import SELL
from exchange_sim.units import NANOS_PER_MINUTE, PPM

Event = tuple[int, ...]

LINKS: Final = (
    "macro_shock",
    "risk_aversion",
    "loop_unwinding",
    "depeg",
    "onchain_liquidation",
    "maker_collateral",
    "maker_liquidation",
    "withdrawal",
    "alt_collapse",
)
"""The chain of the public account, in its order."""
SIDE_LINKS: Final = ("loan_call", "forced_sale", "wrapper_break", "redemption")
"""Links that belong to the chain but have no place of their own in that account."""

GROWTH: Final = 4
"""A link is told again when its size has grown by this factor."""
MAJOR_STEPS: Final = (0.01, 0.03, 0.05, 0.10)
"""Mean falls of the majors at which aversion to risk is told."""
PEG_STEPS: Final = (0.02, 0.05, 0.10, 0.20, 0.30)
"""Discounts to the redemption value at which the break of a pegged asset is told."""
ALT_STEPS: Final = (0.20, 0.40, 0.60, 0.80)
"""Median falls of the alts of a venue at which their collapse is told."""

_SENTENCES: Final = {
    "macro_shock": "news hits the market",
    "risk_aversion": "the market turns away from risk",
    "loop_unwinding": "loops are being unwound",
    "depeg": "the synthetic dollar loses its peg",
    "onchain_liquidation": "positions in lending pools are liquidated",
    "maker_collateral": "collateral of makers falls, their leverage rises",
    "maker_liquidation": "unified accounts of makers are liquidated",
    "withdrawal": "makers withdraw liquidity",
    "alt_collapse": "alts collapse",
    "loan_call": "lenders call for collateral",
    "forced_sale": "lenders sell pledged coins",
    "wrapper_break": "a staking wrapper trades far below its redemption value",
    "redemption": "dollars are redeemed at par",
}


@attrs.frozen
class MarketFacts:
    """What ids stand for, beside their names, when a run starts.

    ``books`` are (venue, base asset, perpetual, quote units of one tick times one lot) by
    instrument, ``kinds`` the roles of assets, ``redemption`` (asset, ppm) by asset; prices and
    marks are those of the start.  ``makers`` maps accounts to the value that they quote per side in
    a calm market.
    """

    books: tuple[tuple[int, int, bool, int], ...]
    kinds: tuple[str, ...]
    redemption: tuple[tuple[int, int], ...]
    prices: Mapping[tuple[int, int], int]
    marks: tuple[int, ...]
    makers: Mapping[int, float]


class Links:
    """Watches events and yields a line whenever a link is seen or has grown."""

    kinds: Final = frozenset(
        kind.type_id
        for kind in (
            e.Traded, e.MarkPriceUpdated, e.AssetPriceUpdated, e.MarginBandChanged,
            e.LiquidationStarted, e.Noted, cr.LoanNotice, cr.LoanCollateralSold,
            cr.SyntheticRedeemed, ce.PoolLiquidation, ce.MarketLiquidation,
        )
    )  # fmt: skip

    def __init__(self, facts: MarketFacts, names: Names) -> None:
        self._facts = facts
        self._names = names
        self._prices = dict(facts.prices)
        self._sizes: dict[str, float] = {}
        self._told: dict[str, float] = {}
        self._steps: dict[tuple[str, int], int] = {}
        self._fallen: dict[int, Fallen] = {}
        self._losses = [0.0] * len(facts.books)
        self._interest = [0.0] * len(facts.books)
        self._sold: dict[int, list[float]] = {
            k: [0.0, 0.0, -1.0] for k, book in enumerate(facts.books) if not book[2]
        }
        self._handlers: Final = {
            e.Traded.type_id: self._traded,
            e.MarkPriceUpdated.type_id: self._marked,
            e.AssetPriceUpdated.type_id: self._priced,
            e.MarginBandChanged.type_id: self._band,
            e.LiquidationStarted.type_id: self._liquidated,
            e.Noted.type_id: self._noted,
            cr.LoanNotice.type_id: self._called,
            cr.LoanCollateralSold.type_id: self._forced,
            cr.SyntheticRedeemed.type_id: self._redeemed,
            ce.PoolLiquidation.type_id: self._pool,
            ce.MarketLiquidation.type_id: self._market,
        }

    def observe(self, time_ns: int, event: Event) -> Iterator[Line]:
        """Take one event of ``kinds``."""
        handler = self._handlers.get(event[0])
        if handler is not None:
            yield from handler(time_ns, event)

    # sizes

    def _grow(self, link: str, usd: float, **more: Any) -> Iterator[Line]:
        """Add to a link's size; a line when it is new or has grown enough."""
        total = self._sizes[link] = self._sizes.get(link, 0.0) + usd
        if link not in self._told or total >= GROWTH * max(1.0, self._told[link]):
            self._told[link] = total
            yield self._line(link, total, **more)

    def _line(self, link: str, usd: float, **more: Any) -> Line:
        fields = {"link": link, "usd": round(usd), **more}
        return Line(_SENTENCES[link], fields, notable=True)

    def _step(self, link: str, key: int, fall: float, steps: tuple[float, ...]) -> bool:
        """Whether a fall has gone through the next step of a link."""
        passed = sum(1 for step in steps if fall >= step)
        if passed <= self._steps.get((link, key), 0):
            return False
        self._steps[link, key] = passed
        return True

    def _dollars(self, asset: int, amount: int) -> float:
        """Value of an amount at the last price that any venue gave the asset, else at par."""
        whole: float = amount / 10 ** self._names.decimals[asset]
        for (_, other), price in self._prices.items():
            if other == asset:
                return whole * price / self._numeraire_units()
        return whole

    def _numeraire_units(self) -> float:
        return float(10 ** self._names.decimals[self._names.numeraires[0]] * PPM)

    def _venue_dollars(self, venue: int, amount: int) -> float:
        asset = self._names.numeraire(venue)
        return float(amount / 10 ** self._names.decimals[asset]) if asset >= 0 else 0.0

    def _account_dollars(self, account: int, amount: int) -> float:
        return self._venue_dollars(self._names.venue_of(account), amount)

    # prices

    def _traded(self, time_ns: int, event: Event) -> Iterator[Line]:
        """Sells of this and the last minute, by book."""
        sold = self._sold.get(event[2])
        if sold is not None and event[5] == SELL:
            minute = time_ns // NANOS_PER_MINUTE
            if minute != sold[2]:
                sold[:] = [0.0, sold[0] if minute == sold[2] + 1 else 0.0, minute]
            sold[0] += event[11]
        yield from ()

    def _sold_lately(self, venue: int, asset: int) -> float:
        """Dollars of one asset sold on a venue in this and the last minute."""
        return sum(
            self._venue_dollars(venue, int(sold[0] + sold[1]))
            for k, sold in self._sold.items()
            if self._facts.books[k][:2] == (venue, asset)
        )

    def _marked(self, _: int, event: Event) -> Iterator[Line]:
        """What longs have lost in all perpetuals, and what is open."""
        _, k, mark, _, _, _, interest = event
        venue, _, _, unit = self._facts.books[k]
        self._losses[k] = self._venue_dollars(
            venue, (self._facts.marks[k] - mark) * interest * unit // PPM
        )
        self._interest[k] = self._venue_dollars(venue, mark * interest * unit // PPM)
        yield from ()

    def _priced(self, _: int, event: Event) -> Iterator[Line]:
        _, venue, asset, price = event
        self._prices[venue, asset] = price
        kind = self._facts.kinds[asset]
        if kind in {"pegged", "wrapper"}:
            yield from self._pegged(venue, asset, price, kind)
        elif kind == "major":
            falls = list(self._falls(venue, kind).values())
            fall = sum(falls) / max(1, len(falls))
            if self._step("risk_aversion", -1, fall, MAJOR_STEPS):
                lost = sum(max(0.0, loss) for loss in self._losses)
                yield self._line("risk_aversion", lost, fall=_share(fall))
        elif kind == "alt":
            first = self._facts.prices.get((venue, asset))
            if venue not in self._fallen:
                self._fallen[venue] = Fallen(self._falls(venue, kind), ALT_STEPS)
            fell = self._fallen[venue].put(asset, 1.0 - price / first) if first else None
            if fell is not None:
                usd = sum(
                    self._sold_lately(venue, a)
                    for a, role in enumerate(self._facts.kinds)
                    if role == "alt"
                )
                where = self._names.venue(venue)
                yield self._line("alt_collapse", usd, venue=where, median_fall=_share(fell))

    def _falls(self, venue: int, kind: str) -> dict[int, float]:
        """Falls since the start of all assets of a kind on a venue."""
        start = self._facts.prices
        return {
            asset: 1.0 - price / start[at, asset]
            for (at, asset), price in self._prices.items()
            if at == venue and self._facts.kinds[asset] == kind and start.get((at, asset))
        }

    def _pegged(self, venue: int, asset: int, price: int, kind: str) -> Iterator[Line]:
        into, ppm = self._facts.redemption[asset]
        under = self._prices.get((venue, into), 0)
        if not ppm or not under:
            return
        discount = 1.0 - price / (under * ppm / PPM)
        link = "depeg" if kind == "pegged" else "wrapper_break"
        if self._step(link, venue * len(self._facts.kinds) + asset, discount, PEG_STEPS):
            yield self._line(
                link,
                self._sold_lately(venue, asset),
                venue=self._names.venue(venue),
                asset=self._names.asset(asset),
                discount=_share(discount),
            )

    # people and systems

    def _band(self, _: int, event: Event) -> Iterator[Line]:
        _, account, band, ratio, equity, maintenance = event
        if account in self._facts.makers and band >= MarginBand.REMINDER:
            usd = self._account_dollars(account, equity)
            yield from self._grow(
                "maker_collateral", usd, account=self._names.account(account),
                uni_mmr=_share(ratio / PPM),
                maintenance=round(self._account_dollars(account, maintenance)),
            )  # fmt: skip

    def _liquidated(self, _: int, event: Event) -> Iterator[Line]:
        account, equity = event[1], event[2]
        if account in self._facts.makers:
            usd = max(0.0, self._account_dollars(account, equity))
            name = self._names.account(account)
            yield from self._grow("maker_liquidation", usd, account=name)

    def _noted(self, _: int, event: Event) -> Iterator[Line]:
        _, account, kind, a, b = event
        if kind == NoteKind.SHOCK and account < 0:
            yield self._line("macro_shock", sum(self._interest), name=self._names.shock(a))
        elif kind == NoteKind.LOOP_UNWINDING:
            name = self._names.account(account)
            yield from self._grow("loop_unwinding", float(a), account=name)
        elif kind in {NoteKind.QUOTES_WITHDRAWN, NoteKind.QUOTES_REDUCED}:
            usd = self._facts.makers.get(account, 0.0) * (1.0 - min(1.0, b / PPM))
            name = self._names.account(account)
            yield from self._grow("withdrawal", usd, account=name)

    def _called(self, _: int, event: Event) -> Iterator[Line]:
        _, _, account, kind, ratio, debt, _, _ = event
        if kind == LoanNoticeKind.CALL:
            usd = self._account_dollars(account, debt)
            yield from self._grow("loan_call", usd, ltv=_share(ratio / PPM))

    def _forced(self, _: int, event: Event) -> Iterator[Line]:
        _, _, account, instrument, _, value, forced = event
        if forced:
            usd = self._account_dollars(account, value)
            name = self._names.instrument(instrument)
            yield from self._grow("forced_sale", usd, instrument=name)

    def _redeemed(self, _: int, event: Event) -> Iterator[Line]:
        yield from self._grow("redemption", event[3] / self._pegged_scale())

    def _pegged_scale(self) -> float:
        kinds = self._facts.kinds
        places = [self._names.decimals[a] for a, kind in enumerate(kinds) if kind == "pegged"]
        return float(10 ** places[0]) if places else 1.0

    def _pool(self, _: int, event: Event) -> Iterator[Line]:
        yield from self._grow("onchain_liquidation", self._dollars(event[4], event[6]))

    def _market(self, _: int, event: Event) -> Iterator[Line]:
        asset = self._names.numeraires[0]
        yield from self._grow("onchain_liquidation", self._dollars(asset, event[4]))


def _share(value: float) -> str:
    """A ratio with three places, as other lines have it."""
    return f"{value:.3f}"
