"""Names for the integers that identify things.  All of them are dense and start at 0 or 1 per
world.

Ids are handed out by the ``World`` (never by a module-level counter), so a second run in the same
process gets the same ids.
"""

from __future__ import annotations

from typing import NewType

AssetId = NewType("AssetId", int)
InstrumentId = NewType("InstrumentId", int)
VenueId = NewType("VenueId", int)
AccountId = NewType("AccountId", int)
OrderId = NewType("OrderId", int)
ClientOrderId = NewType("ClientOrderId", int)
TradeId = NewType("TradeId", int)
Seq = NewType("Seq", int)
