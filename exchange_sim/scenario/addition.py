"""One more participant from the command line: ``--strategy bot.py:Bot --venue leading ...``."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.scenario.kinds import Reader
from exchange_sim.scenario.overrides import read_value
from exchange_sim.scenario.tree import Mark, Node


@attrs.frozen
class Addition:
    """A participant as ``--strategy``, ``--venue``, ``--capital`` and ``--param`` describe it.

    ``settings`` are other keys of a participant with the option that gave each: ``latency``
    (``--latency``), ``on_fault`` (``--on-fault``), ``leak_limit`` (``--leak-limit``), ``name``
    (``--name``).
    """

    class_ref: str
    venues: tuple[str, ...]
    capital: tuple[tuple[str, str], ...]
    params: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        class_ref: str,
        venues: Sequence[str],
        capital: Sequence[str],
        params: Sequence[str],
        settings: Mapping[str, str] | None = None,
    ) -> Self | None:
        """The addition, or None when nothing is added.

        ``settings`` maps ``name``, ``latency``, ``on_fault`` and ``leak_limit`` to what was given,
        empty for nothing.  Raises ``UsageError`` for options that do not fit together.
        """
        chosen = tuple((key, text) for key, text in (settings or {}).items() if text)
        if not class_ref:
            options = [("--venue", venues), ("--capital", capital), ("--param", params)]
            for option, given in [*options, *((option_of(key), text) for key, text in chosen)]:
                if given:
                    raise UsageError(f"{option} describes an added strategy: give --strategy too")
            return None
        _check_file(class_ref)
        if not venues:
            raise UsageError("--strategy needs --venue: where it trades")
        pairs = _pairs("--capital", capital), _pairs("--param", params)
        return cls(class_ref, tuple(venues), *pairs, chosen)

    @property
    def name(self) -> str:
        """Name of the participant: as given, or the class in lower case."""
        given = dict(self.settings).get("name")
        return given or f"added-{self.class_ref.rpartition(':')[2].lower()}"

    def apply(self, root: Node, reader: Reader) -> None:
        """Append the participant to the tree; problems are located at the options."""
        address = f"participants.{self.name}"
        mark = Mark(f"--strategy {self.class_ref}")
        item = _table(address, mark)
        item.value["name"] = Node(self.name, mark, mark, f"{address}.name")
        item.value["class"] = Node(self.class_ref, mark, mark, f"{address}.class")
        venues: list[Node] = []
        for venue in self.venues:
            place = Mark(f"--venue {venue}")
            venues.append(Node(venue, place, place, f"{address}.venues"))
        item.value["venues"] = Node(venues, mark, mark, f"{address}.venues")
        for key, option, pairs in (
            ("capital", "--capital", self.capital),
            ("params", "--param", self.params),
        ):
            table = _table(f"{address}.{key}", mark)
            for name, text in pairs:
                place = Mark(f"{option} {name}={text}")
                table.value[name] = read_value(text, place, f"{address}.{key}.{name}")
            item.value[key] = table
        for key, text in self.settings:
            place = Mark(f"{option_of(key)} {text}")
            at = f"{address}.{key}"
            number = key == "leak_limit"
            item.value[key] = (
                read_value(text, place, at) if number else Node(text, place, place, at)
            )
        array = root.table.setdefault("participants", Node([], mark, mark, "participants"))
        if isinstance(array.value, list):
            array.value.append(item)
        else:
            reader.wrong(array, "an array of tables")


def toml_value(value: Any) -> str:
    """A Python value as the command line would write it.  Raises ``UsageError`` for other types."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(key))} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {', '.join(pairs)} }}"
    raise UsageError(f"a parameter cannot be a {type(value).__name__}: {value!r}")


def options_text(
    overrides: Sequence[str], without: Iterable[str], addition: Addition | None
) -> tuple[str, ...]:
    """The options that changed a scenario, as one would type them; kept in the manifest."""
    texts = [f"--set {text}" for text in overrides] + [f"--without {name}" for name in without]
    if addition is not None:
        texts.append(f"--strategy {addition.class_ref}")
        texts += [f"--venue {venue}" for venue in addition.venues]
        texts += [f"--capital {name}={value}" for name, value in addition.capital]
        texts += [f"--param {name}={value}" for name, value in addition.params]
        texts += [f"{option_of(key)} {text}" for key, text in addition.settings]
    return tuple(texts)


def option_of(key: str) -> str:
    """The option that gives a key of a participant."""
    return "--" + key.replace("_", "-")


def _table(name: str, mark: Mark) -> Node:
    empty: dict[str, Any] = {}
    return Node(empty, mark, mark, name)


def _pairs(option: str, texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise UsageError(f"{option} {text}: must be NAME=VALUE")
        if name in pairs:
            raise UsageError(f"{option} {text}: {name} is given twice, first as {pairs[name]!r}")
        pairs[name] = value.strip()
    return tuple(pairs.items())


def _check_file(class_ref: str) -> None:
    """A file without a class in it is the commonest slip: say which classes it has."""
    file, colon, name = class_ref.rpartition(":")
    path = Path(file if colon and not name else class_ref)
    if (colon and name) or path.suffix != ".py":
        return
    if not path.is_file():
        raise UsageError(f"--strategy {class_ref}: there is no file {path}; write file.py:Class")
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):
        found = "Class"
    else:
        found = ", ".join(n.name for n in tree.body if isinstance(n, ast.ClassDef)) or "Class"
    first = found.partition(",")[0]
    raise UsageError(
        f"--strategy {class_ref}: which class of the file? It has {found}; write {path}:{first}"
    )
