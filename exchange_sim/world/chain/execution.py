"""One transaction while it runs: every change is noted, so that all of it can be undone.

A handler of an action changes the world only through an ``Execution``::

    def repay(x: Execution, action: Action) -> None:
        _, asset, amount, *_ = action
        x.touch(reserve)                  # before its slots are changed
        reserve.debt_shares -= burnt
        x.post(asset, x.wallet, pool.account, amount, PostingKind.POOL_REPAY)
        x.emit(112, ...)
        x.output = amount                 # what a later action can refer to as PREVIOUS

and refuses with ``raise Revert(reason)`` at any point: nothing of the whole transaction remains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from exchange_sim.messages.reasons import RejectReason

if TYPE_CHECKING:
    from exchange_sim.world.chain.state import ChainState
    from exchange_sim.world.world import World

Event = tuple[int, ...]
Action = tuple[int, ...]
R = RejectReason

ALL: Final = -1
"""As an amount: everything that there is."""
PREVIOUS: Final = -2
"""As an amount: what the action before gave to the wallet."""

_K = TypeVar("_K")
_V = TypeVar("_V")


class Revert(Exception):
    """Ends a transaction without effect; carries the numbered reason."""

    def __init__(self, reason: RejectReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Execution:
    """What the actions of one transaction may use.

    ``wallet`` is who acts and pays, ``output`` what the last action gave to the wallet.
    """

    __slots__ = ("_moves", "_touched", "_undo", "chain", "due", "events", "output", "w", "wallet")

    def __init__(self, w: World, chain: ChainState, wallet: int) -> None:
        self.w = w
        self.chain = chain
        self.wallet = wallet
        self.output = 0
        self.events: list[Event] = []
        self.due: list[Callable[[Execution], None]] = []
        """What must still be done when the last action is over (flash loans are paid back)."""
        self._moves: list[tuple[int, int, int, int]] = []
        self._touched: list[tuple[Any, tuple[Any, ...]]] = []
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    # money

    def free(self, asset: int, account: int | None = None) -> int:
        """What an account (the wallet) can spend, in units."""
        return self.w.ledger.free(self.wallet if account is None else account, asset)

    def post(self, asset: int, source: int, target: int, amount: int, kind: int) -> None:
        """Move money; reverts with ``INSUFFICIENT_BALANCE`` when the source has less."""
        ledger = self.w.ledger
        if amount == 0:
            return
        if ledger.free(source, asset) < amount and not ledger.may_overdraw[source]:
            raise Revert(R.INSUFFICIENT_BALANCE)
        ledger.post(asset, source, target, amount)
        self._moves.append((asset, source, target, amount))
        self.events.append((10, asset, source, target, amount, int(kind)))

    def asset(self, asset: int) -> int:
        """An asset id of an action's arguments, checked."""
        if not 0 <= asset < len(self.w.config.assets):
            raise Revert(R.BAD_ACTION)
        return asset

    def amount(self, given: int, most: int) -> int:
        """An amount of an action's arguments: ``ALL`` is ``most``, ``PREVIOUS`` the last output.

        Reverts with ``BAD_AMOUNT`` for anything else that is not positive.
        """
        value = most if given == ALL else self.output if given == PREVIOUS else given
        if value <= 0:
            raise Revert(R.BAD_AMOUNT)
        return value

    # state

    def touch(self, thing: Any) -> None:
        """Remember an object with ``__slots__`` before its attributes change.

        Attributes that are containers must be replaced, not changed in place; for dicts see
        ``put`` and ``drop``.
        """
        values = tuple(getattr(thing, name) for name in thing.__slots__)
        self._touched.append((thing, values))

    def put(self, table: dict[_K, _V], key: _K, value: _V) -> None:
        """Set an item of a dict."""
        self._undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def drop(self, table: dict[_K, _V], key: _K) -> None:
        """Remove an item of a dict."""
        self._undo.append((table, key, table.pop(key)))

    def emit(self, *event: int) -> None:
        """Say what happened, if the transaction stands."""
        self.events.append(event)

    def rollback(self) -> None:
        """Take everything back, last change first.

        The order of a dict may differ afterwards: nothing may depend on it.
        """
        for asset, source, target, amount in reversed(self._moves):
            posted = self.w.ledger.posted
            posted[target][asset] -= amount
            posted[source][asset] += amount
        for table, key, before in reversed(self._undo):
            if before is _ABSENT:
                del table[key]
            else:
                table[key] = before
        for thing, values in reversed(self._touched):
            for name, value in zip(thing.__slots__, values, strict=True):
                setattr(thing, name, value)
        self.events.clear()


_ABSENT: Final[Any] = object()
