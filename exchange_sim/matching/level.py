"""One price level of a book: a first-in-first-out queue that orders may leave anywhere."""

from __future__ import annotations

from collections.abc import Iterator

from exchange_sim.model.order import Order


class Level:
    """All orders at one price, oldest first.

    ``queue`` holds a cell per order from ``head`` on.  A cell is dead when its order's ``level`` is
    no longer this one, or when it is a ghost: the earlier cell of an order that left and came back.
    ``ghosts`` counts them per order id; the ghosts of an order always stand before its living cell.
    ``dead`` counts the dead cells behind ``head``.  The living orders have ``total`` open lots,
    ``hidden`` of which are not shown; a level without open lots is closed at once.
    """

    __slots__ = ("dead", "ghosts", "head", "hidden", "key", "price", "queue", "total")

    def __init__(self) -> None:
        self.key = 0
        self.price = 0
        self.queue: list[Order] = []
        self.ghosts: dict[int, int] = {}
        self.head = 0
        self.dead = 0
        self.total = 0
        self.hidden = 0

    def close(self) -> None:
        """Forget everything, to be used again at another price."""
        self.queue.clear()
        self.head = self.dead = self.total = self.hidden = 0
        if self.ghosts:
            self.ghosts = {}

    def __len__(self) -> int:
        """How many orders live here."""
        return len(self.queue) - self.head - self.dead

    def __iter__(self) -> Iterator[Order]:
        """The living orders in time priority."""
        queue, ghosts = self.queue, dict(self.ghosts)
        for index in range(self.head, len(queue)):
            order = queue[index]
            if ghosts and _is_ghost(ghosts, order):
                continue
            if order.level is self:
                yield order

    def passes_ghost(self, order: Order) -> bool:
        """Whether the front cell, which holds ``order``, is a ghost; it then counts no more."""
        return _is_ghost(self.ghosts, order)

    def skip_dead(self) -> None:
        """Move the head to the first living cell."""
        while self.passes_ghost(self.queue[self.head]) or self.queue[self.head].level is not self:
            self.head += 1
            self.dead -= 1

    def compact(self) -> None:
        """Drop the dead cells.  O(cells), paid for by the cells that died."""
        if self.ghosts:
            self.queue = list(self)
        else:
            self.queue = [order for order in self.queue[self.head :] if order.level is self]
        self.ghosts = {}
        self.head = self.dead = 0

    def problem(self, side: int, key: int) -> str:
        """What is wrong with this level as the one of ``key`` on ``side``; empty if nothing is."""
        orders, shown = list(self), self.total - self.hidden
        for order in orders:
            cap = min(order.display or order.leaves, order.leaves)
            if order.leaves <= 0 or not 0 < order.shown <= cap:
                return f"order {order.order_id} shows {order.shown} of {order.leaves}"
            if order.side != side or abs(key) != order.price or self.price != order.price:
                return f"order {order.order_id} stands in the wrong place"
        if not orders or len(orders) != len(self):
            return f"{len(orders)} living orders, {len(self)} counted"
        if self.total != sum(order.leaves for order in orders):
            return f"total {self.total} is not the sum of its orders"
        if shown != sum(order.shown for order in orders):
            return f"shown {shown} is not the sum of its orders"
        return ""


def _is_ghost(ghosts: dict[int, int], order: Order) -> bool:
    left = ghosts.pop(order.order_id, 0)
    if left > 1:
        ghosts[order.order_id] = left - 1
    return left > 0
