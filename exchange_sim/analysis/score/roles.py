"""What the words of a target mean in a run: venue kinds, asset kinds, the instant of the news.

A target speaks of ``primary_spot`` or ``alt``; a run has venues and assets.  Roles are read from
the scenario that the run's journal carries: its ``[score]`` table where it has one, else

- the primary venue is the first one with spot books and perpetuals, the secondary one the first
  other venue with spot books, the on-chain venue the first other one with perpetuals;
- asset kinds are those of ``[assets]``; BTC and ETH have kinds of their own, the other majors are
  ``large_alt``, the quarter of the alts with the least depth is ``small_alt``;
- the news is the first shock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from exchange_sim.analysis.run_dir import RunData
from exchange_sim.errors import JournalCorrupt
from exchange_sim.journal.reader import JournalReader
from exchange_sim.scenario.scenario import Scenario

SPOT: Final = "SPOT"
PERPETUAL: Final = "PERPETUAL"

KINDS_OF_VENUES: Final = (
    "primary_spot",
    "primary_perp",
    "primary_inverse_perp",
    "primary",
    "secondary_spot",
    "secondary_perp",
    "onchain_perp",
    "all_venues",
    "amm",
    "lending_protocol",
)
"""Venue kinds that have a meaning here; a scenario's ``[score]`` may name more."""

_OF_KIND: Final = {
    "alt": ("alt",),
    "alt_median": ("alt",),
    "majors": ("major",),
    "major": ("major",),
    "defensive": ("defensive",),
    "fiat_stablecoin": ("quote",),
    "synthetic_dollar": ("pegged",),
    "wrapped_lst": ("wrapper",),
    "pegged_collateral": ("pegged", "wrapper"),
}


@attrs.frozen
class Instrument:
    """A book, as a target sees it.  ``scale`` is quote units per dollar, ``kind`` the contract."""

    id: int
    symbol: str
    venue: str
    kind: str
    base: str
    quote: str
    tick: float
    lot: float
    scale: float
    depth: float = 0.0
    main: bool = True
    """Whether it is traded against the venue's own quote asset."""

    @property
    def name(self) -> str:
        """``venue:SYMBOL``."""
        return self.symbol if ":" in self.symbol else f"{self.venue}:{self.symbol}"

    @property
    def is_spot(self) -> bool:
        """Whether coins change hands."""
        return self.kind == SPOT

    @property
    def is_inverse(self) -> bool:
        """Whether margin and profit are in coins."""
        return "INVERSE" in self.kind


@attrs.frozen
class Asset:
    """An asset: its kind and what it is redeemed into."""

    kind: str
    redemption_asset: str = ""
    redemption_value: float = 1.0


