"""The order desk of an agent: what its strategy sends, budgeted and put on a link.

Budgets: ``limits.OUTBOX_MESSAGES_MAX`` commands per wake-up.  What exceeds them, or is sent while
the session is down or the strategy has ended, is refused on the spot: the handle is ``REJECTED``
and ``on_order_update`` follows after ``LOCAL_REPLY_NS``, so that a strategy which answers every
refusal with a new order still lets time pass.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.limits import INT64_MAX, OUTBOX_MESSAGES_MAX
from exchange_sim.marketdata.market import Market
from exchange_sim.messages.reasons import NoteKind, RejectReason
from exchange_sim.model.enums import BUY, GTC, LIMIT
from exchange_sim.sim.exchange import Exchange
from exchange_sim.sim.kernel import WAKE, Kernel
from exchange_sim.sim.session import Session
from exchange_sim.strategy.context import SymbolLike
from exchange_sim.strategy.views import OrderHandle
from exchange_sim.units import NANOS_PER_MS

LOCAL_REPLY_NS: Final = NANOS_PER_MS
"""After this time a strategy hears of an order that was refused before it left."""


@attrs.frozen
class Names:
    """Names of everything in a run, shared by all agents.  Indexes are ids."""

    markets: tuple[Market, ...]
    venues: tuple[str, ...]
    assets: tuple[str, ...]
    asset_scales: tuple[int, ...]
    numeraires: tuple[int, ...] = ()
    loan_products: tuple[str, ...] = ()
    issuers: tuple[tuple[str, int, int], ...] = ()
    underlying: dict[int, int] = attrs.field(factory=dict)
    chain: int = -1
    on_chain: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Names of pools, markets and AMMs in the order of their ids, and of each pool's categories."""
    by_symbol: dict[str, Market] = attrs.field(init=False)
    asset_ids: dict[str, int] = attrs.field(init=False)

    @by_symbol.default
    def _by_symbol(self) -> dict[str, Market]:
        return {market.symbol: market for market in self.markets}

    @asset_ids.default
    def _asset_ids(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.assets)}

    def market(self, symbol: SymbolLike) -> Market:
        """The market of a symbol.  Raises ``UsageError`` or ``TypeError``."""
        if isinstance(symbol, Market):
            return symbol
        found = self.by_symbol.get(symbol) if _is_text(symbol) else None
        if found is None:
            raise unknown("market", symbol, list(self.by_symbol))
        return found

    def asset(self, name: str) -> int:
        """The id of an asset.  Raises ``UsageError`` or ``TypeError``."""
        found = self.asset_ids.get(name) if _is_text(name) else None
        if found is None:
            raise unknown("asset", name, list(self.asset_ids))
        return found

    def venue(self, name: str) -> int:
        """The id of a venue.  Raises ``UsageError`` or ``TypeError``."""
        if not _is_text(name) or name not in self.venues:
            raise unknown("venue", name, list(self.venues))
        return self.venues.index(name)


def _is_text(name: object) -> bool:
    """Strategies are checked at run time: their authors need not use a type checker."""
    return isinstance(name, str)


def unknown(what: str, name: object, known: list[str]) -> Exception:
    """The error for a name that nothing has, with the nearest one that exists."""
    if not isinstance(name, str):
        return TypeError(f"expected the name of a {what}, got {type(name).__name__} {name!r}")
    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known[:8])}"
    return UsageError(f"no {what} {name!r}{hint}")


def _exact(fields: tuple[int, ...]) -> tuple[int, ...] | None:
    """The same numbers as plain integers; ``None`` beyond 64 bits, else ``TypeError``."""
    exact = tuple(operator.index(field) for field in fields)
    return exact if all(-INT64_MAX <= field <= INT64_MAX for field in exact) else None


