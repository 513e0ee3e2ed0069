"""The world as a state machine: one entry point, one order of effects.

``World.apply`` takes a command as a tuple of integers and returns the events that it caused, also
as tuples (see ``messages``).  It never waits, reads a clock, draws a random number or does I/O.  A
refusal is an event with a numbered reason; an exception from here is a defect and ends the run.

The class only holds state.  What a command does is a function in one of the sibling modules, so
that each subject (orders, settlement, marks, liquidation ...) can be read on its own.
"""

from __future__ import annotations

from collections.abc import Callable

from exchange_sim.credit.desk import Loan
from exchange_sim.ledger.ledger import Ledger
from exchange_sim.matching.engine import MatchingEngine
from exchange_sim.model.account import CASH, PORTFOLIO, Account
from exchange_sim.model.instrument import Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.world import (
    accounts,
    digest,
    expiry,
    funding,
    hedge,
    isolated,
    issuers,
    liquidation,
    loan_sales,
    loans,
    margin,
    marks,
    orders,
    statuses,
    takeover,
    transfers,
    wrappers,
)
from exchange_sim.world.chain import blocks, feeds, sampling
from exchange_sim.world.chain.state import ChainState
from exchange_sim.world.config import InstrumentSpec, WorldConfig
from exchange_sim.world.issuers import open_issuers
from exchange_sim.world.lenders import open_lenders
from exchange_sim.world.order_rates import order_rates
from exchange_sim.world.price_range import average_windows, range_windows
from exchange_sim.world.vaults import open_wrappers
from exchange_sim.world.venue import VenueState

Command = tuple[int, ...]
Event = tuple[int, ...]
Handler = Callable[["World", Command], None]

EXTERNAL, TRANSIT, DUST = 0, 1, 2
"""Ledger accounts of every world: the outside, transfers under way, and what rounding leaves."""


class World:
    """State of all venues, and the only way to change it.

    ``seq`` counts applied commands and ``time_ns`` is the time of the last one.  ``marks`` and
    ``indexes`` are micro-ticks by instrument, ``holders`` the accounts with a position
    in it; ``trade_groups`` is the owner by account.
    ``wallets`` are the isolated wallets by account, ``unsettled`` those that the present
    command touched.  Collateral prices are kept by venue; ``price_scales[asset]`` divides amount
    times price.
    ``leverages`` and ``full_notional`` are what ``world.margin`` works out from the brackets.
    """

    def __init__(self, config: WorldConfig) -> None:
        for spec in config.instruments:
            _check_instrument(config, spec)
        self.config = config
        self.seq = 0
        self.time_ns = config.start_ns
        self.out: list[Event] = []
        self.next_order_id = 1
        self.next_trade_id = 1
        self.next_transfer = 1
        self.transfers: dict[int, tuple[int, int, int]] = {}
        self.ranges = range_windows(config)
        self.averages = average_windows(config)
        self.order_rates = order_rates(config)
        self.wallets: dict[int, isolated.Wallet] = {}
        self.unsettled: dict[int, None] = {}
        self.trade_groups: list[int] = []
        self.ledger = Ledger(len(config.assets))
        self.accounts: list[Account] = []
        self.loans: dict[int, Loan] = {}
        self.next_loan = 1
        self._open_system_accounts()
        self.lenders = open_lenders(self)
        self.wrappers = open_wrappers(self)
        self.unwraps: dict[int, tuple[int, int, int]] = {}
        self.next_unwrap = 1
        self.issuers = open_issuers(self)
        self.instruments: list[Instrument] = [spec.instrument for spec in config.instruments]
        self.specs = config.instruments
        self.brackets: list[BracketTable | None] = [
            margin.margin_table(config, spec) for spec in config.instruments
        ]
        self.price_scales = [s.asset.scale * margin.PRICE_SCALE for s in config.assets]
        self.leverages = [margin.default_leverage(spec) for spec in config.instruments]
        self.full_notional = [margin.full_notionals(spec) for spec in config.instruments]
        self.engines = [MatchingEngine() for _ in config.instruments]
        self.status = [0] * len(self.engines)
        self.venues = [VenueState(spec, config, self) for spec in config.venues]
        self.marks = [spec.initial_price * 1_000_000 for spec in config.instruments]
        self.indexes = list(self.marks)
        self.last_prices = [spec.initial_price for spec in config.instruments]
        self.open_interest = [0] * len(self.engines)
        self.holders: list[dict[int, None]] = [{} for _ in self.engines]
        self.index_sources: list[list[tuple[int, int, int, int]]] = []
        self.mark_sources: list[list[tuple[int, int, int, int]]] = []
        self.touched_ns = [config.start_ns] * len(self.engines)
        self.chain = ChainState(config.chain, self) if config.chain else None
        self.dirty: dict[int, bool] = {}
        for engine, spec in zip(self.engines, config.instruments, strict=True):
            engine.protect_ppm = spec.protect_ppm
            if config.venues[spec.instrument.venue].trade_groups:
                engine.book.groups = self.trade_groups
        marks.start(self)
        if self.chain is not None:
            feeds.start(self)

    def _open_system_accounts(self) -> None:
        for overdraw in (True, False, False):
            self.add_account(-1, -1, CASH, 0, overdraw)
        self.clearing: list[int] = [-1] * len(self.config.instruments)
        self.system: list[tuple[int, int, int, int, int]] = []
        for venue in self.config.venues:
            self.system.append(
                (
                    self.add_account(venue.id, -1, CASH, 0),
                    self.add_account(venue.id, -1, CASH, 0),
                    self.add_account(venue.id, -1, CASH, 0, overdraw=True),
                    self.add_account(venue.id, -1, PORTFOLIO, 0),
                    self.add_account(venue.id, -1, CASH, 0, overdraw=True),
                )
            )
        for spec in self.config.instruments:
            if spec.instrument.perpetual:
                account = self.add_account(spec.instrument.venue, -1, CASH, 0, overdraw=True)
                self.clearing[spec.instrument.id] = account

    def add_account(
        self, venue: int, owner: int, mode: int, fee_tier: int, overdraw: bool = False
    ) -> int:
        """Open the next account in ledger and registry; system accounts have owner -1."""
        account = self.ledger.open(overdraw)
        tiers = self.config.venues[venue].fee_tiers if owner >= 0 else ()
        tier = tiers[fee_tier] if tiers else None
        maker, taker = (tier.maker_ppm, tier.taker_ppm) if tier else (0, 0)
        self.accounts.append(Account(account, venue, owner, mode, fee_tier, maker, taker))
        self.trade_groups.append(owner if owner >= 0 else -1 - account)
        return account

    def apply(self, command: Command) -> list[Event]:
        """Advance the world by one command and return what happened, in order.

        ``command`` is ``(type_id, time_ns, *fields)``.  Times must not go backwards.  Raises
        ``KeyError`` for an unknown type id; every other refusal is an event.
        """
        assert command[1] >= self.time_ns, "commands must be in time order"
        self.seq += 1
        self.time_ns = command[1]
        out: list[Event] = []
        self.out = out
        HANDLERS[command[0]](self, command)
        if self.unsettled:
            isolated.sweep(self)
        return out

    def margin_of(self, account: int) -> margin.MarginState:
        """Exact margin state of an account at the current marks, in numeraire units."""
        return isolated.margin_of(self, self.accounts[account])

    def liquidation_pending(self, venue: int) -> bool:
        """Whether the liquidation engine of a venue has anything to do."""
        return self.venues[venue].liquidations_pending()

    def lenders_pending(self, venue: int, now: int) -> bool:
        """Whether a lender of a venue has a sale or an overdue call at ``now``."""
        return any(x.spec.venue == venue and x.pending(now) for x in self.lenders)

    def state_digest(self) -> str:
        """Digest of the whole state, independent of how it is stored.  O(state)."""
        return digest.state_digest(self)


