"""Per-book parameters without repetition: ``select`` stands for every book that has all the tags.

Wherever a participant's parameters hold an array of tables about books, a table may say
``select = ["leading", "PERPETUAL", "alt"]`` instead of naming one ``symbol``.  It becomes one table
per matching instrument, in the order of the instruments' names, and learns the instrument's facts
(``depth_usd``, ``beta``, ``initial_price``, ``is_major``) where the strategy's parameter class has
a field of that name and the table does not set it.  An instrument's tags are its own, its venue,
its kind (``SPOT``, ``PERPETUAL``), its base asset, that asset's kind, and its full name.  Texts
beside ``select`` may contain ``{base}`` and ``{symbol}``: ``sibling = "second:{base}USDT"``.

A value of a key that ends in ``_ns``, or an item of an array there, may be a text: a UTC time, a
duration from the start of the scenario (``"20m"``), or a duration from a shock (``"news"``,
``"news+21m"``).  The same holds for the first item of each pair in ``news``.  A table or pair that
refers to a shock that is switched off is left out: without the news nobody reacts to it.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, Final

import attrs

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.scenario.scenario import Scenario
from exchange_sim.scenario.schema import InstrumentDef
from exchange_sim.scenario.tree import nearest
from exchange_sim.units import parse_duration, parse_utc

TIMED_PAIRS: Final = ("news",)
FACTS: Final = ("depth_usd", "beta", "initial_price", "is_major")


class TagError(ValueError):
    """``select`` matches nothing."""


def tags(scenario: Scenario, item: InstrumentDef) -> tuple[str, ...]:
    """Everything that ``select`` can match an instrument by."""
    kind = scenario.assets[item.base].kind
    return (*item.tags, item.venue, item.kind, item.base, kind, item.name)


def selected(scenario: Scenario, wanted: Any) -> list[InstrumentDef]:
    """Instruments that have every wanted tag (``!tag``: must not have it).

    Raises ``TagError`` when a tag exists nowhere or nothing matches.
    """
    if isinstance(wanted, str):
        wanted = [wanted]
    known = sorted({tag for item in scenario.instruments for tag in tags(scenario, item)})
    for tag in wanted:
        if str(tag).removeprefix("!") not in known:
            raise TagError(f"no instrument has the tag {tag!r}; {nearest(str(tag), known)}")
    found = []
    for item in scenario.instruments:
        own = tags(scenario, item)
        if all((tag[1:] not in own) if tag.startswith("!") else (tag in own) for tag in wanted):
            found.append(item)
    if not found:
        raise TagError(f"no instrument has all the tags {list(wanted)}")
    return found


def expand(
    scenario: Scenario, params: dict[str, Any], cls: type[Any], where: str
) -> dict[str, Any]:
    """``params`` with every ``select`` table replaced by one table per book.

    Raises ``ScenarioError`` located at the parameter.
    """
    attrs.resolve_types(cls)
    fields = {field.name: field for field in attrs.fields(cls)}
    problems: list[Problem] = []
    out: dict[str, Any] = {}
    for key, value in params.items():
        try:
            resolved = _times(scenario, key, value)
        except ValueError as error:
            problems.append(scenario.problem(f"{where}.{key}", str(error)))
            continue
        if resolved is not _DROPPED:
            out[key] = resolved
    for key, value in list(out.items()):
        inner = _item_class(fields[key].type) if key in fields else None
        if inner is None or not isinstance(value, list):
            continue
        # Without the tables that hung on a shock that is off, positions are those of the file.
        whole = len(value) == len(params[key])
        out[key] = []
        for at, item in enumerate(value, start=1):
            try:
                out[key] += _tables(scenario, item, inner)
            except TagError as error:
                place = f"{where}.{key}[{at}].select" if whole else f"{where}.{key}"
                problems.append(scenario.problem(place, str(error)))
    if problems:
        raise ScenarioError("the scenario cannot be built", tuple(problems))
    return out


_DROPPED: Final = object()


def _times(scenario: Scenario, key: str, value: Any) -> Any:
    """``value`` with texts of time as nanoseconds; ``_DROPPED`` when it hangs on a missing
    shock.
    """
    if isinstance(value, dict):
        table = {k: _times(scenario, k, v) for k, v in value.items()}
        return _DROPPED if any(v is _DROPPED for v in table.values()) else table
    if isinstance(value, list):
        pairs = key in TIMED_PAIRS
        items = []
        for item in value:
            if pairs and isinstance(item, list) and item:
                first = instant(scenario, item[0])
                items.append(_DROPPED if first is _DROPPED else [first, *item[1:]])
            else:
                items.append(_times(scenario, key if key.endswith("_ns") else "", item))
        return [item for item in items if item is not _DROPPED]
    return instant(scenario, value) if key.endswith("_ns") else value


def instant(scenario: Scenario, value: Any) -> Any:
    """Nanoseconds of a time of the scenario; ``ValueError`` with what may be written."""
    if not isinstance(value, str):
        return value
    name, _, offset = value.partition("+")
    for shock in scenario.shocks:
        if shock.name == name.strip():
            if not shock.enabled:
                return _DROPPED
            return shock.at_ns + (parse_duration(offset) if offset else 0)
    try:
        return scenario.start_ns + parse_duration(value)
    except ValueError:
        pass
    try:
        return parse_utc(value)
    except ValueError:
        shocks = ", ".join(shock.name for shock in scenario.shocks) or "there are none"
        raise ValueError(
            f"not a time: {value!r} (write a UTC time, a duration from the start such as 20m,"
            f" or a shock and a duration such as news+21m; shocks: {shocks})"
        ) from None


def _item_class(annotation: Any) -> type[Any] | None:
    """``X`` of ``tuple[X, ...]`` when X is an attrs class."""
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and args and attrs.has(args[0]):
        found: type[Any] = args[0]
        return found
    return None


def _tables(scenario: Scenario, value: Any, cls: type[Any]) -> Iterator[Any]:
    """One table of the file as one table per book."""
    if not isinstance(value, dict):
        yield value
        return
    attrs.resolve_types(cls)
    names = {field.name for field in attrs.fields(cls)}
    books = [None] if "select" not in value else selected(scenario, value["select"])
    rest = {k: v for k, v in value.items() if k != "select"}
    if "symbol" in rest and books == [None]:
        books = [item for item in scenario.instruments if item.name == rest["symbol"]] or [None]
    for book in books:
        if book is None:
            yield rest
        else:
            yield {**_facts(scenario, book, names), **_named(rest, book)}


def _named(values: dict[str, Any], book: InstrumentDef) -> dict[str, Any]:
    """``{base}`` and ``{symbol}`` in texts stand for the selected book's."""
    return {
        key: value.replace("{base}", book.base).replace("{symbol}", book.symbol)
        if isinstance(value, str)
        else value
        for key, value in values.items()
    }


def _facts(scenario: Scenario, book: InstrumentDef, names: set[str]) -> dict[str, Any]:
    """The facts of a book that the parameter class asks for."""
    asset = scenario.assets[book.base]
    facts = {
        "symbol": book.name,
        "depth_usd": book.depth_usd,
        "beta": asset.beta,
        "initial_price": book.price,
        "is_major": asset.kind == "major",
    }
    return {key: value for key, value in facts.items() if key in names}
