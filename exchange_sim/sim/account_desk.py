"""The account half of a desk: margin loans, transfers, leverage, pledged loans, transactions."""

from __future__ import annotations

import operator
from typing import Final

from exchange_sim.errors import UsageError
from exchange_sim.limits import INT64_MAX
from exchange_sim.marketdata.market import Number, floor_grid
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.sim.desk import Desk, unknown
from exchange_sim.sim.session import Session
from exchange_sim.strategy.context import SymbolLike

TRANSFER_TIP_WEI: Final = 10**9
TRANSFER_FEE_WEI: Final = 200 * 10**9
"""What a transfer out of a wallet offers for gas; ``transact`` lets a strategy offer more."""


class AccountDesk(Desk):
    """Everything that a strategy asks of venues and chain beside orders."""

    def _request(self, session: Session, kind: int, *fields: int) -> bool:
        if not all(-INT64_MAX <= field <= INT64_MAX for field in fields):
            return False
        if not self._may_send(session):
            return False
        session.send(kind, (session.account, *fields))
        return True

    def units(self, asset: str, qty: Number) -> int:
        """See ``Context.units``."""
        return self._units(self.names.asset(asset), qty)

    def asset_id(self, asset: str) -> int:
        """See ``Context.asset_id``."""
        return self.names.asset(asset)

    def numeraire(self, venue: str | None, account: str | int | None) -> str:
        """See ``Context.numeraire``."""
        session = self._session_of(venue, account)
        return self.names.assets[self.names.numeraires[session.server.venue]]

    def loan_product(self, product: str) -> int:
        """See ``Context.loan_product``."""
        known = self.names.loan_products
        if product not in known:
            raise unknown("loan product", product, list(known))
        return known.index(product)

    def request(
        self, kind: int, fields: tuple[int, ...], venue: str | None, account: str | int | None
    ) -> bool:
        """See ``Context.request``."""
        return self._request(self._session_of(venue, account), kind, *fields)

    def underlying_units(self, wrapper: str, qty: Number) -> int:
        """See ``Context.underlying_units``."""
        asset = self.names.asset(wrapper)
        return self._units(self.names.underlying.get(asset, asset), qty)

    def issuer(self, issuer: str) -> tuple[int, str, str]:
        """See ``Context.issuer``."""
        known = self.names.issuers
        for id, (name, asset, backing) in enumerate(known):
            if name == issuer:
                return id, self.names.assets[asset], self.names.assets[backing]
        raise unknown("issuer", issuer, [name for name, _, _ in known])

    def wallet(self, account: str | None) -> int:
        """See ``Context.wallet``."""
        if self.names.chain < 0:
            raise UsageError(f"{self._name} has no wallet: there is no chain")
        return self.session_at(self.names.chain, account).account

    def chain_id(self, kind: str, name: str) -> int:
        """See ``Context.chain_id``."""
        known = self.names.on_chain.get(kind, ())
        if name not in known:
            raise unknown(kind, name, [one for one in known if one])
        return known.index(name)

    def transact(
        self,
        actions: tuple[tuple[int, ...], ...],
        tip_wei: int,
        max_fee_wei: int,
        venue: str | None,
        account: str | None,
    ) -> int:
        """See ``Strategy.transact``."""
        if venue is None and self.names.chain < 0:
            raise UsageError(f"{self._name} sends a transaction, but there is no chain")
        place = self.names.chain if venue is None else self.names.venue(venue)
        session = self.session_at(place, account)
        padded = [(*map(operator.index, action), *[0] * (7 - len(action))) for action in actions]
        if any(abs(field) > INT64_MAX for action in padded for field in action):
            return 0
        if not padded or not self._may_send(session):
            return 0
        number = session.next_client_id
        session.next_client_id = number + 1
        for action in padded:
            session.send(100, (session.account, number, *action))
        session.send(101, (session.account, number, tip_wei, max_fee_wei, 0))
        return number

    def _session_of(self, venue: str | None, account: str | int | None) -> Session:
        if isinstance(account, int):
            return self._by_account[account]
        return self.session_named(venue, account)

    def _units(self, asset: int, qty: Number) -> int:
        """Smallest units of a quantity, rounded down; 0 for what is no positive number."""
        try:
            return max(0, floor_grid(qty, 1, self.names.asset_scales[asset]))
        except (ValueError, OverflowError):
            return 0

    def borrow(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """See ``Strategy.borrow``."""
        session, asset_id = self.session_named(venue, account), self.names.asset(asset)
        amount = self._units(asset_id, qty)
        return amount > 0 and self._request(session, 23, asset_id, amount)

    def repay(self, asset: str, qty: Number, venue: str | None, account: str | None) -> bool:
        """See ``Strategy.repay``."""
        session, asset_id = self.session_named(venue, account), self.names.asset(asset)
        amount = self._units(asset_id, qty)
        return amount > 0 and self._request(session, 24, asset_id, amount)

    def transfer(
        self,
        asset: str,
        qty: Number,
        from_venue: str,
        to_venue: str,
        from_account: str | None,
        to_account: str | None,
    ) -> bool:
        """See ``Strategy.transfer``."""
        asset_id = self.names.asset(asset)
        source = self.session_named(from_venue, from_account)
        target = self.session_named(to_venue, to_account)
        amount = self._units(asset_id, qty)
        if source.server.venue == self.names.chain:
            action = (int(ActionKind.TO_VENUE), asset_id, amount, target.account)
            gas = TRANSFER_TIP_WEI, TRANSFER_FEE_WEI, from_venue, from_account
            return amount > 0 and self.transact((action,), *gas) > 0
        return amount > 0 and self._request(source, 26, target.account, asset_id, amount)

    def set_leverage(self, symbol: SymbolLike, leverage: int, account: str | None) -> bool:
        """See ``Strategy.set_leverage``."""
        market = self.names.market(symbol)
        session = self.session_at(market.venue_id, account)
        return self._request(session, 29, market.id, operator.index(leverage))
