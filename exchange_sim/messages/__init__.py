"""Everything that can be asked of the world and everything that can happen in it.

A message is a tuple of integers on the hot path, ``(type_id, ...)``, and an attrs class for people.
The registry is the single schema of both: codec, event tables, reference page and fuzzers read it.
Importing this package fills it.
"""

from exchange_sim.messages import (
    account_modes,
    chain_commands,
    chain_events,
    commands,
    credit_commands,
    credit_events,
    events,
)

__all__ = [
    "account_modes",
    "chain_commands",
    "chain_events",
    "commands",
    "credit_commands",
    "credit_events",
    "events",
]