class Desk:
    """Sessions of one agent and everything that it sends through them."""

    def __init__(self, name: str, kernel: Kernel, exchange: Exchange, names: Names) -> None:
        self._name = name
        self.kernel = kernel
        self.exchange = exchange
        self.names = names
        self.sessions: list[Session] = []
        self.callbacks: dict[str, Any] = {}
        self.closed = False
        self.outbox = 0
        self.refused_locally: dict[tuple[int, int], int] = {}
        self._local_notices = 0
        self._default: list[Session | None] = [None] * len(names.venues)
        self._named: dict[tuple[str, str], Session] = {}
        self._by_account: dict[int, Session] = {}

    def add_session(self, session: Session, venue: int) -> None:
        """Take a session; the first of a venue is its default."""
        self.sessions.append(session)
        if self._default[venue] is None:
            self._default[venue] = session
        self._named[session.venue_name, session.account_name] = session
        self._by_account[session.account] = session

    def session_at(self, venue: int, account: str | None) -> Session:
        """The session of a venue; ``UsageError`` when this strategy has none there."""
        session = self._default[venue] if account is None else None
        if session is not None:
            return session
        venue_name = self.names.venues[venue]
        if account is None:
            own = ", ".join(dict.fromkeys(venue for venue, _ in self._named)) or "no venue"
            raise UsageError(f"{self._name} has no account on {venue_name!r}, but on {own}")
        found = self._named.get((venue_name, account))
        if found is None:
            raise unknown("account", account, [a for v, a in self._named if v == venue_name])
        return found

    def session_named(self, venue: str | None, account: str | None) -> Session:
        """As ``session_at``; without a venue the only one, else ``UsageError``."""
        if venue is not None:
            return self.session_at(self.names.venue(venue), account)
        venues = list(dict.fromkeys(session.venue_name for session in self.sessions))
        if len(venues) != 1:
            raise UsageError(f"name the venue: {self._name} has accounts on {', '.join(venues)}")
        return self.session_at(self.names.venue(venues[0]), account)

    # orders

    def submit(
        self,
        market: Market,
        side: int,
        qty_lots: int,
        price_ticks: int = 0,
        order_type: int = LIMIT,
        tif: int = GTC,
        flags: int = 0,
        display_lots: int = 0,
        trigger_ticks: int = 0,
        trailing_ppm: int = 0,
        expire_ns: int = 0,
        stp_mode: int = 0,
        account: str | None = None,
    ) -> OrderHandle:
        """See ``Strategy.submit``."""
        session = self._default[market.venue_id] if account is None else None
        if session is None:
            session = self.session_at(market.venue_id, account)
        client_id = session.next_client_id
        session.next_client_id = client_id + 1
        # One OR looks at all of them: it is a plain int exactly when they are integers of Python's,
        # negative when one is, and large when one is (0.2 us less than looking at each).
        union = (
            side | qty_lots | price_ticks | order_type | tif | flags | display_lots
            | trigger_ticks | trailing_ppm | expire_ns | stp_mode
        )  # fmt: skip
        if union.__class__ is not int or not 0 <= union <= INT64_MAX:
            exact = _exact(
                (side, qty_lots, price_ticks, order_type, tif, flags,
                 display_lots, trigger_ticks, trailing_ppm, expire_ns, stp_mode)
            )  # fmt: skip
            if exact is None:
                return self.refused(market, BUY, LIMIT, RejectReason.BAD_QTY, account)
            (side, qty_lots, price_ticks, order_type, tif, flags,
             display_lots, trigger_ticks, trailing_ppm, expire_ns, stp_mode) = exact  # fmt: skip
        if expire_ns:
            session.server.has_gtd = True
        order = OrderHandle(
            market, session.account, client_id, side, order_type, tif, price_ticks, qty_lots, flags,
            self.kernel.now_ns,
        )  # fmt: skip
        if self.outbox >= OUTBOX_MESSAGES_MAX or self.closed or not session.connected:
            return self._refuse(order, self._why_blocked(session))
        self.outbox += 1
        if session.private_feed:
            session.view.orders[client_id] = order
        fields = (
            session.account, market.id, client_id, side, order_type, tif, price_ticks, qty_lots,
            display_lots, trigger_ticks, trailing_ppm, flags, stp_mode, expire_ns,
        )  # fmt: skip
        session.send(1, fields)
        return order

    def refused(
        self, market: Market, side: int, order_type: int, reason: int, account: str | None
    ) -> OrderHandle:
        """A handle on an order that could not even be written down."""
        session = self.session_at(market.venue_id, account)
        now = self.kernel.now_ns
        order = OrderHandle(market, session.account, 0, side, order_type, GTC, 0, 0, 0, now)
        return self._refuse(order, reason)

    def modify(self, handle: OrderHandle, price_ticks: int = 0, qty_lots: int = -1) -> bool:
        """See ``Strategy.modify``."""
        session = self._by_account[handle.account]
        price_ticks, qty_lots = operator.index(price_ticks), operator.index(qty_lots)
        if not (0 <= price_ticks <= INT64_MAX and -1 <= qty_lots <= INT64_MAX):
            return False
        if not handle.is_open or not self._may_send(session):
            return False
        handle.pending_replace += 1
        session.send(3, (session.account, handle.client_order_id, price_ticks, qty_lots))
        return True

    def cancel(self, handle: OrderHandle) -> bool:
        """See ``Strategy.cancel``."""
        session = self._by_account[handle.account]
        if handle.pending_cancel or not handle.is_open or not self._may_send(session):
            return False
        handle.pending_cancel = 1
        session.send(2, (session.account, handle.client_order_id))
        return True

    def mass_cancel(
        self, symbol: SymbolLike | None, side: int | None, venue: str | None, account: str | None
    ) -> int:
        """See ``Strategy.cancel_all_orders``."""
        instrument, sent = -1, 0
        if symbol is not None:
            market = self.names.market(symbol)
            instrument, venue = market.id, market.venue
        elif venue is not None:
            self.names.venue(venue)
        for session in self.sessions:
            concerned = venue in (None, session.venue_name)
            concerned = concerned and account in (None, session.account_name)
            if concerned and self._may_send(session):
                direction = -1 if side is None else side
                session.send(4, (session.account, instrument, direction))
                sent += 1
        return sent

    def _why_blocked(self, session: Session) -> int:
        if self.closed:
            return RejectReason.SESSION_DISABLED
        return RejectReason.OUTBOX_FULL if session.connected else RejectReason.VENUE_DOWN

    def _may_send(self, session: Session) -> bool:
        if self.outbox >= OUTBOX_MESSAGES_MAX or self.closed or not session.connected:
            self._count_refusal(session.account, self._why_blocked(session))
            return False
        self.outbox += 1
        return True

    def _refuse(self, order: OrderHandle, reason: int) -> OrderHandle:
        order = self._by_account[order.account].refuse_locally(order, reason)
        self._count_refusal(order.account, reason)
        tell = self.callbacks.get("on_order_update")
        if tell is not None and not self.closed and self._local_notices < OUTBOX_MESSAGES_MAX:
            self._local_notices += 1
            later = self.kernel.now_ns + LOCAL_REPLY_NS
            self.kernel.at(later, self.reply_locally, order, WAKE)
        return order

    def reply_locally(self, order: OrderHandle) -> None:
        """Tell the strategy about an order that never left; the agent knows how."""
        raise NotImplementedError

    def _count_refusal(self, account: int, reason: int) -> None:
        key = account, int(reason)
        self.refused_locally[key] = self.refused_locally.get(key, 0) + 1

    def note_refusals(self) -> None:
        """Record what was refused before it left in this wake-up: one event per reason."""
        refused, self.refused_locally = self.refused_locally, {}
        now = self.kernel.now_ns
        for (account, reason), count in refused.items():
            if reason == RejectReason.OUTBOX_FULL:
                self.note(NoteKind.STRATEGY_FAULT, reason, count)
            self.exchange.apply((41, now, account, 0, -1, -1, reason, count))

    # requests and remarks

    def note(
        self, kind: int, a: int, b: int, venue: str | None = None, account: str | None = None
    ) -> None:
        """See ``Strategy.note``; a remark takes no time to be written down."""
        if venue is None and account is None:
            about = self.sessions[0].account if self.sessions else -1
        else:
            about = self.session_named(venue, account).account
        fields = [operator.index(field) for field in (kind, a, b)]
        if not all(-INT64_MAX <= field <= INT64_MAX for field in fields):
            raise ValueError(f"a note holds 64-bit integers, got {fields}")
        NoteKind(fields[0])
        self.exchange.apply((40, self.kernel.now_ns, about, *fields))

    def venue_names(self) -> Sequence[str]:
        """Venues with an account, in the order of the sessions."""
        return list(dict.fromkeys(session.venue_name for session in self.sessions))
