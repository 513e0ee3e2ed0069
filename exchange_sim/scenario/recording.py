"""The run directory while a run is being made: journal, event tables, book summary, narrative.

``Recording`` owns every file of ``runs/<scenario>-<seed>-<id>/`` and closes them in one of three
ways: ``finish`` (complete, or stopped by the user: everything so far is valid), ``abort`` (an
error; what was written stays readable) and ``discard`` (the run never began).  The id is a digest
of the inputs, so equal runs have equal names; a directory that exists already gets a number behind
its name.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

from exchange_sim.errors import StorageError
from exchange_sim.eventlog.book_summary import BookSummary
from exchange_sim.eventlog.links import Links, MarketFacts
from exchange_sim.eventlog.log import EventLog
from exchange_sim.eventlog.manifest import Manifest, write_manifest, write_summary
from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.narrative import Narrator
from exchange_sim.eventlog.tables import (
    write_accounts,
    write_assets,
    write_balances,
    write_chain,
    write_instruments,
    write_positions,
    write_series,
)
from exchange_sim.journal.frames import JournalFooter, JournalHeader
from exchange_sim.journal.storage import storage_error
from exchange_sim.journal.writer import ComparedJournal, JournalWriter
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.sim.outages import KINDS
from exchange_sim.world import World

SYSTEM_NAMES = ("system/external", "system/transit", "system/dust")
VENUE_SYSTEM_NAMES = ("fees", "insurance", "pool", "takeover", "bad-debt")


def package_version() -> str:
    """Version of the installed package; ``0`` when it runs from a bare checkout."""
    try:
        return version("exchange-sim")
    except PackageNotFoundError:
        return "0"


def run_directory(scenario: Scenario, parent: Path) -> Path:
    """Create and return the directory of a new run below ``parent``.

    Raises ``StorageError`` when it cannot be created.
    """
    inputs = f"{package_version()}\n{scenario.portable().to_json()}".encode()
    name = f"{scenario.name}-{scenario.seed}-{blake2b(inputs, digest_size=4).hexdigest()}"
    for attempt in range(1, 10_000):
        target = parent / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            target.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as cause:
            raise storage_error(target, "create", cause) from cause
        return target
    raise StorageError(f"{parent} holds ten thousand runs of {name}; remove some")


@attrs.define
class AccountNames:
    """Names of all ledger accounts; grows while a run opens accounts."""

    names: list[str]
    venues: list[int]
    populations: list[str]
    notable: dict[int, bool] = attrs.field(factory=dict)


def account_names(world: World, owners: list[str], populations: list[str]) -> AccountNames:
    """Names of every account of the world.

    ``populations`` are the names of groups whose accounts are too many to be told one by one.
    """
    found = AccountNames([], [], [])
    crowds = dict.fromkeys(populations, True)
    system = dict(enumerate(SYSTEM_NAMES))
    for ids, venue in zip(world.system, world.config.venues, strict=True):
        for own, name in zip(ids, VENUE_SYSTEM_NAMES, strict=True):
            system[own] = f"{venue.name}/{name}"
    for instrument, own in enumerate(world.clearing):
        if own >= 0:
            system[own] = f"{world.instruments[instrument].symbol}/clearing"
    for lender in world.lenders:
        system[lender.fund] = f"{lender.spec.name}/fund"
        system[lender.vault] = f"{lender.spec.name}/vault"
    for asset, wrapper in world.wrappers.items():
        name = world.config.assets[asset].asset.name
        system |= {wrapper.vault: f"{name}/vault", wrapper.mint: f"{name}/mint"}
    for issuer in world.issuers:
        system[issuer.mint] = f"{issuer.spec.name}/mint"
    system |= _chain_accounts(world)
    for account in world.accounts:
        owner = f"system/{account.id}" if account.owner < 0 else owners[account.owner]
        name = system.get(account.id) or owner
        wallet = world.wallets.get(account.id)
        group = "system" if account.owner < 0 else name.rstrip("0123456789").rstrip("-")
        if account.owner >= 0 and name in crowds:
            group, name = name, f"{name}/{account.id}"
        elif account.owner >= 0:
            found.notable[account.id] = True
        if wallet is not None:
            name += "/" + world.instruments[wallet.instrument].symbol.rpartition(":")[2]
            name += ("", "/long", "/short")[wallet.position_side]
        found.names.append(name)
        found.venues.append(account.venue)
        found.populations.append(group)
    return found


def _chain_accounts(world: World) -> dict[int, str]:
    """Names of the accounts of the chain and of everything on it."""
    chain = world.chain
    if chain is None:
        return {}
    place = world.config.venues[chain.venue].name
    found = {chain.burned: "burned", chain.proposer: "proposer", chain.treasury: "treasury"}
    found |= {pool.account: pool.spec.name for pool in chain.pools}
    found |= {market.account: market.spec.name for market in chain.markets}
    found |= {amm.account: amm.spec.name for amm in chain.amms}
    return {account: f"{place}/{name}" for account, name in found.items()}


def _places(world: World) -> list[dict[str, Any]]:
    """Rows of the table of what is on the chain."""
    chain, names = world.chain, [spec.asset.name for spec in world.config.assets]
    if chain is None:
        return []
    found: list[tuple[str, str, int, tuple[int, ...]]] = [
        ("pool", pool.spec.name, pool.account, tuple(pool.index_of)) for pool in chain.pools
    ]
    found += [
        ("market", m.spec.name, m.account, (m.spec.collateral, m.spec.loan)) for m in chain.markets
    ]
    found += [("amm", amm.spec.name, amm.account, amm.coins) for amm in chain.amms]
    found += [("oracle", feed.spec.name, -1, (feed.spec.asset,)) for feed in chain.feeds]
    ids: dict[str, int] = {}
    rows = []
    for kind, name, account, assets in found:
        ids[kind] = ids.get(kind, -1) + 1
        symbols = " ".join(names[asset] for asset in assets)
        rows.append(
            {"kind": kind, "id": ids[kind], "name": name, "account": account, "assets": symbols}
        )
    return rows


class Recording:
    """Every file of one run.  ``directory`` None keeps only the digests.

    ``open`` starts the files; one of ``finish``, ``abort`` and ``discard`` ends them.
    """

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        directory: Path | None,
        options: list[str],
        strategies: dict[str, str],
    ) -> None:
        self.scenario = scenario
        self.world = world
        self.directory = directory
        self.options = options
        self.strategies = strategies
        self.journal: JournalWriter | None = None
        self.books: BookSummary | None = None
        self.narrator: Narrator | None = None
        self.series: dict[tuple[str, str], int] = {}
        """Numbers of the series that strategies recorded, by strategy and name."""
        self.log = EventLog(None)

    def open(
        self,
        tables: bool = True,
        end_ns: int = 0,
        recorded: Iterator[tuple[int, ...]] | None = None,
    ) -> None:
        """Start journal and tables.

        ``end_ns`` is when the run is to end; commands are compared with ``recorded`` ones while
        there are any.  Raises ``StorageError``.
        """
        directory = self.directory
        if directory is None:
            return
        scenario = self.scenario
        header = JournalHeader(
            scenario.name, scenario.seed, scenario.portable().to_json(), package_version(),
            platform.python_version(), self.strategies, end_ns, "\n".join(self.options),
            self._inputs(),
        )  # fmt: skip
        path = directory / "journal.bin"
        if recorded is None:
            self.journal = JournalWriter(path, header)
        else:
            self.journal = ComparedJournal(path, header, recorded)
        if tables:
            self.log = EventLog(directory)
            units = [inst.unit_value or -inst.contract_units for inst in self.world.instruments]
            self.books = BookSummary(directory, units)

    def _inputs(self) -> dict[str, str]:
        """Digests of the scenario's files, by name."""
        return {Path(source.path).name: source.sha256 for source in self.scenario.sources}

    def narrate_to(
        self,
        accounts: AccountNames,
        level: str = "info",
        console: Any = None,
        facts: MarketFacts | None = None,
    ) -> None:
        """Start the narrative, once the accounts have names.  Raises ``StorageError``."""
        world = self.world
        chain = world.config.chain
        names = Names(
            assets=[spec.asset.name for spec in world.config.assets],
            decimals=[spec.asset.decimals for spec in world.config.assets],
            venues=[venue.name for venue in world.config.venues],
            numeraires=[venue.numeraire for venue in world.config.venues],
            profiles=[venue.profile for venue in world.config.venues],
            instrument_venues=[inst.venue for inst in world.instruments],
            instruments=[inst.symbol for inst in world.instruments],
            ticks=[str(inst.tick_size) for inst in world.instruments],
            accounts=accounts.names,
            account_venues=accounts.venues,
            notable=accounts.notable,
            shocks=[shock.name for shock in self.scenario.shocks],
            outages=KINDS,
            pools=[pool.name for pool in chain.pools] if chain else [],
            markets=[(market.name, market.loan) for market in chain.markets] if chain else [],
        )
        path = None if self.directory is None else self.directory / "narrative.jsonl"
        links = Links(facts, names) if facts is not None else None
        self.narrator = Narrator(path, names, console=console, level=level, links=links)
        self.log.listen(self.narrator)

    def finish(
        self,
        accounts: AccountNames,
        complete: bool,
        summarise: Callable[[Path], dict[str, Any]] | None = None,
    ) -> Manifest:
        """Write what is left and close everything.  Raises ``StorageError``."""
        world, target = self.world, self.directory
        state, events = world.state_digest(), self.log.digest()
        journal_digest = ""
        if self.journal is not None:
            self.journal.close(JournalFooter(world.seq, state, events, complete))
            journal_digest = self.journal.digest
        counts = self.log.counts
        self.log.close()
        if self.books is not None:
            self.books.close()
        if self.narrator is not None:
            self.narrator.close()
        manifest = Manifest(
            scenario=self.scenario.name,
            seed=self.scenario.seed,
            package_version=package_version(),
            python_version=platform.python_version(),
            start_ns=self.scenario.start_ns,
            end_ns=world.time_ns,
            commands=world.seq,
            state_digest=state,
            event_digest=events,
            journal_digest=journal_digest,
            counts=counts,
            complete=complete,
            inputs=self._inputs(),
            overrides=self.options,
            strategies=self.strategies,
        )
        if target is not None:
            if self.books is not None:
                self._write_names(target, accounts)
                write_series(target, self.series)
                write_chain(target, _places(self.world))
            write_manifest(target, manifest)
            if summarise is not None:
                write_summary(target, summarise(target))
        return manifest

    def abort(self) -> None:
        """Close what can be closed after an error.  Never raises."""
        for part in (self.journal, self.log, self.books, self.narrator):
            if part is not None:
                part.abort()

    def discard(self) -> None:
        """Remove a run that never began, with its directory.  Never raises."""
        self.abort()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _write_names(self, target: Path, accounts: AccountNames) -> None:
        """The side tables: what ids are called, and the final balances."""
        world = self.world
        config = world.config
        write_assets(
            target,
            [
                {"asset": s.asset.id, "symbol": s.asset.name, "decimals": s.asset.decimals}
                for s in config.assets
            ],
        )
        write_instruments(
            target,
            [
                {
                    "instrument": inst.id,
                    "symbol": inst.symbol,
                    "venue": inst.venue,
                    "venue_name": config.venues[inst.venue].name,
                    "kind": int(inst.kind),
                    "base_asset": inst.base,
                    "quote_asset": inst.quote,
                    "tick_size": str(inst.tick_size),
                    "lot_size": str(inst.lot_size),
                    "clearing_account": world.clearing[inst.id],
                    "fee_account": world.system[inst.venue][0],
                    "asset_kind": item.kind,
                }
                for inst, item in zip(
                    world.instruments,
                    [self.scenario.assets[i.base] for i in self.scenario.instruments],
                    strict=True,
                )
            ],
        )
        write_accounts(
            target,
            [
                {
                    "account": account.id,
                    "venue": account.venue,
                    "venue_name": config.venues[account.venue].name if account.venue >= 0 else "",
                    "owner": accounts.names[account.id],
                    "population": accounts.populations[account.id],
                    "unified": int(account.mode == 1),
                    "notable": int(account.id in accounts.notable),
                }
                for account in world.accounts
            ],
        )
        self._write_ends(target)

    def _write_ends(self, target: Path) -> None:
        """Balances, loans and positions after the last command."""
        world = self.world
        rows = []
        for account in world.accounts:
            for asset, amount in enumerate(world.ledger.posted[account.id]):
                loan = account.loans.get(asset, 0)
                if amount or loan:
                    rows.append((account.id, asset, amount, loan))
        write_balances(target, rows)
        write_positions(
            target,
            [
                (account.id, instrument, held.qty, held.entry_notional, world.marks[instrument])
                for account in world.accounts
                for instrument, held in sorted(account.positions.items())
                if held.qty
            ],
        )
