"""State of one venue: its prices, its liquidation queue and the columnar mirror of its accounts."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from exchange_sim.messages.reasons import MarginBand, RejectReason
from exchange_sim.model.account import CASH, PORTFOLIO, Account
from exchange_sim.risk.fund_history import FundHistory
from exchange_sim.risk.funding import PremiumAverage
from exchange_sim.risk.marks import BasisWindow
from exchange_sim.risk.mirror import Mirror
from exchange_sim.risk.profile import ORACLE_MEDIAN
from exchange_sim.risk.reach import ABOVE_ONE, NEVER_NAMED, UNBOUNDED, Limits
from exchange_sim.risk.watch_list import WatchList
from exchange_sim.units import NANOS_PER_HOUR, PPM
from exchange_sim.world.collateral_prices import Pricing
from exchange_sim.world.mark_rules import OracleState

if TYPE_CHECKING:
    from exchange_sim.risk.brackets import BracketTable
    from exchange_sim.world.config import InstrumentSpec, VenueSpec, WorldConfig
    from exchange_sim.world.world import World

LIQUIDATION_BAND = int(MarginBand.LIQUIDATION)


class Outflow:
    """What has left a venue in a clock hour, by asset."""

    __slots__ = ("amounts", "hour")

    def __init__(self) -> None:
        self.hour = -1
        self.amounts: dict[int, int] = {}

    def of(self, asset: int, now: int) -> int:
        """What has left in the hour of ``now``; a new hour starts at zero."""
        hour = now // NANOS_PER_HOUR
        if hour != self.hour:
            self.hour = hour
            self.amounts.clear()
        return self.amounts.get(asset, 0)


class VaultSlot:
    """What a takeover account may do in the present slot of the liquidation engine.

    ``whole`` is the value that it could take over when the slot began, ``room`` the slot's share of
    that, ``taken`` what it took; ``offered_ns`` is the time of its last offers.
    """

    __slots__ = ("offered_ns", "room", "taken", "whole")

    def __init__(self, start_ns: int) -> None:
        self.whole = self.room = self.taken = 0
        self.offered_ns = start_ns


class VenueState:
    """What a venue knows beyond its books.

    ``queue`` holds the ids of accounts under liquidation in the order in which they are served;
    ``budget[instrument]`` is what the liquidation engine may still send in the current slot.
    ``steps`` counts the slots in which an account acted, ``judged`` is the mark update at which it
    was last looked at, ``partial_ns`` the time of its last step that left something of a position.
    ``attempted`` holds the instruments in which this slot sent an order for an account,
    ``liquidated`` those in which one of an account was closed, ``for_round`` the accounts that wait
    for its ADL round.  ``sale_place`` is the published order in which assets are sold.
    ``screened_seq`` is the command that last looked for accounts at risk.  ``pricing`` says how
    each asset is priced, ``next_sample_ns`` when index and basis are sampled again.
    ``symbol_results`` sums what each instrument cost the fund.  ``gtd`` is a heap of
    ``(expire_ns, order id, account, client order id)``.
    """

    def __init__(self, spec: VenueSpec, config: WorldConfig, world: World) -> None:
        self.spec = spec
        self.id = spec.id
        self.profile = profile = spec.profile
        self.absorbing = profile.margin.kind == "absorbing"
        self.numeraire = spec.numeraire
        system = world.system[spec.id]
        self.fees, self.insurance, self.pool, self.takeover, self.bad_debt = system
        own = [s for s in config.instruments if s.instrument.venue == spec.id]
        self.spots = [s.instrument.id for s in own if s.brackets is None]
        self.perps = [s.instrument.id for s in own if s.brackets is not None]
        self.spot_of = {
            config.instruments[i].instrument.base: i
            for i in self.spots
            if config.instruments[i].instrument.quote == spec.numeraire
        }
        self.asset_prices = [0] * len(config.assets)
        self.reference_prices = [0] * len(config.assets)
        self.basis = {i: BasisWindow(spec.basis_samples) for i in self.perps}
        self.premiums = {i: PremiumAverage() for i in self.perps}
        self.last_funding_ppb = dict.fromkeys(self.perps, 0)
        self.last_interest_ns = config.start_ns
        self.queue: deque[int] = deque()
        self.steps: dict[int, int] = {}
        self.judged: dict[int, int] = {}
        self.partial_ns: dict[int, int] = {}
        self.attempted: dict[int, None] = {}
        self.liquidated: dict[int, None] = {}
        self.for_round: list[int] = []
        self.vault = VaultSlot(config.start_ns)
        self.rounds = 0
        self.sale_place = {asset: place for place, asset in enumerate(spec.sale_order)}
        self.fund_history = FundHistory(profile.insurance.window_ns)
        self.symbol_results = {i: FundHistory(profile.insurance.window_ns) for i in self.perps}
        self.adl_running: dict[int, None] = {}
        self.previous_marks = {i: config.instruments[i].initial_price * PPM for i in self.perps}
        self.pricing: list[Pricing] = []
        self.next_sample_ns: dict[str, int] = {}
        rule = profile.mark
        self.oracles = {
            i: OracleState(rule.basis_tau_ns, rule.book_tau_ns, config.start_ns)
            for i in self.perps
            if rule.kind == ORACLE_MEDIAN
        }
        self.budget: dict[int, int] = {}
        self.transfers_enabled = True
        self.outflow = Outflow()
        self.mark_epoch = 0
        self.screened_seq = -1
        self.lent = [0] * len(config.assets)
        self.bad_debt_total = 0
        self.gtd: list[tuple[int, int, int, int]] = []
        self.gtd_limit = 1024
        self.takeover_busy = False
        self.debtors: dict[int, None] = {}
        self.has_portfolio = False
        self.coins = frozenset(s.instrument.settle for s in own if s.instrument.inverse)
        self.mirror = _mirror(spec, own, world.brackets, len(config.assets))
        self.mirror.complete = not self.coins
        self.watch = WatchList(self.mirror)

    def liquidations_pending(self) -> bool:
        """Whether an account waits for liquidation or the takeover account has to sell."""
        return bool(self.queue) or (self.takeover_busy and self.profile.takeover.works_off)


def _mirror(
    spec: VenueSpec, own: list[InstrumentSpec], brackets: list[BracketTable | None], assets: int
) -> Mirror:
    """Columns for the accounts of a venue, with its perpetuals that settle in the numeraire."""
    perpetuals = [
        (s.instrument.id, s.instrument.unit_value, table)
        for s in own
        if (table := brackets[s.instrument.id]) is not None and not s.instrument.inverse
    ]
    return Mirror(spec.numeraire, spec.collateral, spec.loan_mmr_ppm, assets, perpetuals)


def known_venue(w: World, c: tuple[int, ...]) -> VenueState | None:
    """The venue that a command names in its first field, or a refusal."""
    if 0 <= c[2] < len(w.venues):
        return w.venues[c[2]]
    w.out.append((15, -1, c[0], int(RejectReason.UNKNOWN_VENUE)))
    return None


def refresh_mirror(w: World, venue: VenueState) -> None:
    """Copy the accounts of a venue that changed since the last time.  O(changed)."""
    elsewhere: dict[int, bool] = {}
    posted, bands, refresh = w.ledger.posted, venue.spec.bands, venue.mirror.refresh
    for account_id in w.dirty:
        account = w.accounts[account_id]
        if account.venue != venue.id:
            elsewhere[account_id] = True
        elif account.mode != CASH and account.owner >= 0:
            net = posted[account_id]
            if account.loans:
                net = list(net)
                for asset, loan in account.loans.items():
                    net[asset] -= loan
            limits = limits_of(account, bands)
            beyond = (account.modes is not None or venue.coins) and _beyond(venue, account)
            refresh(account_id, net, account.loans, account.positions, limits, bool(beyond))
    w.dirty = elsewhere


def _beyond(venue: VenueState, account: Account) -> bool:
    """Whether the columns cannot hold an account's margin: of two legs, or of a contract that is
    settled in a coin.
    """
    if account.liquidating:
        return False
    if account.modes is not None and account.modes.margin is not None:
        return bool(account.loans)
    slots = venue.mirror.slot
    return any(p.held and (p.legs or i not in slots) for i, p in account.positions.items())


def limits_of(account: Account, bands: tuple[int, ...]) -> Limits:
    """Ratios of equity to maintenance between which nothing about an account is new.

    Whoever stays in its band needs no exact look at every mark: in a crash, 2,000 accounts under a
    reminder were half of the time of a mark update.  One in the liquidation band that is not under
    liquidation is always looked at.
    """
    if account.liquidating:
        return NEVER_NAMED
    if account.mode != PORTFOLIO:
        return ABOVE_ONE
    band = account.band
    if band >= LIQUIDATION_BAND:
        return UNBOUNDED, bands[LIQUIDATION_BAND - 1] / PPM
    return bands[band] / PPM, bands[band - 1] / PPM if band else UNBOUNDED
