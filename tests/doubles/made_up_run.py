"""A run that is only tables: prices, books and forced closes said by a test, to be scored.

Amounts are in whole dollars (a quote asset without decimals), prices in ticks of 1, lots of 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from exchange_sim.analysis.score.report import Line, measure
from exchange_sim.analysis.score.roles import Asset, Instrument, Roles
from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import View
from exchange_sim.eventlog.book_summary import DEPTH_COLUMNS, book_schema
from exchange_sim.eventlog.schema import event_schema, kind_of_table, table_name
from exchange_sim.messages.events import AdlExecuted, LiquidationEnded, MarkPriceUpdated, Traded
from exchange_sim.messages.registry import Message

SECOND = 10**9
NEWS = 1_760_129_400 * SECOND
ASSETS = {
    "USDT": Asset("quote"),
    "BTC": Asset("major"),
    "A": Asset("alt"),
    "B": Asset("alt"),
    "USDe": Asset("pegged"),
    "WBETH": Asset("wrapper", "BTC", 2.0),
}


class MadeUpRun:
    """Rows by event kind; what a row does not say is zero."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self.instruments = tuple(instruments)
        self.accounts: list[dict[str, Any]] = [
            {"account": at, "venue": 0, "venue_name": "lead", "owner": owner, "population": group}
            for at, (owner, group) in enumerate(
                [("x", "system"), ("lead/takeover", "system"), ("a", "crowd"), ("b", "mm-1")]
            )
        ]
        self.assets: list[dict[str, Any]] = [
            {"asset": at, "symbol": name, "decimals": 0} for at, name in enumerate(ASSETS)
        ]
        self.balances = pa.table(
            {"ledger_account": [2, 3], "asset": [4, 0], "amount": [950, 9], "loan": [0, 0]}
        )
        self.positions = pa.table(
            {
                "account": pa.array([], pa.int32()),
                "instrument": pa.array([], pa.int32()),
                "qty": pa.array([], pa.int64()),
                "entry_notional": pa.array([], pa.int64()),
                "mark": pa.array([], pa.int64()),
            }
        )
        self._rows: dict[str, list[dict[str, int]]] = {}
        self._book: list[dict[str, float]] = []

    def add(self, kind: type[Message], second: float, /, **fields: int) -> None:
        """One event, ``second`` seconds after the news."""
        row = {"seq": len(self._rows.get(table_name(kind), [])) + 1}
        row["time_ns"] = NEWS + int(second * SECOND)
        self._rows.setdefault(table_name(kind), []).append(row | fields)

    def trade(
        self, second: float, price: int, usd: int = 100, sell: int = 1, at: int = 0, **more: int
    ) -> None:
        """One trade of an instrument."""
        fields = {"instrument": at, "price": price, "quote_amount": usd, "qty": 1, **more}
        self.add(Traded, second, aggressor=sell, **fields)

    def path(self, points: Iterable[tuple[float, int]], at: int = 0) -> None:
        """Trades of 100 dollars at these seconds and prices."""
        for second, price in points:
            self.trade(second, price, at=at)

    def marks(self, points: Iterable[tuple[float, int]], at: int = 0, **more: int) -> None:
        """Mark prices in ticks."""
        for second, price in points:
            fields = {"mark": price * 10**6, "index": price * 10**6, **more}
            self.add(MarkPriceUpdated, second, instrument=at, **fields)

    def quote(
        self, second: float, bid: int, ask: int, depth: int, at: int = 0, **more: int
    ) -> None:
        """One second of a book; the same depth within every distance, on both sides."""
        row: dict[str, float] = {"time_ns": NEWS + int(second * SECOND), "instrument": at}
        row |= {"bid": bid, "ask": ask, "spread": ask - bid, "mid": (bid + ask) / 2}
        self._book.append(row | dict.fromkeys(DEPTH_COLUMNS, depth) | more)

    def liquidate(
        self, second: float, price: int, usd: int, account: int = 2, at: int = 0, sell: int = 1
    ) -> None:
        """A trade of the liquidation engine (flag 4); one lot is worth its price."""
        fields = {"qty": usd // price, "taker_flags": 4, "taker_account": account}
        self.trade(second, price, usd, sell, at, **fields)

    def adl(self, second: float, price: int, qty: int, at: int = 0, pnl: int = 1) -> None:
        """A close against the account of the maker, for the takeover account."""
        fields = {"bankrupt_account": 1, "victim_account": 3, "victim_pnl": pnl}
        self.add(AdlExecuted, second, instrument=at, price=price * 10**6, qty=qty, **fields)

    def end(self, second: float, equity: int) -> None:
        """A liquidation that ends with an equity."""
        self.add(LiquidationEnded, second, account=2, equity=equity)

    @property
    def book(self) -> pa.Table:
        """The table of books."""
        return _table(self._book, book_schema())

    def table(self, kind: type[Message] | str) -> pa.Table:
        """The table of an event kind."""
        name = kind if isinstance(kind, str) else table_name(kind)
        cls = kind_of_table(name)
        assert cls is not None
        return _table(self._rows.get(name, []), event_schema(cls))

    def view(self, start: float = -600, end: float = 4800, **more: Any) -> View:
        """What the measuring functions see."""
        venues = {"primary": "lead", "secondary": "second", "onchain": "chain"}
        roles = Roles(
            self.instruments, ASSETS, venues, start_ns=NEWS + int(start * SECOND),
            end_ns=NEWS + int(end * SECOND), news_ns=NEWS,
        )  # fmt: skip
        return View(self, roles, **more)

    def measure(self, quantity: str, **fields: Any) -> float | None:
        """The value of a target with these words."""
        return self.line(quantity, **fields).value

    def line(self, quantity: str, view: View | None = None, **fields: Any) -> Line:
        """The line of a target with these words."""
        return measure(view or self.view(), target(quantity, **fields))


def _table(rows: Sequence[Mapping[str, float]], schema: pa.Schema) -> pa.Table:
    columns = {name: [row.get(name, 0) for row in rows] for name in schema.names}
    return pa.table(columns, schema=schema)


def book_of(at: int, base: str, venue: str = "lead", kind: str = "SPOT", **more: Any) -> Instrument:
    """An instrument with ticks of one, and lots of one unless said otherwise."""
    lot = more.pop("lot", 1.0)
    return Instrument(at, f"{base}USDT", venue, kind, base, "USDT", 1.0, lot, 1.0, **more)


def target(
    quantity: str,
    venue: str = "primary_spot",
    asset: str = "btc",
    window: tuple[float, float] | None = (0.0, 4200.0),
    **more: Any,
) -> Target:
    """A target whose band is 0 to 1 unless said otherwise."""
    fields: dict[str, Any] = {
        "id": "T-1", "area": "", "quantity": quantity, "venue_kind": venue, "asset_kind": asset,
        "low": 0.0, "high": 1.0, "point": None, "unit": "percent", "window": window,
        "news_clock_s": 75_000.0, "definition": "", "role": "score", "confidence": "high",
        "source_url": "", "notes": "", "where": "t.json:1",
    }  # fmt: skip
    return Target(**{**fields, **more})
