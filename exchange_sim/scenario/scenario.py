"""A checked scenario: what the builder reads, and what the journal's header carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Self, get_args, get_origin

import attrs
import cattrs
from cattrs.preconf.json import make_converter

from exchange_sim.errors import JournalCorrupt, Problem
from exchange_sim.scenario.files import Source
from exchange_sim.scenario.participants import LatencyDef
from exchange_sim.scenario.schema import Tables
from exchange_sim.scenario.tree import Mark

FORMAT: Final = 1
"""Version of the JSON form."""

_DECIMAL: Final = "$decimal"


@attrs.frozen(kw_only=True)
class Scenario(Tables):
    """A scenario without mistakes, with templates, switches and overrides applied.

    Disabled items and items whose mechanism is off are gone, except for shocks, which stay as
    ``enabled = False`` because parameters refer to them; latency names are resolved.  Two
    scenarios are equal when they describe the same run, wherever they were read from.
    """

    sources: tuple[Source, ...] = attrs.field(default=(), eq=False)
    """The files that it was read from, the named one first; empty when rebuilt from JSON."""
    marks: Mapping[str, Mark] = attrs.field(factory=dict, eq=False, repr=False)
    """Where each dotted address was written."""

    @property
    def name(self) -> str:
        """Name of the scenario."""
        return self.about.name

    @property
    def seed(self) -> int:
        """Seed of all random streams."""
        return self.about.seed

    @property
    def start_ns(self) -> int:
        """First instant."""
        return self.about.start_ns

    @property
    def end_ns(self) -> int:
        """Instant at which the run ends."""
        return self.about.start_ns + self.about.duration_ns

    def mark(self, name: str) -> Mark:
        """Where ``participants.mm.params.size`` was written, or the nearest table around it."""
        while name:
            if name in self.marks:
                return self.marks[name]
            name = name.rpartition(".")[0]
        return Mark(self.sources[0].path if self.sources else "scenario")

    def problem(self, name: str, message: str, hint: str = "") -> Problem:
        """A located mistake at a dotted address, for checks that run after loading."""
        return self.mark(name).problem(message, hint)

    def portable(self) -> Self:
        """This scenario as it is recorded: of a class in a file only the file's name is kept.

        The record is then the same on every machine; the manifest has the digest of the class.
        """
        participants = tuple(
            attrs.evolve(item, class_ref=item.class_ref.replace("\\", "/").rpartition("/")[2])
            for item in self.participants
        )
        recorded = tuple(
            attrs.evolve(item, file=item.file.replace("\\", "/").rpartition("/")[2])
            for item in self.recorded
        )
        return attrs.evolve(self, participants=participants, recorded=recorded)

    def to_json(self) -> str:
        """Exact and canonical: equal scenarios have equal text."""
        tables = _CONVERTER.unstructure(self, unstructure_as=Tables)
        return json.dumps(
            {"format": FORMAT, **tables}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a scenario that ``to_json`` wrote.

        Raises ``JournalCorrupt`` when the text is not one.
        """
        try:
            document = json.loads(text)
            if document.pop("format") != FORMAT:
                raise JournalCorrupt("the scenario in the journal has another format version")
            tables = _CONVERTER.structure(document, Tables)
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
            _FAILURES,
        ) as error:
            message = f"the scenario in the journal cannot be read: {type(error).__name__}"
            raise JournalCorrupt(message) from None
        return cls(**{field.name: getattr(tables, field.name) for field in attrs.fields(Tables)})


_FAILURES: Final = cattrs.BaseValidationError


def _encode_free(value: Any) -> Any:
    """Plain values with decimals kept apart from texts."""
    if isinstance(value, dict):
        return {key: _encode_free(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode_free(item) for item in value]
    return {_DECIMAL: str(value)} if isinstance(value, Decimal) else value


def _decode_free(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {_DECIMAL}:
            return Decimal(value[_DECIMAL])
        return {key: _decode_free(item) for key, item in value.items()}
    return [_decode_free(item) for item in value] if isinstance(value, list) else value


def _latency(value: Any, _: Any) -> LatencyDef:
    return _CONVERTER.structure(value, LatencyDef)


def _strict(value: Any, cls: type) -> Any:
    """A value of JSON as it is; cattrs would turn ``"8"`` into 8."""
    if type(value) is not cls:
        raise ValueError(f"expected {cls.__name__}")
    return value


def _tuple_hook(kind: Any) -> Any:
    """Arrays only: cattrs would turn a text into a tuple of letters."""
    item = get_args(kind)[0]

    def structure(value: Any, _: Any) -> Any:
        return tuple(_CONVERTER.structure(each, item) for each in _strict(value, list))

    return structure


def _is_tuple(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is tuple


def _is_free(kind: Any) -> bool:
    return bool(kind == dict[str, Any])


def _make_converter() -> cattrs.Converter:
    converter = make_converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Decimal, _canonical)
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(_strict(value, str)))
    for cls in (int, str, bool):
        converter.register_structure_hook(cls, _strict)
    converter.register_structure_hook(str | LatencyDef, _latency)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    converter.register_unstructure_hook_func(_is_free, _encode_free)
    converter.register_structure_hook_func(_is_free, lambda value, _: _decode_free(value))
    return converter


def _canonical(value: Decimal) -> str:
    """One text for equal decimals: ``1.50`` and ``1.5`` describe the same run."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


_CONVERTER: Final = _make_converter()
