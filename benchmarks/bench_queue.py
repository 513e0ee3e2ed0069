"""The two choices inside the order book, side by side with the alternatives.

Run ``python -m benchmarks.bench_queue``; nanoseconds per step of
processor time, the best of several rounds.

- FIFO of a level: a step appends an order, cancels one in the middle, or takes the front one
- price levels: a step opens or closes a level, near the touch or anywhere
"""

from __future__ import annotations

import gc
import random
import time
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from sortedcontainers import SortedDict

STEPS = 100_000
ROUNDS = 5


class Cell:
    """An order, as far as a queue is concerned."""

    __slots__ = ("id", "level", "next", "previous")

    def __init__(self, id: int) -> None:
        self.id = id
        self.level: Any = None
        self.next: Cell | None = None
        self.previous: Cell | None = None


class TombstoneList:
    """What the book does: a list with a head index; a cancelled cell stays and is skipped."""

    def __init__(self) -> None:
        self.queue: list[Cell] = []
        self.head = 0
        self.dead = 0

    def append(self, cell: Cell) -> None:
        """Queue an order at the back."""
        cell.level = self
        self.queue.append(cell)

    def cancel(self, cell: Cell) -> None:
        """Take an order out, wherever it stands."""
        cell.level = None
        self.dead += 1
        if self.dead > 64 and self.dead * 2 > len(self.queue) - self.head:
            self.queue = [kept for kept in self.queue[self.head :] if kept.level is self]
            self.head = self.dead = 0

    def take(self) -> Cell:
        """Take the front order."""
        queue, head = self.queue, self.head
        while queue[head].level is not self:
            head += 1
            self.dead -= 1
        cell = queue[head]
        cell.level = None
        head += 1
        if head > 64 and head * 2 > len(queue):
            del queue[:head]
            head = 0
        self.head = head
        return cell


class OrderedDictQueue:
    """``collections.OrderedDict`` by id."""

    def __init__(self) -> None:
        self.queue: OrderedDict[int, Cell] = OrderedDict()

    def append(self, cell: Cell) -> None:
        """Queue an order at the back."""
        self.queue[cell.id] = cell

    def cancel(self, cell: Cell) -> None:
        """Take an order out, wherever it stands."""
        del self.queue[cell.id]

    def take(self) -> Cell:
        """Take the front order."""
        return self.queue.popitem(last=False)[1]


class LinkedList:
    """Links inside the orders."""

    def __init__(self) -> None:
        self.first: Cell | None = None
        self.last: Cell | None = None

    def append(self, cell: Cell) -> None:
        """Queue an order at the back."""
        last = self.last
        if last is None:
            self.first = cell
        else:
            last.next = cell
            cell.previous = last
        self.last = cell

    def cancel(self, cell: Cell) -> None:
        """Take an order out, wherever it stands."""
        before, after = cell.previous, cell.next
        if before is None:
            self.first = after
        else:
            before.next = after
        if after is None:
            self.last = before
        else:
            after.previous = before

    def take(self) -> Cell:
        """Take the front order."""
        cell = self.first
        assert cell is not None
        self.cancel(cell)
        return cell


class PlainDict:
    """A plain dict as a queue: the front is searched behind everything that ever left there."""

    def __init__(self) -> None:
        self.queue: dict[int, Cell] = {}

    def append(self, cell: Cell) -> None:
        """Queue an order at the back."""
        self.queue[cell.id] = cell

    def cancel(self, cell: Cell) -> None:
        """Take an order out, wherever it stands."""
        del self.queue[cell.id]

    def take(self) -> Cell:
        """Take the front order."""
        return self.queue.pop(next(iter(self.queue)))


class KeyList:
    """What the book does: a dict of levels and a sorted list of keys, the best one last."""

    def __init__(self) -> None:
        self.keys: list[int] = []
        self.levels: dict[int, None] = {}

    def open(self, key: int) -> None:
        """Start a level."""
        self.levels[key] = None
        if not self.keys or key > self.keys[-1]:
            self.keys.append(key)
        else:
            insort(self.keys, key)

    def close(self, key: int) -> None:
        """End a level."""
        if self.keys[-1] == key:
            self.keys.pop()
        else:
            del self.keys[bisect_left(self.keys, key)]
        del self.levels[key]

    def best(self) -> int:
        """The best key."""
        return self.keys[-1]


class Sorted:
    """``sortedcontainers.SortedDict``."""

    def __init__(self) -> None:
        self.levels = SortedDict()

    def open(self, key: int) -> None:
        """Start a level."""
        self.levels[key] = None

    def close(self, key: int) -> None:
        """End a level."""
        del self.levels[key]

    def best(self) -> int:
        """The best key."""
        return int(self.levels.peekitem(-1)[0])


def queue_steps(make: Callable[[], Any], depth: int) -> float:
    """Nanoseconds per step in a queue of about ``depth`` orders."""
    best = float("inf")
    for _ in range(ROUNDS):
        dice, queue, live = random.Random(1), make(), dict[int, Cell]()
        plan = [dice.random() for _ in range(STEPS)]
        cells = [Cell(id) for id in range(depth + STEPS)]
        for cell in cells[:depth]:
            queue.append(cell)
            live[cell.id] = cell
        fresh = depth
        gc.collect()
        gc.disable()
        started = time.process_time()
        for chance in plan:
            if chance < 0.5:
                cell = cells[fresh]
                fresh += 1
                queue.append(cell)
                live[cell.id] = cell
            elif chance < 0.7 and (middle := live.pop(fresh - depth // 2, None)):
                queue.cancel(middle)
            elif live:
                del live[queue.take().id]
        best = min(best, time.process_time() - started)
        gc.enable()
    return best / STEPS * 1e9


def level_steps(make: Callable[[], Any], levels: int, *, near: bool) -> float:
    """Nanoseconds to open or close one of about ``levels`` levels and read the best one."""
    best = float("inf")
    for _ in range(ROUNDS):
        dice, book = random.Random(1), make()
        held = dict.fromkeys(range(0, 4 * levels, 4))
        for key in held:
            book.open(key)
        top = 4 * levels
        plan = [
            top - int(dice.expovariate(0.2)) if near else dice.randrange(top) for _ in range(STEPS)
        ]
        gc.collect()
        gc.disable()
        started = time.process_time()
        for key in plan:
            if key in held:
                del held[key]
                book.close(key)
            else:
                held[key] = None
                book.open(key)
            book.best()
        best = min(best, time.process_time() - started)
        gc.enable()
    return best / STEPS * 1e9


def main() -> None:
    """Print both comparisons."""
    for depth in (10, 1_000, 10_000):
        print(f"queue of {depth:,} orders")
        for make in (TombstoneList, OrderedDictQueue, LinkedList, PlainDict):
            print(f"    {make.__name__:18} {queue_steps(make, depth):8.0f} ns/step")
    for levels in (100, 5_000):
        for near in (True, False):
            print(f"{levels:,} price levels, {'near the touch' if near else 'anywhere'}")
            for book in (KeyList, Sorted):
                print(f"    {book.__name__:18} {level_steps(book, levels, near=near):8.0f} ns/step")


if __name__ == "__main__":
    main()