@attrs.frozen
class Roles:
    """Who plays which part.  ``venues`` maps venue kinds to venue names."""

    instruments: tuple[Instrument, ...]
    assets: Mapping[str, Asset]
    venues: Mapping[str, str]
    named_assets: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Asset kinds that the scenario itself spells out."""
    start_ns: int = 0
    end_ns: int = 0
    news_ns: int = 0
    block_s: Mapping[str, float] = attrs.field(factory=dict)
    """Seconds between slots of each venue's liquidation engine, which are its blocks."""
    script: str = "record"
    """Which list a run of the scenario is scored on: ``record`` or ``article``."""

    def bases(self, asset_kind: str) -> frozenset[str]:
        """Assets of a kind; an asset's own symbol is a kind as well."""
        if asset_kind in self.named_assets:
            return frozenset(self.named_assets[asset_kind])
        if asset_kind in {"", "all"}:
            return frozenset(self.assets)
        if asset_kind in _OF_KIND:
            kinds = _OF_KIND[asset_kind]
            return frozenset(name for name, asset in self.assets.items() if asset.kind in kinds)
        if asset_kind == "large_alt":
            majors = self.bases("majors")
            return frozenset(name for name in majors if name not in {"BTC", "ETH"})
        if asset_kind == "small_alt":
            return self._smallest("alt")
        same = [name for name in self.assets if name.lower() == asset_kind.lower()]
        return frozenset(same)

    def books(self, venue_kind: str, asset_kind: str) -> tuple[Instrument, ...]:
        """Main books of the assets of a kind on a venue of a kind, in order of their ids."""
        bases = self.bases(asset_kind)
        return tuple(
            item
            for item in self.instruments
            if item.main and item.base in bases and self._fits(item, venue_kind)
        )

    def siblings(
        self, venue_kind: str, asset_kind: str
    ) -> tuple[tuple[Instrument, Instrument], ...]:
        """(main book, book of the same asset against another quote) on one venue."""
        found = []
        for main in self.books(venue_kind, asset_kind):
            found += [
                (main, item)
                for item in self.instruments
                if not item.main
                and (item.venue, item.base, item.kind) == (main.venue, main.base, main.kind)
            ]
        return tuple(found)

    def venue(self, venue_kind: str) -> str:
        """Name of the venue that plays a part; empty when none does."""
        base = venue_kind.partition("_")[0]
        return self.venues.get(venue_kind, self.venues.get(base, ""))

    def _fits(self, item: Instrument, venue_kind: str) -> bool:
        if venue_kind in {"all_venues", "all", ""}:
            return True
        if item.venue != self.venue(venue_kind):
            return False
        if venue_kind == "primary":
            inverse = self._has_inverse(item.base, item.venue)
            return item.is_inverse if inverse else item.kind == PERPETUAL
        if venue_kind.endswith("inverse_perp"):
            return item.is_inverse
        if venue_kind.endswith("_spot"):
            return item.is_spot
        if venue_kind.endswith("_perp"):
            return not item.is_spot and not item.is_inverse
        return True

    def _has_inverse(self, base: str, venue: str) -> bool:
        return any(
            item.is_inverse and item.base == base and item.venue == venue
            for item in self.instruments
        )

    def _smallest(self, asset_kind: str) -> frozenset[str]:
        """The quarter of a kind's assets whose main spot books are thinnest."""
        depths: dict[str, float] = {}
        for item in self.instruments:
            if item.base in self.bases(asset_kind) and item.is_spot and item.main:
                depths[item.base] = max(depths.get(item.base, 0.0), item.depth)
        ranked = sorted(depths, key=lambda name: (depths[name], name))
        return frozenset(ranked[: max(1, len(ranked) // 4)])


def roles_of(run: RunData) -> Roles:
    """The roles in a finished run.  Raises ``RunCorrupt``, ``JournalCorrupt``, ``StorageError``."""
    reader = JournalReader(run.journal_path)
    reader.close()
    scenario = Scenario.from_json(reader.header.scenario_text)
    symbols = [row["symbol"] for row in run.assets]
    declared = {item.name: item for item in scenario.instruments}
    instruments = []
    for row in run.instruments:
        base, quote = symbols[row["base_asset"]], symbols[row["quote_asset"]]
        name = row["symbol"] if ":" in row["symbol"] else f"{row['venue_name']}:{row['symbol']}"
        item = declared.get(name)
        if item is None:
            raise JournalCorrupt(f"{run.path}: the journal's scenario has no instrument {name}")
        main = quote == scenario.venues[item.venue].numeraire or item.kind not in {SPOT, PERPETUAL}
        instruments.append(
            Instrument(
                id=row["instrument"], symbol=name.partition(":")[2], venue=row["venue_name"],
                kind=item.kind, base=base, quote=quote, tick=float(row["tick_size"]),
                lot=float(row["lot_size"]), depth=float(item.depth_usd), main=main,
                scale=10.0 ** run.assets[row["quote_asset"]]["decimals"],
            )
        )  # fmt: skip
    assets = {
        name: Asset(item.kind, item.redemption_asset, float(item.redemption_value or 1))
        for name, item in scenario.assets.items()
    }
    shocks = sorted(shock.at_ns for shock in scenario.shocks)
    told = scenario.score
    return Roles(
        instruments=tuple(instruments),
        assets=assets,
        venues={**guessed_venues(instruments), **told.venues},
        named_assets=dict(told.assets),
        start_ns=run.manifest.start_ns,
        end_ns=run.manifest.end_ns,
        block_s={
            name: item.liquidation_interval_ns / 1e9 for name, item in scenario.venues.items()
        },
        news_ns=(shocks or [scenario.start_ns])[0] if told.news_ns is None else told.news_ns,
        script=told.script,
    )


def guessed_venues(instruments: Sequence[Instrument]) -> dict[str, str]:
    """Parts of venues by what they trade; the order of the instruments decides between equals."""
    spot = list(dict.fromkeys(item.venue for item in instruments if item.is_spot))
    perps = list(dict.fromkeys(item.venue for item in instruments if not item.is_spot))
    found: dict[str, str] = {}
    both = [venue for venue in perps if venue in spot]
    primary = next(iter([*both, *perps, *spot]), "")
    if primary:
        found["primary"] = primary
    secondary = next((venue for venue in spot if venue != primary), "")
    if secondary:
        found["secondary"] = secondary
    onchain = next((venue for venue in perps if venue not in {primary, secondary}), "")
    if onchain:
        found["onchain"] = onchain
    return found
