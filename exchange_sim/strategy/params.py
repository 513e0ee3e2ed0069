"""Strict conversion of values from a scenario file to the types of a ``Params`` class.

Numbers are not read from text, whole numbers not from fractions, truth not from numbers: what does
not fit is a mistake in the file.  Nested attrs classes, enumerations by name, lists, tuples, tables
and optional values are understood.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, get_type_hints

import attrs
from cattrs import Converter
from cattrs.errors import BaseValidationError


def _type_name(value: object) -> str:
    return type(value).__name__


def _int(value: Any, _: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        if isinstance(value, (float, Decimal)) and value == int(value):
            return int(value)
        raise TypeError(f"expected a whole number, got {_type_name(value)} {value!r}")
    return value


def _float(value: Any, _: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError(f"expected a number, got {_type_name(value)} {value!r}")
    return float(value)


def _decimal(value: Any, _: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise TypeError(f"expected a number, got {_type_name(value)} {value!r}")
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _bool(value: Any, _: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {_type_name(value)} {value!r}")
    return value


def _str(value: Any, _: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {_type_name(value)} {value!r}")
    return value


def _enum(value: Any, kind: Any) -> Any:
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value.upper() in kind.__members__:
        return kind.__members__[value.upper()]
    raise ValueError(f"{value!r} is none of {', '.join(kind.__members__)}")


_converter = Converter(forbid_extra_keys=True, detailed_validation=False)
for _kind, _hook in ((int, _int), (float, _float), (bool, _bool), (str, _str)):
    _converter.register_structure_hook(_kind, _hook)
_converter.register_structure_hook(Decimal, _decimal)
_converter.register_structure_hook_func(
    lambda kind: isinstance(kind, type) and issubclass(kind, Enum), _enum
)


def structure(value: Any, kind: Any) -> Any:
    """``value`` as ``kind``.  Raises ``TypeError`` or ``ValueError`` that says what is wrong."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return _union(value, kind)
    if attrs.has(kind) and isinstance(kind, type):
        return _nested(value, kind)
    origin = typing.get_origin(kind)
    if origin in (list, tuple) and not isinstance(value, (list, tuple)):
        raise TypeError(f"expected a list, got {_type_name(value)} {value!r}")
    if origin is dict and not isinstance(value, Mapping):
        raise TypeError(f"expected a table, got {_type_name(value)} {value!r}")
    try:
        return _converter.structure(value, kind)
    except BaseValidationError as cause:
        raise ValueError(str(cause)) from cause


def _union(value: Any, kind: Any) -> Any:
    """The first member that takes the value; exact classes first, so that 1 stays an int."""
    members = [member for member in typing.get_args(kind) if member is not type(None)]
    if value is None:
        if type(None) in typing.get_args(kind):
            return None
        raise TypeError("a value is needed")
    members.sort(key=lambda member: member is not type(value))
    complaints = []
    for member in members:
        try:
            return structure(value, member)
        except (TypeError, ValueError) as cause:
            complaints.append(str(cause))
    raise TypeError("; or ".join(complaints))


def _nested(value: Any, kind: type[Any]) -> Any:
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"expected a table of {kind.__name__}, got {_type_name(value)} {value!r}")
    hints = get_type_hints(kind)
    fields = {field.alias or field.name: field for field in attrs.fields(kind) if field.init}
    unknown = [key for key in value if key not in fields]
    if unknown:
        raise ValueError(f"unknown {', '.join(unknown)}; there are {', '.join(fields)}")
    missing = [k for k, f in fields.items() if k not in value and f.default is attrs.NOTHING]
    if missing:
        raise ValueError(f"missing {', '.join(missing)}")
    return kind(**{key: structure(value[key], hints[fields[key].name]) for key in value})
