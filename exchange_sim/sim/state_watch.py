"""How much a strategy holds on to: a leak is a fault before it takes the machine's memory.

What can be reached from a strategy is counted at instants of simulated time, in cells: a cell is
one reference in a container or an object, or ``CELL_BYTES`` of a text, a buffer or an array.  Only
the program decides the count, not the machine and not the memory that is free, so a strategy that
holds more than ``STRATEGY_CELLS_MAX`` cells, or its own ``leak_limit``, is at fault at the same
instant in every run.

Nothing is counted while a strategy runs.  The first look is after a second, the next one after as
many seconds as ``CELLS_PER_S`` goes into what was found, so that looking costs the same share of a
run whatever is held; sooner when the limit would be reached before that at the rate of growth since
the last look; never sooner than a second.

Simplifications: the package's own strategies are not looked at without a ``leak_limit``.  Followed
are containers, attributes and slots, the class, its module's variables, defaults of functions,
closures and objects of other modules; not followed are this package's objects (an order that was
kept is one cell), modules, and what an extension module holds outside Python objects, arrays
excepted.  Of an endless generator or a task, the frame is followed.
"""

from __future__ import annotations

import array
import gc
import inspect
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from exchange_sim.limits import STRATEGY_CELLS_MAX
from exchange_sim.sim.kernel import SYSTEM, Kernel
from exchange_sim.strategy.api import Strategy
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.sim.agent import Agent
    from exchange_sim.sim.host import Host

CELL_BYTES: Final = 64
CELLS_PER_S: Final = 2_000
"""Cells looked at per simulated second and strategy: about a hundredth of a millisecond of work."""

_PACKAGE: Final = "exchange_sim"
_HOME: Final = Path(__file__).resolve().parent.parent
_BUNDLED: Final = _HOME / "_bundled"
_SHIPPED: Final = (_HOME, _BUNDLED if _BUNDLED.is_dir() else _HOME.parent / "strategies")
_SIMPLE: Final = (int, float, complex, bool, type(None), ModuleType)


Look = tuple["Agent", int, int]
"""A strategy, what it held at the look before, and how many seconds ago that was."""


class HoldsTooMuch(RuntimeError):
    """A strategy keeps more than it may."""


class StateWatch:
    """Looks at the strategies of a run; those of this package are left out."""

    def __init__(self, host: Host, kernel: Kernel, cells_max: int = STRATEGY_CELLS_MAX) -> None:
        self._host = host
        self._kernel = kernel
        self._cells_max = cells_max
        self.limits: dict[str, int] = {}
        """Limits of strategies that have one of their own, by name."""

    def start(self) -> None:
        """Look at every strategy for the first time in a second."""
        first = self._kernel.now_ns + NANOS_PER_S
        for agent in self._host.agents:
            if agent.name in self.limits or not is_shipped(type(agent.strategy)):
                self._kernel.at(first, self._look, (agent, 0, 1), SYSTEM)

    def _look(self, last: Look) -> None:
        agent, before, waited = last
        if not agent.closed:
            count = self._judge(agent)
            seconds = self._seconds(self._limit(agent) - count, count, before, waited)
            at = self._kernel.now_ns + seconds * NANOS_PER_S
            self._kernel.at(at, self._look, (agent, count, seconds), SYSTEM)

    def _judge(self, agent: Agent) -> int:
        """What a strategy holds; too much is told to the host."""
        limit = self._limit(agent)
        count, most = held_by(agent.strategy, limit)
        if count > limit:
            fault = HoldsTooMuch(f"it holds more than {limit:,} cells, most in {most}")
            self._host.report(agent, type(agent.strategy), fault, where_of(type(agent.strategy)))
        return count

    def _limit(self, agent: Agent) -> int:
        return self.limits.get(agent.name, self._cells_max)

    def _seconds(self, room: int, count: int, before: int, waited: int) -> int:
        """Until the next look; ``before`` was held ``waited`` seconds ago, ``room`` is left."""
        seconds, growth = count // CELLS_PER_S, count - before
        if growth > 0 < room:
            seconds = min(seconds, room * waited // growth)
        return max(1, seconds)


def is_shipped(cls: type[Strategy]) -> bool:
    """Whether a class is defined in this package or in the reference strategies."""
    path = Path(_file_of(cls)).resolve()
    return any(path.is_relative_to(home) for home in _SHIPPED)


def where_of(cls: type[Strategy]) -> str:
    """``file:line`` of a class; only the file, or "?", when its source is not there."""
    try:
        return f"{_file_of(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):
        return _file_of(cls) or "?"


def _file_of(cls: type[Any]) -> str:
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):
        return ""  # typed into a notebook or a console


