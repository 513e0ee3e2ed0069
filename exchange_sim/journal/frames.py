"""The format of ``journal.bin``.

A journal is a row of frames.  All integers are little-endian::

    offset  size  field
         0     4  magic "XSJL"
         4     1  format version
         5     1  frame type: 1 header, 2 commands, 3 footer
         6     2  zero
         8     4  payload length in bytes
        12     8  sequence number of the first command (header 0, footer: the last command)
        20     4  number of commands
        24    16  digest: blake2b-16 of (digest of the previous frame + bytes 0-23 + payload)
        40     4  CRC-32 of bytes 0-39, which tells a cut file from a damaged one
        44        payload

The header's and the footer's payload is JSON, a command frame's payload is the hot-path tuples
``(type_id, time_ns, *fields)`` one after the other as signed 64-bit integers; the registry knows
how many fields each type has, and the header carries a digest of that knowledge.
"""

from __future__ import annotations

import json
import struct
import zlib
from functools import cache
from hashlib import blake2b
from typing import Any, Final

import attrs

from exchange_sim.errors import JournalCorrupt
from exchange_sim.messages import commands as _commands
from exchange_sim.messages.registry import COMMANDS

MAGIC: Final = b"XSJL"
FORMAT_VERSION: Final = 1

HEADER: Final = 1
COMMAND_BLOCK: Final = 2
FOOTER: Final = 3

DIGEST_BYTES: Final = 16
HEAD: Final = struct.Struct("<4sBBHIQI16sI")
_CHAINED: Final = struct.Struct("<4sBBHIQI")
_NO_DIGEST: Final = bytes(DIGEST_BYTES)

JSON_BYTES_MAX: Final = 64 * 1024 * 1024
"""A header holds a scenario as text; anything larger is damage, and must not be allocated."""
BLOCK_BYTES_MAX: Final = 16 * 1024 * 1024
"""Far above any block a writer makes."""

assert _commands.NewOrder.type_id in COMMANDS  # Importing the module has filled the registry.
COMMAND_WIDTHS: Final[dict[int, int]] = {
    type_id: 1 + len(kind.field_names) for type_id, kind in COMMANDS.items()
}
"""Integers of the tuple of each command type, the type id included."""


@cache
def schema_digest() -> str:
    """Digest of the names and fields of all command types.

    Two programs that agree on it can share journals.
    """
    known = {
        str(type_id): [kind.__name__, *kind.field_names]
        for type_id, kind in sorted(COMMANDS.items())
    }
    return blake2b(_json_bytes(known), digest_size=DIGEST_BYTES).hexdigest()


@attrs.frozen
class JournalHeader:
    """What produced the journal.

    ``scenario_text`` is the resolved scenario as JSON, byte for byte; ``strategy_digests`` maps the
    reference of each strategy to the digest of its source.  ``end_ns`` is the instant at which the
    run is to end (0: with the scenario), ``options`` what had changed the scenario, one a line,
    ``inputs`` the digests of its files.
    """

    scenario: str
    seed: int
    scenario_text: str
    package_version: str
    python_version: str
    strategy_digests: dict[str, str] = attrs.field(factory=dict)
    end_ns: int = 0
    options: str = ""
    inputs: dict[str, str] = attrs.field(factory=dict)
    schema: str = attrs.field(factory=schema_digest)
    format_version: int = FORMAT_VERSION


@attrs.frozen
class JournalFooter:
    """How the run ended: a journal with a footer is complete."""

    final_seq: int
    state_digest: str
    event_digest: str
    complete: bool = True


@attrs.frozen
class Frame:
    """One frame as read from a file.

    ``offset`` is where it starts, ``end`` where the next one does.
    """

    kind: int
    first_seq: int
    count: int
    payload: bytes
    digest: bytes
    offset: int
    end: int


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def to_json(record: JournalHeader | JournalFooter) -> bytes:
    """The payload of a header or footer; the same bytes for equal records."""
    return _json_bytes(attrs.asdict(record))


def seal(
    kind: int, first_seq: int, count: int, payload: bytes, previous: bytes
) -> tuple[bytes, bytes]:
    """A whole frame and its digest.

    ``previous`` is the digest of the frame before, empty for the first one.
    """
    chained = _CHAINED.pack(MAGIC, FORMAT_VERSION, kind, 0, len(payload), first_seq, count)
    state = blake2b(previous or _NO_DIGEST, digest_size=DIGEST_BYTES)
    state.update(chained)
    state.update(payload)
    digest = state.digest()
    head = chained + digest
    return b"".join((head, zlib.crc32(head).to_bytes(4, "little"), payload)), digest


def digest_of(head: bytes, payload: bytes, previous: bytes) -> bytes:
    """The digest that a frame with these 44 bytes of head must carry."""
    state = blake2b(previous or _NO_DIGEST, digest_size=DIGEST_BYTES)
    state.update(head[: _CHAINED.size])
    state.update(payload)
    return state.digest()


def parse_header(payload: bytes, offset: int) -> JournalHeader:
    """Read a header's payload.  Raises ``JournalCorrupt``, also for another version's journal."""
    fields = _parse_json(payload, JournalHeader, "header", offset, 0)
    for name in ("strategy_digests", "inputs"):
        digests = fields[name]
        if not isinstance(digests, dict) or not all(isinstance(v, str) for v in digests.values()):
            raise JournalCorrupt(f"the header's {name.replace('_', ' ')} are not text", offset, 0)
    header = JournalHeader(**fields)
    if header.format_version != FORMAT_VERSION:
        message = f"journal format {header.format_version}, this program reads {FORMAT_VERSION}"
        raise JournalCorrupt(message, offset, 0)
    if header.schema != schema_digest():
        raise JournalCorrupt(
            f"written by exchange_sim {header.package_version}, whose commands have other fields"
            " than this version's; read it with that version",
            offset,
            0,
        )
    return header


def parse_footer(payload: bytes, offset: int, seq: int) -> JournalFooter:
    """Read a footer's payload.  Raises ``JournalCorrupt``."""
    footer = JournalFooter(**_parse_json(payload, JournalFooter, "footer", offset, seq))
    if footer.final_seq != seq:
        raise JournalCorrupt(f"the footer ends at command {footer.final_seq}", offset, seq)
    return footer


_JSON_TYPES: Final = {"str": str, "int": int, "bool": bool, "dict[str, str]": dict}


def _parse_json(
    payload: bytes, kind: type[Any], name: str, offset: int, seq: int
) -> dict[str, Any]:
    try:
        found = json.loads(payload.decode())
    except (ValueError, RecursionError):
        raise JournalCorrupt(f"the {name} is not JSON", offset, seq) from None
    expected = {field.name: _JSON_TYPES[str(field.type)] for field in attrs.fields(kind)}
    if not isinstance(found, dict) or found.keys() != expected.keys():
        raise JournalCorrupt(f"the {name} does not have the expected fields", offset, seq)
    for key, value_type in expected.items():
        if type(found[key]) is not value_type:
            message = f"{key} of the {name} is not of type {value_type.__name__}"
            raise JournalCorrupt(message, offset, seq)
    return found
