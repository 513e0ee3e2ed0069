"""What happened inside the matching engine, as plain tuples in the exact order of happening.

==============  ==================================================================================
``TRADE``       ``(TRADE, maker, taker, price, qty, maker_leaves_after, taker_leaves_after)``
``CANCEL``      ``(CANCEL, order, qty, CancelReason)``: the open quantity left, the order ended
``REDUCE``      ``(REDUCE, order, qty, CancelReason)``: the open quantity shrank, the order lives
``RESTED``      ``(RESTED, order)``: the order stands in the book at ``order.price``
``TRIGGER``     ``(TRIGGER, order)``: an armed order fired and enters as ``order.order_type``
``REJECT``      ``(REJECT, order, RejectReason)``: refused, nothing changed
``TRANSFER``    ``(TRANSFER, maker, taker, price, qty, maker_leaves_after, taker_leaves_after)``:
                prevented between two accounts of a trade group, whose assets change hands
==============  ==================================================================================

The orders are the live objects: quantities that must be read "as of that trade" are in the tuple.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Outcome: TypeAlias = tuple[Any, ...]

TRADE: Final = 0
CANCEL: Final = 1
REDUCE: Final = 2
RESTED: Final = 3
TRIGGER: Final = 4
REJECT: Final = 5
TRANSFER: Final = 6
