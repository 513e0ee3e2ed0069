"""Reading the inputs of a rule vector, and the table of adapters by area.

Numbers stay exact: JSON decimals become ``Fraction``; the integer rules run on units of 10**-18, so
that their named rounding is far below any tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any, Final

from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.units import PPM

SCALE: Final = 10**18
"""Units per one of whatever a vector counts."""

EXPONENT_MAX: Final = 400
"""Largest power of ten that is read: beyond it exact arithmetic would not end."""

LONG: Final = 1
SHORT: Final = -1
_SIDES: Final = {
    "LONG": LONG,
    "BUY": LONG,
    "BID": LONG,
    "SHORT": SHORT,
    "SELL": SHORT,
    "ASK": SHORT,
}

Results = dict[str, Any]
"""What a rule says, by the names that vectors use for it."""


class InputError(ValueError):
    """A vector lacks an input that its rule needs, or has one of the wrong kind."""


def number(value: Any, where: str) -> Fraction:
    """An exact number from JSON: integer, decimal, or text such as ``"1.5"`` or ``"121/100"``.

    Raises ``InputError`` for anything else.
    """
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Fraction(value)
    if isinstance(value, str):
        top, _, bottom = value.partition("/")
        try:
            return _exact(top) / _exact(bottom or "1")
        except (InvalidOperation, ArithmeticError, ValueError):
            raise InputError(f"{where}: not a number: {value!r}") from None
    raise InputError(f"{where}: expected a number, got {value!r}")


def _exact(text: str) -> Fraction:
    value = Decimal(text)
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise ValueError(text)
    return Fraction(value)


class Inputs:
    """The named inputs of one vector.

    Every getter takes alternative names, tried in order; a name may be a pattern such as
    ``price_*``, which stands for the first key that matches it.  A null counts as absent.
    """

    def __init__(self, data: Mapping[str, Any], path: str = "inputs") -> None:
        self.data = data
        self.path = path

    def key(self, *names: str) -> str | None:
        """The first of ``names`` that is present, as it is spelled in the file."""
        for name in names:
            for key, value in self.data.items():
                if value is not None and fnmatchcase(key, name):
                    return key
        return None

    def has(self, *names: str) -> bool:
        """Whether one of ``names`` is present."""
        return self.key(*names) is not None

    def raw(self, *names: str) -> Any:
        """The value of the first name present; raises ``InputError`` if none is."""
        key = self.key(*names)
        if key is None:
            raise InputError(f"{self.path}: missing {' or '.join(names)}")
        return self.data[key]

    def num(self, *names: str, default: Fraction | int | None = None) -> Fraction:
        """An exact number; ``InputError`` if it is absent and has no default."""
        key = self.key(*names)
        if key is None and default is not None:
            return Fraction(default)
        return number(self.raw(*names), f"{self.path}.{key}")

    def opt(self, *names: str) -> Fraction | None:
        """An exact number, or None if absent."""
        return self.num(*names) if self.has(*names) else None

    def integer(self, *names: str, default: int | None = None) -> int:
        """A whole number; ``InputError`` for a fraction."""
        value = self.num(*names, default=default)
        if value.denominator != 1:
            raise InputError(f"{self.path}.{names[0]}: expected a whole number, got {float(value)}")
        return value.numerator

    def flt(self, *names: str, default: float | None = None) -> float:
        """A float, for rules that have no exact form."""
        if default is not None and not self.has(*names):
            return default
        return float(self.num(*names))

    def nums(self, *names: str, null: Fraction | None = None) -> list[Fraction]:
        """A list of exact numbers; ``null`` stands for entries that are null, if it is given."""
        key = self.key(*names)
        return [
            null if value is None and null is not None else number(value, f"{self.path}.{key}[{k}]")
            for k, value in enumerate(self.items(*names))
        ]

    def items(self, *names: str) -> list[Any]:
        """A list."""
        value = self.raw(*names)
        if not isinstance(value, list):
            raise InputError(f"{self.path}.{self.key(*names)}: expected a list, got {value!r}")
        return value

    def text(self, *names: str, default: str | None = None) -> str:
        """A text."""
        if default is not None and not self.has(*names):
            return default
        value = self.raw(*names)
        if not isinstance(value, str):
            raise InputError(f"{self.path}.{self.key(*names)}: expected a text, got {value!r}")
        return value

    def flag(self, *names: str, default: bool = False) -> bool:
        """True or false."""
        if not self.has(*names):
            return default
        value = self.raw(*names)
        if not isinstance(value, bool):
            where = f"{self.path}.{self.key(*names)}"
            raise InputError(f"{where}: expected true or false, got {value!r}")
        return value

    def side(self, *names: str, default: int | None = None) -> int:
        """1 for LONG or BUY, -1 for SHORT or SELL; numbers 1 and -1 too."""
        names = names or ("side", "direction", "position_side")
        if default is not None and not self.has(*names):
            return default
        value = self.raw(*names)
        if isinstance(value, str) and value.upper() in _SIDES:
            return _SIDES[value.upper()]
        if not isinstance(value, (str, bool)) and value in (LONG, SHORT):
            return int(value)
        raise InputError(f"{self.path}.{self.key(*names)}: not a side: {value!r}")

    def sub(self, *names: str) -> Inputs:
        """A table of its own names."""
        key = self.key(*names)
        return nested(self.raw(*names), f"{self.path}.{key}")

    def subs(self, *names: str) -> list[Inputs]:
        """A list of tables, or one table; empty if absent."""
        if not self.has(*names):
            return []
        value, where = self.raw(*names), f"{self.path}.{self.key(*names)}"
        if isinstance(value, list):
            return [nested(entry, f"{where}[{k}]") for k, entry in enumerate(value)]
        return [nested(value, where)]

    def named(self, *names: str) -> dict[str, Inputs]:
        """A table of tables."""
        table = self.sub(*names)
        return {name: nested(value, f"{table.path}.{name}") for name, value in table.data.items()}

    def values(self, *names: str) -> dict[str, Fraction]:
        """A table of numbers."""
        table = self.sub(*names)
        return {name: number(v, f"{table.path}.{name}") for name, v in table.data.items()}

    def tiers(self, *names: str) -> list[tuple[Fraction | None, Fraction]]:
        """``(upper bound or None, rate)`` from pairs or from tables with ``upto`` and ``ratio``."""
        key, found = self.key(*names), []
        for k, entry in enumerate(self.items(*names)):
            where = f"{self.path}.{key}[{k}]"
            if isinstance(entry, Mapping):
                tier = Inputs(entry, where)
                rate = tier.num("ratio", "rate", "discount_rate", "im", "mm", "mmr", "factor")
                found.append((tier.opt("upto", "to", "max", "upper", "cap"), rate))
            elif isinstance(entry, list) and len(entry) == 2:
                bound = None if entry[0] is None else number(entry[0], where)
                found.append((bound, number(entry[1], where)))
            else:
                raise InputError(f"{where}: expected [bound, rate], got {entry!r}")
        return found

    def notional(self, *prices: str) -> Fraction:
        """A value given as such, or as quantity times price."""
        if self.has("notional*", "usd", "value*", "*_notional"):
            return self.num("notional*", "usd", "value*", "*_notional")
        names = prices or ("price", "price_*", "mark", "mark_price", "usd_index", "index_price")
        return self.num("qty", "quantity", "size", "position_qty", "amount") * self.num(
            *names, "usd_price", "entry"
        )


def nested(value: Any, where: str) -> Inputs:
    """``value`` as inputs; raises ``InputError`` unless it is a table."""
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a table, got {value!r}")
    return Inputs(value, where)


def units(value: Fraction) -> int:
    """``value`` in units of 10**-18, rounded down."""
    return value.numerator * SCALE // value.denominator


def plain(amount: int) -> Fraction:
    """The inverse of ``units``."""
    return Fraction(amount, SCALE)


def ppm(rate: Fraction, where: str = "rate") -> int:
    """A rate in parts per million; ``InputError`` if it is finer than that."""
    scaled = rate * PPM
    if scaled.denominator != 1:
        raise InputError(f"{where}: {float(rate)} has more than six decimals")
    return scaled.numerator


def collateral_table(tiers: Iterable[tuple[Fraction | None, Fraction]]) -> CollateralTable:
    """The real table of a list of tiers, with bounds in units."""
    return CollateralTable(
        (None if upto is None else units(upto), ppm(ratio)) for upto, ratio in tiers
    )


Rule = Callable[[Inputs], Results]
_RULES: Final[dict[str, Rule]] = {}


def rule(*areas: str) -> Callable[[Rule], Rule]:
    """Register an adapter for the areas named, and for areas that extend one of the names."""

    def register(function: Rule) -> Rule:
        for area in areas:
            if area in _RULES:
                raise ValueError(f"two rules claim the area {area}")
            _RULES[area] = function
        return function

    return register


def find_rule(area: str) -> Rule | None:
    """The adapter of an area: its own, or that of the longest name that it extends."""
    name = area
    while name:
        for known in (name, name.rstrip("0123456789")):
            if known in _RULES:
                return _RULES[known]
        name = name[: max(name.rfind("."), name.rfind("_"), 0)]
    return None


def rule_names() -> list[str]:
    """Every area with a rule of its own."""
    return sorted(_RULES)
