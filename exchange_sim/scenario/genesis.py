"""The first instant: accounts, balances, loans and positions, as commands.

Everything that exists at the start comes from commands in the journal, so that a replay needs
nothing else.  Populations are drawn from streams named after them; participants get their accounts
in the order of their names, one per venue.

A population's ``params`` select books by tags (``select = ["leading", "PERPETUAL", "alt"]``: every
tag must match) and set any field of ``participants.crowd.CrowdBook`` or
``participants.stale.StaleBook``.  ``collateral = [{ asset = "USDT", share = 0.7 }, ...]`` says what
the accounts of a crowd have deposited.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import attrs

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.messages import commands as c
from exchange_sim.messages.account_modes import SetMarginMode, SetPositionMode
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.messages.registry import Message
from exchange_sim.model.account import AccountMode
from exchange_sim.model.enums import (
    BUY,
    FLAG_REDUCE_ONLY,
    OrderType,
    Side,
    TimeInForce,
)
from exchange_sim.participants.crowd import (
    AccountSpec,
    CollateralChoice,
    CrowdBook,
    draw_crowd,
    match_positions,
)
from exchange_sim.participants.stale import StaleBook, draw_stale_bids
from exchange_sim.rng import Streams
from exchange_sim.scenario import genesis_chain, genesis_loans
from exchange_sim.scenario.expand_params import TagError, selected
from exchange_sim.scenario.ids import Names
from exchange_sim.scenario.participants import ParticipantDef, PopulationDef, instance_names
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.schema import InstrumentDef
from exchange_sim.scenario.tree import nearest
from exchange_sim.sim.lenders import Reaction
from exchange_sim.sim.loopers import Unwind
from exchange_sim.strategy.load import StrategyLoadError, build_table
from exchange_sim.units import scale_exact
from exchange_sim.world import World

MODES: Final = {
    "cash": AccountMode.CASH,
    "unified": AccountMode.PORTFOLIO,
    "cross": AccountMode.CROSS,
    "isolated": AccountMode.ISOLATED,
    "margin_3x": AccountMode.MARGIN_3X,
    "margin_5x": AccountMode.MARGIN_5X,
    "margin_pro": AccountMode.MARGIN_PRO,
    "isolated_margin_3x": AccountMode.ISOLATED_MARGIN_3X,
    "isolated_margin_5x": AccountMode.ISOLATED_MARGIN_5X,
    "isolated_margin_10x": AccountMode.ISOLATED_MARGIN_10X,
}
COLLATERAL_SPARE: Final = 1.0001
"""Margin of rounding when collateral is turned from dollars into units."""


@attrs.frozen
class _Choice:
    """One collateral asset of a crowd as a scenario writes it."""

    asset: str
    share: float
    haircut: float = 1.0


@attrs.frozen
class _Choices:
    collateral: tuple[_Choice, ...]


@attrs.define
class AccountBook:
    """Who owns which account: (participant instance, venue) -> account id, and population
    ranges.
    """

    of: dict[tuple[str, str], int] = attrs.field(factory=dict)
    owners: list[str] = attrs.field(factory=list)
    reactions: dict[int, Reaction] = attrs.field(factory=dict)
    """How borrowers of populations answer a margin call, by account."""
    unwinds: dict[int, Unwind] = attrs.field(factory=dict)
    """When loops of populations are given up, by wallet."""

    def owner(self, name: str) -> int:
        """A new owner id with that name."""
        self.owners.append(name)
        return len(self.owners) - 1


class Genesis:
    """Applies the opening commands through ``apply`` and remembers the accounts."""

    def __init__(self, scenario: Scenario, world: World, apply: Any) -> None:
        self.scenario = scenario
        self.names = Names(scenario)
        self.world = world
        self.apply = apply
        self.now = scenario.start_ns
        self.accounts = AccountBook()
        self.problems: list[Problem] = []

    def run(self) -> AccountBook:
        """Everything that exists before the first order.  Raises ``ScenarioError`` with all
        problems.
        """
        for name, venue in self.scenario.venues.items():
            if venue.insurance:
                amount = self.names.amount(venue.numeraire, venue.insurance)
                self.send(c.FundInsurance, self.names.venues[name], amount)
        genesis_loans.fund_lenders(self)
        genesis_chain.provide(self)
        for participant in self.scenario.participants:
            for name in instance_names(participant):
                self._open_participant(participant, name)
                genesis_loans.pledge(self, participant, name)
                genesis_chain.open_positions(self, participant, name)
        for participant in self.scenario.participants:
            genesis_loans.open_positions(self, participant)
        streams = Streams(self.scenario.seed)
        for population in self.scenario.populations:
            self._populate(population, streams)
        genesis_loans.fund_vaults(self)
        genesis_loans.appoint_issuers(self)
        if self.problems:
            problems = tuple(dict.fromkeys(self.problems))
            raise ScenarioError("the scenario cannot be built", problems)
        return self.accounts

    def _populate(self, item: PopulationDef, streams: Streams) -> None:
        """Draw one population; what is wrong with its parameters becomes problems."""
        where = f"populations.{item.name}.params"
        bad = self.scenario.problem
        try:
            if item.kind == "leveraged_crowd":
                self._crowd(item, streams)
            elif item.kind == "loopers":
                genesis_chain.loopers(self, item, streams)
            elif item.kind == "borrowers":
                genesis_loans.borrowers(self, item, streams)
            else:
                self._stale(item, streams)
        except StrategyLoadError as error:
            self.problems += [bad(f"{where}.{p.name}", p.message, p.hint) for p in error.problems]
        except TagError as error:
            self.problems.append(bad(f"{where}.select", str(error)))
        except ValueError as error:
            self.problems.append(bad(where, str(error)))

    def send(self, kind: type[Message], *fields: int) -> list[tuple[int, ...]]:
        """Apply one opening command; fields that are left out are 0."""
        missing = len(kind.field_names) - 1 - len(fields)
        events: list[tuple[int, ...]] = self.apply(
            (kind.type_id, self.now, *map(int, fields), *[0] * missing)
        )
        return events

    def open(self, venue: str, owner: int, mode: AccountMode, fee_tier: int = 0) -> int:
        """Open an account and return its id."""
        account = len(self.world.accounts)
        self.send(c.OpenAccount, self.names.venues[venue], owner, mode, fee_tier)
        return account

    def _open_participant(self, item: ParticipantDef, name: str) -> None:
        owner = self.accounts.owner(name)
        mode, lends = MODES[item.account], True
        if mode == AccountMode.PORTFOLIO and not self.scenario.mechanisms.unified_account:
            mode, lends = AccountMode.ISOLATED, False
        for venue in item.venues:
            wallet = self.scenario.chain is not None and venue == self.scenario.chain.name
            account = (
                self.open(venue, owner, AccountMode.CASH)
                if wallet
                else self.open(venue, owner, mode, item.fee_tier)
            )
            self.accounts.of[name, venue] = account
            self._set_modes(item, account, venue)
            holdings = item.capital_at.get(venue, item.capital)
            loans = item.loans if lends and venue == item.venues[0] else {}
            for asset in sorted({*holdings, *loans}, key=lambda a: (a in loans, a)):
                held = self.names.amount(asset, holdings.get(asset, Decimal(0)))
                owed = self.names.amount(asset, loans.get(asset, Decimal(0)))
                if owed:
                    self._lend(item, account, asset, owed)
                kind = c.Deposit if held >= owed else c.Withdraw
                if held != owed:
                    self._move(item, kind, account, asset, abs(held - owed))

    def _set_modes(self, item: ParticipantDef, account: int, venue: str) -> None:
        """Position and margin modes before anything is held."""
        if item.position_mode == "hedge":
            self.send(SetPositionMode, account, 1)
        for symbol in item.isolated:
            if symbol.partition(":")[0] == venue:
                self.send(SetMarginMode, account, self.names.instruments[symbol], 1)

    def _move(
        self, item: ParticipantDef, kind: type[Message], account: int, asset: str, amount: int
    ) -> None:
        """Bring holdings to what the scenario says; what a loan already paid for goes outside."""
        events = self.send(kind, account, self.names.assets[asset], amount)
        if events[0][0] == 15:
            where = f"participants.{item.name}.loans.{asset}"
            message = f"the loan leaves too little margin: {RejectReason(events[0][3]).name}"
            self.problems.append(self.scenario.problem(where, message, "borrow less"))

    def _lend(self, item: ParticipantDef, account: int, asset: str, amount: int) -> None:
        events = self.send(c.Borrow, account, self.names.assets[asset], amount)
        if events[0][0] == 15:
            where = f"participants.{item.name}.loans.{asset}"
            message = f"the venue refuses this loan: {RejectReason(events[0][3]).name}"
            hint = "give more capital, a smaller loan, or a larger margin_pool"
            self.problems.append(self.scenario.problem(where, message, hint))

    def _crowd(self, item: PopulationDef, streams: Streams) -> None:
        params = dict(item.params)
        choices = self._collateral(item, params.pop("collateral", None))
        for book in selected(self.scenario, params.pop("select", [])):
            stream = streams.stream(f"population/{item.name}/{book.name}")
            rows = self.scenario.brackets.get(book.brackets, ())
            brackets = tuple((float(row.floor), float(row.leverage)) for row in rows)
            facts = {**_book_facts(book), "brackets": brackets}
            crowd = build_table(CrowdBook, {**facts, "venue": book.venue, **params}, item.name)
            priced = self._priced(choices, book.venue)
            specs = draw_crowd(crowd, priced, stream)
            ids = [self._crowd_account(item, spec) for spec in specs]
            for pair in match_positions(specs):
                instrument = self.names.instruments[pair.instrument]
                self.send(
                    c.OpenPosition, ids[pair.long_index], ids[pair.short_index], instrument,
                    pair.price_ticks, pair.qty_lots,
                )  # fmt: skip
            for account, spec in zip(ids, specs, strict=True):
                if spec.stop_ticks:
                    self._stop(account, spec)

    def _collateral(self, item: PopulationDef, given: Any) -> list[CollateralChoice]:
        """What the accounts of a population have deposited; without a word about it, USDT."""
        if given is None:
            return [CollateralChoice("USDT", 1.0, 0.0)]
        choices = build_table(_Choices, {"collateral": given}, item.name).collateral
        for choice in choices:
            if choice.asset not in self.names.assets:
                hint = nearest(choice.asset, self.names.assets)
                raise ValueError(f"collateral: there is no asset {choice.asset!r}; {hint}")
        return [CollateralChoice(x.asset, x.share, 0.0, x.haircut) for x in choices]

    def _priced(self, choices: list[CollateralChoice], venue: str) -> list[CollateralChoice]:
        """With the value of their units; as money alone once no account is unified.

        A position of the crowd is margined alone anyway, each by an account of its own.  What is
        left to switch off is that its margin falls with an asset: the same value is money then.
        """
        if not self.scenario.mechanisms.unified_account:
            money = self.scenario.venues[venue].numeraire
            choices = [attrs.evolve(x, asset=money, haircut=1.0) for x in choices]
        return [attrs.evolve(x, unit_usd=self.unit_usd(x.asset)) for x in choices]

    def unit_usd(self, asset: str) -> float:
        """Dollars of the smallest unit of an asset, at its initial price on the first venue."""
        scale = float(10 ** self.names.decimals[asset])
        for item in self.scenario.instruments:
            if item.base == asset and item.kind == "SPOT":
                return float(item.price) / scale
        return 1.0 / scale

    def _crowd_account(self, item: PopulationDef, spec: AccountSpec) -> int:
        owner = self.accounts.owner(item.name)
        account = self.open(spec.venue, owner, AccountMode.CROSS)
        for asset, units in spec.collateral:
            amount = int(units * COLLATERAL_SPARE) + 1
            self.send(c.Deposit, account, self.names.assets[asset], amount)
        return account

    def _stop(self, account: int, spec: AccountSpec) -> None:
        closing = Side.SELL if spec.side == BUY else Side.BUY
        self.send(
            c.NewOrder, account, self.names.instruments[spec.instrument], 1, closing,
            OrderType.STOP_MARKET, TimeInForce.GTC, 0, spec.qty_lots, 0, spec.stop_ticks, 0,
            FLAG_REDUCE_ONLY,
        )  # fmt: skip

    def _stale(self, item: PopulationDef, streams: Streams) -> None:
        """Old orders, dealt out in turn to the accounts of the population on each venue."""
        params = dict(item.params)
        owner = self.accounts.owner(item.name)
        books = selected(self.scenario, params.pop("select", []))
        holders: dict[str, list[int]] = {}
        client_id = 0
        for book in books:
            stream = streams.stream(f"population/{item.name}/{book.name}")
            stale = build_table(StaleBook, {**_book_facts(book), **params}, item.name)
            accounts = holders.setdefault(book.venue, [])
            while len(accounts) < stale.accounts:
                accounts.append(self.open(book.venue, owner, AccountMode.PORTFOLIO))
            bids = draw_stale_bids(stale, stream)
            inst = self.world.instruments[self.names.instruments[book.name]]
            side = Side.SELL if stale.sells else Side.BUY
            for k, account in enumerate(accounts):
                mine = bids[k :: len(accounts)]
                if stale.sells and book.kind == "SPOT":
                    sold = sum(bid.qty_lots for bid in mine) * inst.lot_units
                    self.send(c.Deposit, account, inst.base, sold + 1)
                else:
                    value = sum(bid.price_ticks * bid.qty_lots for bid in mine) * inst.unit_value
                    self.send(c.Deposit, account, inst.quote, value + value // 50 + 1)
                for bid in mine:
                    client_id += 1
                    self.send(
                        c.NewOrder, account, inst.id, client_id, side, OrderType.LIMIT,
                        TimeInForce.GTC, bid.price_ticks, bid.qty_lots,
                    )  # fmt: skip


def _book_facts(book: InstrumentDef) -> dict[str, Any]:
    """What every population is told about a book."""
    mid = scale_exact(book.price, book.tick_size)
    return {
        "instrument": book.name,
        "mid_ticks": mid,
        "lot_usd": float(book.lot_value),
        "depth_usd": float(book.depth_usd),
    }
