"""Formats of recorded files and their columns: light enough for the command line to know them."""

from __future__ import annotations

from typing import Final

_TARDIS: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
COLUMNS: Final = {
    "tardis-incremental_book_L2": (*_TARDIS, "is_snapshot", "side", "price", "amount"),
    "tardis-trades": (*_TARDIS, "id", "side", "price", "amount"),
    "lobster": ("time", "type", "order_id", "size", "price", "direction"),
    "binance-trades": ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker"),
    "binance-aggTrades": (
        "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time",
        "is_buyer_maker",
    ),
    "binance-bookTicker": (
        "update_id", "best_bid_price", "best_bid_qty", "best_ask_price", "best_ask_qty",
        "transaction_time", "event_time",
    ),
}  # fmt: skip
FORMATS: Final = tuple(COLUMNS)
BOOKS: Final = ("tardis-incremental_book_L2", "lobster", "binance-bookTicker")
"""Formats that tell what rests; the others tell trades only."""
