"""A small world in small numbers, and a desk to trade on it.

Everything is counted in the smallest unit: one tick times one lot is one unit of USDT, prices stand
near 1,000 ticks, and ten lots at 1,000 are 10,000 units.  So every rounding shows.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import attrs
import pytest

from exchange_sim.matching.filters import Filters
from exchange_sim.messages.registry import EVENTS, Message, decode_event
from exchange_sim.model.account import CASH, CROSS
from exchange_sim.model.enums import GTC, IOC, LIMIT, MARKET, InstrumentKind
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.profile import Profile
from exchange_sim.world import AssetSpec, FeeTier, InstrumentSpec, VenueSpec, World, WorldConfig
from exchange_sim.world.steps import StepChecker

Event = tuple[int, ...]

START = 1_760_000_000 * 10**9
SECOND = 10**9
USDT, BTC, ETH, USDE = range(4)
SPOT, USDE_SPOT, PERP, ETH_PERP, ETH_SPOT, SPOT_2, PERP_2 = range(7)
COIN_PERP = 7
"""An inverse perpetual on BTC in worlds made with ``coin=True``: a lot is 1,000 units of USDT."""
PERPS = (PERP, ETH_PERP, PERP_2)
PRICE = 1_000
BTC_LOT = 1_000
"""Units of BTC in one lot: a lot is worth about 1,000 units of USDT."""
BRACKETS = BracketTable(
    floors=(0, 200_000, 1_000_000), mmr_ppm=(10_000, 25_000, 100_000), leverage=(50, 20, 4)
)
COIN_BRACKETS = BracketTable(
    floors=(0, 200_000, 1_000_000), mmr_ppm=(10_000, 25_000, 100_000), leverage=(50, 20, 4)
)
"""In units of BTC."""
FREE_FEES = (FeeTier(0, 0),)
FEES = (FeeTier(200, 500), FeeTier(0, 300))


def instrument(i: int, symbol: str, venue: int, base: Asset, quote: Asset) -> Instrument:
    """An instrument whose tick times lot is one unit of the quote asset."""
    kind = InstrumentKind.PERPETUAL if "PERP" in symbol else InstrumentKind.SPOT
    step = Decimal("0.001")
    return Instrument.make(i, symbol, venue, kind, base, quote, step, step)


def make_config(
    fees: tuple[FeeTier, ...] = FREE_FEES,
    venue: dict[str, Any] | None = None,
    perp: dict[str, Any] | None = None,
    spot: dict[str, Any] | None = None,
    coin: bool = False,
) -> WorldConfig:
    """Two venues: spot and perpetuals on both; the keyword tables override their defaults.

    With ``coin`` there is an inverse perpetual too.
    """
    usdt, btc, eth, usde = (
        Asset(i, name, 6) for i, name in enumerate(("USDT", "BTC", "ETH", "USDE"))
    )
    books = [
        ("BTCUSDT", 0, btc), ("USDEUSDT", 0, usde), ("BTC-PERP", 0, btc), ("ETH-PERP", 0, eth),
        ("ETHUSDT", 0, eth), ("BTCUSDT", 1, btc), ("BTC-PERP", 1, btc),
    ]  # fmt: skip
    source = {PERP: SPOT, ETH_PERP: ETH_SPOT, PERP_2: SPOT_2}
    specs = []
    for i, (symbol, where, base) in enumerate(books):
        options: dict[str, Any] = {"filters": Filters(), **(spot or {})}
        if i in source:
            options = {"filters": Filters(), "brackets": BRACKETS, "default_leverage": 10}
            options |= {"index_sources": ((source[i], 1),), **(perp or {})}
        inst = instrument(i, symbol, where, base, usdt)
        specs.append(InstrumentSpec(inst, PRICE, **options))
    if coin:
        options = {"filters": Filters(unit_value=0), "default_leverage": 10, **(perp or {})}
        options |= {"brackets": COIN_BRACKETS, "index_sources": ((SPOT, 1),)}
        options["filters"] = Filters(unit_value=0)
        inverse = Instrument.make(
            COIN_PERP, "BTC-COIN", 0, InstrumentKind.INVERSE_PERPETUAL, btc, usdt,
            Decimal("0.001"), Decimal("0.001"),
        )  # fmt: skip
        specs.append(InstrumentSpec(inverse, PRICE, **options))
    settings: dict[str, Any] = {
        "numeraire": USDT,
        "fee_tiers": fees,
        "collateral": {
            USDT: CollateralTable.of_ratio(1_000_000),
            BTC: CollateralTable(((500_000, 950_000), (None, 800_000))),
            ETH: CollateralTable.of_ratio(900_000),
            USDE: CollateralTable.of_ratio(900_000),
        },
        "margin_pool": {USDT: 10**9, BTC: 10**9, ETH: 10**9},
        "interest_ppb_per_hour": {USDT: 10_000, BTC: 5_000},
        "liquidation_fee_ppm": 0,
        "basis_samples": 3,
        "impact_margin": 100,
        "transfer_fee": {USDT: 10},
        **(venue or {}),
    }
    assets = (AssetSpec(usdt), AssetSpec(btc), AssetSpec(eth), AssetSpec(usde, USDT, 1_000_000))
    venues = tuple(VenueSpec(id=i, name=f"venue-{i}", **settings) for i in range(2))
    return WorldConfig(START, assets, venues, tuple(specs))


class Desk:
    """A world whose every command is checked, with short words for the commands."""

    def __init__(
        self, config: WorldConfig | None = None, check: bool = True, **tables: Any
    ) -> None:
        self.w = World(config or make_config(**tables))
        self.now = START
        self.checker = StepChecker(self.w) if check else None
        self.last_client_id = 0
        self.events: list[Event] = []

    def do(self, kind: int, *fields: int) -> list[Event]:
        """Apply a command now; its events.  Fails on any broken rule."""
        command = (kind, self.now, *fields)
        if self.checker is not None:
            self.checker.before(command)
        events = self.w.apply(command)
        if self.checker is not None:
            assert self.checker.observe(command, events) == []
        self.events.extend(events)
        return events

    def account(self, mode: int = CASH, venue: int = 0, tier: int = 0, **units: int) -> int:
        """A new account with deposits such as ``usdt=5_000``, in units."""
        (event,) = self.do(20, venue, 7, mode, tier)
        for name, amount in units.items():
            self.do(21, event[1], ("usdt", "btc", "eth", "usde").index(name), amount)
        return event[1]

    def order(
        self,
        account: int,
        inst: int,
        side: int,
        kind: int,
        price: int,
        qty: int,
        tif: int = GTC,
        **more: int,
    ) -> list[Event]:
        """Enter an order; ``more`` are later fields of NewOrder, ``id`` its client order id."""
        self.last_client_id += 1
        client_id = more.pop("id", self.last_client_id)
        names = ("display", "trigger", "trailing", "flags", "stp", "expire")
        later = [more.pop(name, 0) for name in names]
        assert not more
        return self.do(1, account, inst, client_id, side, kind, tif, price, qty, *later)

    def limit(
        self, account: int, inst: int, side: int, price: int, qty: int, **more: int
    ) -> list[Event]:
        """A limit order, good till canceled unless ``tif`` says otherwise."""
        return self.order(account, inst, side, LIMIT, price, qty, **more)

    def market(self, account: int, inst: int, side: int, qty: int, **more: int) -> list[Event]:
        """A market order."""
        return self.order(account, inst, side, MARKET, 0, qty, tif=more.pop("tif", IOC), **more)

    def pair(self, long: int, short: int, inst: int, price: int, qty: int) -> list[Event]:
        """Open opposite positions of two accounts."""
        return self.do(25, long, short, inst, price, qty)

    def marks(self, venue: int = 0, seconds: int = 1) -> list[Event]:
        """A second passes and the venue samples its books."""
        self.now += seconds * SECOND
        return self.do(10, venue)

    def tick(self, venue: int = 0) -> list[Event]:
        """One slot of the liquidation engine."""
        return self.do(13, venue)

    def trade_at(self, inst: int, price: int, maker: int, taker: int, qty: int = 1) -> None:
        """Print a trade at ``price``; the book must not stand in the way."""
        self.limit(maker, inst, 0, price, qty)
        self.limit(taker, inst, 1, price, qty, tif=IOC)

    def free(self, account: int, asset: int = USDT) -> int:
        """Posted less reserved balance."""
        return self.w.ledger.free(account, asset)

    def posted(self, account: int, asset: int = USDT) -> int:
        """The whole balance."""
        return self.w.ledger.posted[account][asset]

    def position(self, account: int, inst: int = PERP) -> tuple[int, int]:
        """Lots and entry notional, (0, 0) when flat."""
        held = self.w.accounts[account].positions.get(inst)
        return (held.qty, held.entry_notional) if held else (0, 0)


def of(events: list[Event], kind: int) -> list[Event]:
    """The events of one kind."""
    return [event for event in events if event[0] == kind]


def named(event: Event) -> Message:
    """An event as an object with names."""
    return decode_event(event)


def kinds(events: list[Event]) -> list[str]:
    """Names of the events, in order."""
    return [EVENTS[event[0]].__name__ for event in events]


def reason(events: list[Event]) -> int:
    """The reason of the only event, which must be a refusal."""
    (event,) = events
    assert event[0] in {2, 15}, event
    return event[4] if event[0] == 2 else event[3]


def under(profile: Profile, **rules: dict[str, Any]) -> dict[str, Any]:
    """Settings of a venue with a profile's rules and figures; ``rules`` change parts of it.

    ``under(HYPERLIQUID, ladder={"whole_below": 0})``.
    """
    parts = {part: attrs.evolve(getattr(profile, part), **new) for part, new in rules.items()}
    numbers = profile.numbers
    return {
        "profile": attrs.evolve(profile, **parts),
        "bands": numbers.bands,
        "funding_interval_ns": numbers.funding_interval_ns,
        "liquidation_fee_ppm": 0,
    }


def evolve_venue(config: WorldConfig, **changes: Any) -> WorldConfig:
    """The same world with other settings of the first venue."""
    first, *rest = config.venues
    return attrs.evolve(config, venues=(attrs.evolve(first, **changes), *rest))


class Street(Desk):
    """A desk with a house that makes the price of BTC, spot and perpetual, on the first venue."""

    def __init__(
        self, config: WorldConfig | None = None, check: bool = True, **tables: Any
    ) -> None:
        super().__init__(config, check, **tables)
        self.cash = self.account(usdt=10**12, btc=10**12, usde=10**12)
        self.house = self.account(CROSS, usdt=10**12)
        self.partner = self.account(CROSS, usdt=10**12)

    def move(self, price: int, bids: int = 0, asks: int = 0, gap: int = 1) -> list[Event]:
        """Trade at ``price`` everywhere, quote the perpetual around it, and let the mark follow.

        ``bids`` and ``asks`` are lots; the spot book is quoted at ``price`` alone.
        """
        for account in (self.cash, self.house):
            self.do(4, account, -1, -1)
        self.trade_at(SPOT, price, self.cash, self.cash)
        self.trade_at(PERP, price, self.house, self.partner)
        if bids:
            self.limit(self.house, PERP, 0, price - gap, bids)
        if asks:
            self.limit(self.house, PERP, 1, price + gap, asks)
        return [event for _ in range(4) for event in self.marks()]

    def victim(self, mode: int, lots: int, price: int = PRICE, **units: int) -> int:
        """An account with ``lots`` of the BTC perpetual (negative: short) since ``price``."""
        account = self.account(mode, **units)
        sides = (account, self.house) if lots > 0 else (self.house, account)
        self.pair(*sides, PERP, price, abs(lots))
        return account

    def drain(self, slots: int = 50) -> list[Event]:
        """Let the liquidation engine work until its queue is empty, at most ``slots`` times."""
        events: list[Event] = []
        for _ in range(slots):
            if not self.w.liquidation_pending(0):
                break
            events += self.tick()
        return events


def reported(patch: pytest.MonkeyPatch) -> list[str]:
    """From now on desks collect the ids of broken rules here instead of failing at once."""
    found: list[str] = []

    def do(desk: Desk, kind: int, *fields: int) -> list[Event]:
        command = (kind, desk.now, *fields)
        assert desk.checker is not None
        desk.checker.before(command)
        events = desk.w.apply(command)
        found.extend(violation.id for violation in desk.checker.observe(command, events))
        desk.events.extend(events)
        return events

    patch.setattr(Desk, "do", do)
    return found
