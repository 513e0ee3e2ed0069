"""Every bound of the system in one place, each with its reason."""

from __future__ import annotations

from typing import Final

INT64_MAX: Final = 2**63 - 1
"""Commands and events are columns of signed 64-bit integers, in the journal and in Parquet."""

PRICE_TICKS_MAX: Final = 10**12
"""Keeps price * quantity * value per tick and lot inside 64 bits for every legal instrument."""

QTY_LOTS_MAX: Final = 10**13
"""As above; an order beyond it is refused with ``QTY_ABOVE_MAX``."""

EVENTS_PER_INSTANT_MAX: Final = 1_000_000
"""Kernel steps without advancing time before a run is declared livelocked."""

STOPS_PER_COMMAND_MAX: Final = 100_000
"""Stop orders that one command may fire in a chain; the rest stay armed for the next command."""

OPEN_ORDERS_PER_ACCOUNT_MAX: Final = 10_000
"""Default of the MAX_NUM_ORDERS filter when a venue does not set one, per account and
instrument.
"""

LIQUIDATION_STEPS_MAX: Final = 10_000
"""Steps of one account's liquidation before it is handed to takeover whatever its state."""

OUTBOX_MESSAGES_MAX: Final = 5_000
"""Messages that a strategy may send in one wake-up; more are refused locally and recorded."""

TIMERS_PER_INSTANT_MAX: Final = 1_000
"""Timers of one strategy that may fire at one instant; beyond it the strategy is at fault."""

STRATEGY_CELLS_MAX: Final = 4_000_000
"""Cells that a strategy may hold (see ``sim.state_watch``): a quarter of a gigabyte of buffers, or
lists and dictionaries with so many entries; beyond it the strategy is at fault.
"""

JOURNAL_BLOCK_COMMANDS: Final = 512
"""Commands per journal frame: a killed run loses at most this many."""

ROW_GROUP_ROWS: Final = 65_536
"""Rows that the event log buffers per table before it writes a row group."""

ACTIONS_PER_TRANSACTION_MAX: Final = 64
"""Actions of one on-chain transaction; twenty rounds of a loop fit."""

DRAFTS_PER_WALLET_MAX: Final = 100
"""Transactions of one wallet that are begun and not submitted."""

MEMPOOL_TRANSACTIONS_MAX: Final = 100_000
"""Transactions that wait for a block; more are refused with ``MEMPOOL_FULL``."""

GAS_PRICE_MAX: Final = 10**15
"""A million gwei per gas: keeps the fee of a full block inside 64 bits."""
