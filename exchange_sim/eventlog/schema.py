"""Arrow schemas of the event tables, derived from the message registry.

Every table starts with ``seq`` (the command that caused the row) and ``time_ns`` (UTC nanoseconds
since the epoch).  Ids of assets, instruments, venues and accounts are 32-bit, enumerations 8- or
16-bit, everything else 64-bit.  The metadata of a field names its unit or spells out its
enumeration.
"""

from __future__ import annotations

import json
import re
from enum import IntEnum
from typing import Any, Final

import pyarrow as pa

from exchange_sim.ids import AccountId, AssetId, InstrumentId, VenueId
from exchange_sim.messages import events as _events
from exchange_sim.messages.registry import EVENTS, Message

FORMAT_VERSION: Final = 1
"""Of the run directory: event tables, side tables and manifest."""

assert _events.Traded.type_id in EVENTS  # Importing the module has filled the registry.

_NARROW_IDS: Final = (AccountId, AssetId, InstrumentId, VenueId)


def table_name(kind: type[Message]) -> str:
    """``OrderAccepted`` -> ``order_accepted``: the name of a kind's table and file."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()


def unit_name(field_type: Any) -> str:
    """The name of a field's unit or enumeration, ``int`` for a plain number."""
    return str(getattr(field_type, "__name__", field_type))


def enum_of(field_type: Any) -> type[IntEnum] | None:
    """The enumeration of a field, or ``None`` when it is a number with a unit."""
    if isinstance(field_type, type) and issubclass(field_type, IntEnum):
        return field_type
    return None


def arrow_type(field_type: Any) -> pa.DataType:
    """The narrowest column type that holds every legal value of a field."""
    members = enum_of(field_type)
    if members is not None:
        return pa.int8() if max(members) <= 127 and min(members) >= -128 else pa.int16()
    return pa.int32() if field_type in _NARROW_IDS else pa.int64()


def _field(name: str, field_type: Any) -> pa.Field:
    members = enum_of(field_type)
    metadata = {"unit": unit_name(field_type)}
    if members is not None:
        metadata["enum"] = json.dumps({str(member.value): member.name for member in members})
    return pa.field(name, arrow_type(field_type), nullable=False, metadata=metadata)


def event_schema(kind: type[Message]) -> pa.Schema:
    """Schema of the table of one event kind."""
    fields = [
        pa.field("seq", pa.int64(), nullable=False, metadata={"unit": "Seq"}),
        pa.field("time_ns", pa.int64(), nullable=False, metadata={"unit": "Nanos"}),
    ]
    pairs = zip(kind.field_names, kind.field_types, strict=True)
    fields += [_field(name, field_type) for name, field_type in pairs]
    return pa.schema(fields, metadata=table_metadata(kind.__name__, kind.type_id))


def table_metadata(kind: str, type_id: int = 0) -> dict[str, str]:
    """What every table of a run says about itself."""
    return {
        "exchange_sim.kind": kind,
        "exchange_sim.type_id": str(type_id),
        "exchange_sim.format_version": str(FORMAT_VERSION),
    }


def kind_of_table(name: str) -> type[Message] | None:
    """The event class whose table has this name."""
    return _BY_TABLE.get(name)


_BY_TABLE: Final = {table_name(kind): kind for kind in EVENTS.values()}