def held_by(strategy: Strategy, cells_max: int) -> tuple[int, str]:
    """Cells that a strategy holds and where most of them are; stops soon beyond ``cells_max``."""
    count, most, name = 0, 0, "nothing"
    seen: set[int] = {id(strategy)}
    for label, root in _roots(strategy):
        found = 1 + _cells([root], seen, cells_max - count)
        count += found
        if found > most:
            most, name = found, label
        if count > cells_max:
            break
    return count, name


def _roots(strategy: Strategy) -> list[tuple[str, Any]]:
    """What is counted, with the name under which a report tells it."""
    found: list[tuple[str, Any]] = []
    own = [cls for cls in type(strategy).__mro__ if not _is_ours(cls)]
    for attribute, value in _attributes(strategy):
        found.append((f"self.{attribute}", value))
    for cls in own:
        found += [(f"{cls.__name__}.{name}", value) for name, value in list(vars(cls).items())]
    module = inspect.getmodule(type(strategy))
    if own and module is not None:
        for name, value in list(vars(module).items()):
            if not name.startswith("__"):
                found.append((name, value))
    return found


def _attributes(strategy: Strategy) -> list[tuple[str, Any]]:
    """Attributes and slots of a strategy, without asking its own methods for them."""
    found = list(object.__getattribute__(strategy, "__dict__").items())
    for cls in type(strategy).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            member = vars(cls).get(name)
            if inspect.ismemberdescriptor(member):
                try:
                    found.append((name, member.__get__(strategy)))
                except AttributeError:
                    continue
    return [(name, value) for name, value in found if not _is_ours(type(value))]


def _is_ours(cls: type[Any]) -> bool:
    """Whether a class is defined by this package, not by a user or a library."""
    module = type.__getattribute__(cls, "__module__")
    return isinstance(module, str) and (module == _PACKAGE or module.startswith(f"{_PACKAGE}."))


def _cells(objects: list[Any], seen: set[int], most: int) -> int:
    """Cells behind these objects that were not seen before; gives up beyond ``most``."""
    count = 0
    while objects and count <= most:
        found = objects.pop()
        kind = type(found)
        if kind in _SIMPLE or id(found) in seen:
            continue
        seen.add(id(found))
        size = _bytes_of(found, kind)
        if size >= 0:
            count += size // CELL_BYTES
            continue
        inner = _inside(found, kind)
        count += len(inner)
        objects += inner
    return count


def _bytes_of(found: Any, kind: type[Any]) -> int:
    """Bytes of something that is one block of memory; -1 for anything else."""
    if kind in (str, bytes, bytearray):
        return len(found)
    if kind is array.array:
        return len(found) * int(found.itemsize)
    if issubclass(kind, np.ndarray) and found.dtype.kind != "O":
        return int(found.nbytes)
    return -1


def _inside(found: Any, kind: type[Any]) -> list[Any]:
    """What an object refers to, as far as it is the strategy's own."""
    if issubclass(kind, type) or _is_ours(kind):
        return []
    if kind is FunctionType:
        closed = [] if found.__closure__ is None else list(found.__closure__)
        return [*(found.__defaults__ or ()), *(found.__kwdefaults__ or {}).values(), *closed]
    if kind in (list, tuple):
        return list(found)
    if kind is dict:
        return [*found.keys(), *found.values()]
    if issubclass(kind, np.ndarray):
        return np.ndarray.ravel(found).tolist()  # the collector does not see into one
    return [inner for inner in gc.get_referents(found) if not isinstance(inner, type)]
