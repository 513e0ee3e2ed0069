"""What integers are called: the tables that turn ids into words and units into decimals."""

from __future__ import annotations

from collections.abc import Container, Sequence

import attrs

from exchange_sim.risk.profile import Profile
from exchange_sim.units import format_units


@attrs.frozen
class Names:
    """Names by id.  ``notable`` holds the accounts whose margin bands are worth a line.

    ``ticks`` are tick sizes as decimal text, by instrument; ``numeraires`` the asset id of each
    venue's numeraire; ``account_venues`` the venue id of each account (-1: none).  Sequences may
    grow while a run creates accounts.  ``shocks`` are named by the scenario, ``outages`` are the
    kinds of outage that the shell knows, ``profiles`` the rules of the venues,
    ``instrument_venues`` the venue id of each instrument.
    """

    assets: Sequence[str]
    decimals: Sequence[int]
    venues: Sequence[str]
    numeraires: Sequence[int]
    instruments: Sequence[str]
    ticks: Sequence[str]
    accounts: Sequence[str]
    account_venues: Sequence[int]
    notable: Container[int] = frozenset()
    shocks: Sequence[str] = ()
    outages: Sequence[str] = ()
    profiles: Sequence[Profile] = ()
    instrument_venues: Sequence[int] = ()
    pools: Sequence[str] = ()
    markets: Sequence[tuple[str, int]] = ()
    """Isolated markets of the chain: name and loan asset."""

    def account(self, account: int) -> str:
        """Name of an account; its number when nobody named it."""
        return _at(self.accounts, account, "account")

    def asset(self, asset: int) -> str:
        """Symbol of an asset."""
        return _at(self.assets, asset, "asset")

    def venue(self, venue: int) -> str:
        """Name of a venue."""
        return _at(self.venues, venue, "venue")

    def instrument(self, instrument: int) -> str:
        """Symbol of an instrument, with its venue when it was named so."""
        return _at(self.instruments, instrument, "instrument")

    def shock(self, shock: int) -> str:
        """Name of a shock."""
        return _at(self.shocks, shock, "shock")

    def outage(self, kind: int) -> str:
        """What an outage of this kind is called."""
        return _at(self.outages, kind, "kind").replace("_", " ")

    def pool(self, pool: int) -> str:
        """Name of a lending pool on the chain."""
        return _at(self.pools, pool, "pool")

    def market(self, market: int) -> str:
        """Name of an isolated market on the chain."""
        return _at([name for name, _ in self.markets], market, "market")

    def loan_asset(self, market: int) -> int:
        """What an isolated market lends, -1 for an unknown one."""
        return self.markets[market][1] if 0 <= market < len(self.markets) else -1

    def amount(self, asset: int, amount: int) -> str:
        """Amount and symbol of an asset, in whole assets: ``-12.50 USDT``."""
        if not 0 <= asset < len(self.decimals):
            return f"{amount} units"
        places = self.decimals[asset]
        text = format_units(amount, places)
        if places > 2:
            text = text[: 2 - places]
        return f"{text} {self.asset(asset)}"

    def numeraire(self, venue: int) -> int:
        """Asset id of a venue's numeraire, -1 for an unknown venue."""
        return self.numeraires[venue] if 0 <= venue < len(self.numeraires) else -1

    def profile_of(self, venue: int) -> Profile | None:
        """Rules of a venue, None when they are not known."""
        return self.profiles[venue] if 0 <= venue < len(self.profiles) else None

    def venue_of_instrument(self, instrument: int) -> int:
        """Venue id of an instrument, -1 when it is not known."""
        known = self.instrument_venues
        return known[instrument] if 0 <= instrument < len(known) else -1

    def venue_of(self, account: int) -> int:
        """Venue id of an account, -1 when it has none."""
        return self.account_venues[account] if 0 <= account < len(self.account_venues) else -1


def _at(names: Sequence[str], index: int, what: str) -> str:
    return names[index] if 0 <= index < len(names) else f"{what} {index}"