def _check_instrument(config: WorldConfig, spec: InstrumentSpec) -> None:
    """Raise ``ValueError`` for an instrument that no venue could run."""
    inst = spec.instrument
    if inst.perpetual != (spec.brackets is not None):
        raise ValueError(f"{inst.symbol}: perpetuals, and only they, have brackets")
    if inst.perpetual and inst.quote != config.venues[inst.venue].numeraire:
        raise ValueError(f"{inst.symbol}: perpetuals settle in the venue's numeraire")


def _note(w: World, c: Command) -> None:
    """Record a remark, a refusal before the engine or a recorded value; changes no state.

    The event has the number and the fields of the command.
    """
    w.out.append((c[0], *c[2:]))


HANDLERS: dict[int, Handler] = {
    1: orders.new_order,
    2: orders.cancel_order,
    3: orders.replace_order,
    4: orders.mass_cancel,
    10: marks.update_marks,
    11: funding.apply_funding,
    12: funding.accrue_interest,
    13: liquidation.liquidation_tick,
    14: expiry.expire_orders,
    15: statuses.set_status,
    20: accounts.open_account,
    21: accounts.deposit,
    22: accounts.withdraw,
    23: accounts.borrow,
    24: accounts.repay,
    25: accounts.open_position,
    26: transfers.start_transfer,
    27: transfers.finish_transfer,
    28: transfers.set_transfers,
    29: accounts.set_leverage,
    30: takeover.fund_insurance,
    40: _note,
    41: _note,
    42: _note,
    60: loans.open_loan,
    61: loans.top_up,
    62: loans.repay,
    63: loans.repay_from_collateral,
    64: loan_sales.loan_tick,
    65: loans.fund_lender,
    66: loans.place_loan,
    67: wrappers.wrap,
    68: wrappers.unwrap,
    69: wrappers.finish_unwrap,
    70: wrappers.accrue,
    71: wrappers.fund_vault,
    72: issuers.appoint,
    73: issuers.set_whitelisted,
    74: issuers.switch,
    100: blocks.stage_action,
    101: blocks.submit_transaction,
    102: blocks.cancel_transaction,
    103: blocks.produce_block,
    104: sampling.sample_chain,
    105: blocks.apply_action,
    50: isolated.set_margin_mode,
    51: isolated.change_margin,
    52: hedge.set_position_mode,
}
