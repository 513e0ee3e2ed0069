"""One price level of a book: a first-in-first-out queue that orders may leave anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_sim.model.order import Order


class Level:
    """All orders at one price, oldest first.

    ``count`` living orders, ``total`` their open lots, ``hidden`` the part of ``total`` not shown.
    """

    __slots__ = ("count", "head", "hidden", "key", "price", "queue", "total")

    def __init__(self, key: int, price: int) -> None:
        self.key = key
        self.price = price
        self.queue: list[Order] = []
        self.head = 0
        self.count = 0
        self.total = 0
        self.hidden = 0

    def __iter__(self) -> Iterator[Order]:
        """The living orders in time priority."""
        queue = self.queue
        for index in range(self.head, len(queue)):
            order = queue[index]
            if order.level is self:
                yield order

    def compact(self) -> None:
        """Drop the dead cells.  O(cells), paid for by the cells that died."""
        self.queue = [order for order in self.queue[self.head :] if order.level is self]
        self.head = 0
