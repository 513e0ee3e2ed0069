"""What a strategy asks of the chain.  ``Strategy`` offers all of it.

A transaction is a list of actions ``(ActionKind, a, b, ...)`` that take effect together or not at
all.  Its wallet pays gas, also when it fails; ``on_transaction`` tells how it went.  As an amount,
``ALL`` is everything that there is, ``PREVIOUS`` what the action before gave to the wallet.
"""

from __future__ import annotations

from typing import Final

from exchange_sim.marketdata.market import Number
from exchange_sim.messages.reasons import ActionKind
from exchange_sim.strategy.chain_actions import ALL, PREVIOUS, Action, ChainActions
from exchange_sim.strategy.chain_views import ChainView

__all__ = ["ALL", "PREVIOUS", "Action", "ChainRequests"]

GWEI: Final = 10**9


class ChainRequests(ChainActions):
    """Transactions from an own wallet."""

    def transact(
        self,
        *actions: Action,
        tip_gwei: float = 1.0,
        max_fee_gwei: float = 200.0,
        venue: str | None = None,
        account: str | None = None,
    ) -> int:
        """Send one transaction and return its number, 0 when it could not be sent.

        ``tip_gwei`` is the priority fee per unit of gas, ``max_fee_gwei`` the most that gas may
        cost in all.  Without ``venue`` the wallet is the one on the run's chain.
        """
        return self._ctx.transact(
            actions, round(tip_gwei * GWEI), round(max_fee_gwei * GWEI), venue, account
        )

    def chain_view(self) -> ChainView | None:
        """The chain after the newest block that has reached this strategy; None before one has."""
        return self._ctx.chain_view()

    def wallet(self, account: str | None = None) -> int:
        """The number of an own wallet, by which views and other wallets know it."""
        return self._ctx.wallet(account)

    def units(self, asset: str, qty: Number) -> int:
        """Smallest units of an asset, rounded down, as actions count them."""
        return self._ctx.units(asset, qty)

    def asset_id(self, asset: str) -> int:
        """The number of an asset, as actions name it."""
        return self._ctx.asset_id(asset)

    def mint_action(self, issuer: str, qty: Number) -> Action:
        """Pay ``qty`` of backing to an issuer for its dollars."""
        id, _, backing = self._ctx.issuer(issuer)
        return (int(ActionKind.ISSUER_MINT), id, self._ctx.units(backing, qty))

    def redeem_action(self, issuer: str, qty: Number) -> Action:
        """Redeem ``qty`` of an issuer's dollars at par."""
        id, asset, _ = self._ctx.issuer(issuer)
        return (int(ActionKind.ISSUER_REDEEM), id, self._ctx.units(asset, qty))

    def pass_yield_action(self, issuer: str, wrapper: str, qty: Number) -> Action:
        """The issuer itself: pass ``qty`` of income on to the holders of a staked token."""
        id, _, backing = self._ctx.issuer(issuer)
        units = self._ctx.units(backing, qty)
        return (int(ActionKind.ISSUER_YIELD), id, self._ctx.asset_id(wrapper), units)

    def wrap(
        self, wrapper: str, qty: Number, venue: str | None = None, account: str | None = None
    ) -> bool:
        """Turn ``qty`` of the underlying into a staking wrapper, at once."""
        units = self._ctx.underlying_units(wrapper, qty)
        return units > 0 and self._ctx.request(
            67, (self._ctx.asset_id(wrapper), units), venue, account
        )

    def unwrap(
        self, wrapper: str, qty: Number, venue: str | None = None, account: str | None = None
    ) -> bool:
        """Redeem ``qty`` of a staking wrapper; the underlying arrives after the delay."""
        units = self._ctx.units(wrapper, qty)
        return units > 0 and self._ctx.request(
            68, (self._ctx.asset_id(wrapper), units), venue, account
        )
