"""Finding and reading scenario files: every way in which that can fail is a located problem."""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import attrs

from exchange_sim.errors import Problem, ScenarioError
from exchange_sim.scenario.positions import places
from exchange_sim.scenario.tree import Mark, Node, build, merge, nearest

FILE_BYTES_MAX = 4 * 1024 * 1024
"""No sensible scenario is larger; without a bound a mistaken path could fill the memory."""

EXTENDS_DEPTH_MAX = 16
"""Files in one chain of ``extends``."""

_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@attrs.frozen
class Source:
    """A file that a scenario was read from, and the SHA-256 of its bytes."""

    path: str
    sha256: str


def bundled_folder(kind: str) -> Path:
    """Folder of the reference ``scenarios`` or ``strategies``.

    In a checkout (or an editable install) that is the top-level folder, in an installed wheel the
    copy inside the package.
    """
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / kind).is_dir():
        return checkout / kind
    return package / "_bundled" / kind


def make_strategies_importable() -> None:
    """Let ``strategies.ladder:LadderMaker`` be imported from a checkout and from a wheel alike."""
    parent = str(bundled_folder("strategies").parent)
    if parent not in sys.path:
        sys.path.append(parent)


def scenario_files() -> dict[str, Path]:
    """The shipped scenarios by name, in alphabetical order."""
    return {path.stem: path for path in sorted(bundled_folder("scenarios").glob("*.toml"))}


def find(name_or_path: str, folder: Path | None = None, by: Mark | None = None) -> Path:
    """The file of a scenario name or path; relative paths start at ``folder``.

    Raises ``ScenarioError``, located at ``by``, when there is none.
    """
    known = scenario_files()
    is_path = name_or_path.endswith(".toml") or "/" in name_or_path or "\\" in name_or_path
    if is_path:
        return (folder or Path()) / name_or_path
    beside = (folder or Path()) / f"{name_or_path}.toml"
    if by is not None and beside.is_file():
        return beside
    if name_or_path in known:
        return _short(known[name_or_path])
    mark = by or Mark(name_or_path or "(empty name)")
    hint = nearest(name_or_path, known) or "write a path that ends in .toml"
    raise failed(mark.problem(f"no scenario is called {name_or_path!r}", hint))


def _short(path: Path) -> Path:
    """The path as people would type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def failed(*problems: Problem) -> ScenarioError:
    """The exception for these problems."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ScenarioError(f"the scenario cannot be used: {count}", tuple(problems))


def read_bytes(path: Path) -> bytes:
    """The bytes of a file of at most ``FILE_BYTES_MAX``.  Raises ``ScenarioError``."""
    mark = Mark(str(path))
    try:
        if path.is_dir():
            raise failed(mark.problem("is a directory, not a scenario file"))
        if path.exists() and not path.is_file():
            raise failed(mark.problem("is not a regular file"))
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        siblings = [item.name for item in path.parent.glob("*.toml")]
        raise failed(mark.problem("no such file", nearest(path.name, siblings))) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise failed(mark.problem(f"cannot be read: {reason}")) from None
    if len(data) > FILE_BYTES_MAX:
        limit = FILE_BYTES_MAX // 1024 // 1024
        raise failed(mark.problem(f"is larger than {limit} MiB: not a scenario file"))
    return data


def parse(data: bytes, file: str) -> Node:
    """Parse a scenario text into located nodes.  Raises ``ScenarioError``."""
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - before.rfind(b"\n")
        message = f"is not UTF-8 text: byte 0x{data[error.start]:02x}"
        raise failed(Mark(file, line, column).problem(message, "save it as UTF-8")) from None
    if not text.strip():
        raise failed(Mark(file, 1, 1).problem("is empty", "it needs at least [scenario]"))
    try:
        return build(tomllib.loads(text, parse_float=Decimal), places(text), file)
    except RecursionError:
        raise failed(Mark(file, 1, 1).problem("values are nested too deeply")) from None
    except (ValueError, ArithmeticError) as error:
        raise failed(_syntax_problem(str(error), text, file)) from None


def _syntax_problem(message: str, text: str, file: str) -> Problem:
    """Turn a message of ``tomllib`` into a located problem with a remedy for the usual slips."""
    position = _POSITION.search(message)
    lines = text.split("\n")
    if position is None:
        long_number = re.search(r"[0-9_]{1000,}", text)
        line = text.count("\n", 0, long_number.start()) + 1 if long_number else 1
        return Mark(file, line, 1).problem("a number has too many digits")
    line, column = len(lines), len(lines[-1]) + 1
    if position[1]:
        line, column = int(position[1]), int(position[2])
    what = message[: position.start()]
    hint = ""
    if what == "Invalid value":
        hint = 'texts, durations and times of day need quotes: "250ms", "leading"'
    elif "overwrite" in what or "declare" in what or "twice" in what:
        hint = "a key or table may be written only once in a file"
    elif what.startswith(("Expected '='", "Expected newline", "Unclosed", "Illegal character")):
        hint = "one `key = value` a line; texts in quotes; brackets closed"
    return Mark(file, line, column).problem(f"not valid TOML: {what}", hint)


def read_chain(path: Path) -> tuple[Node, tuple[Source, ...]]:
    """Read a file and everything it extends, and merge them.

    Returns the merged tree and the files, the named one first.  Raises ``ScenarioError`` for files
    that cannot be read and for cycles; mistakes inside the files are left to the structurer.
    """
    layers: list[Node] = []
    sources: list[Source] = []
    seen: list[Path] = []
    link: Node | None = None
    while True:
        data = _read_linked(path, link)
        if link is not None and (path.resolve() in seen or len(seen) >= EXTENDS_DEPTH_MAX):
            names = " -> ".join(item.stem for item in [*seen, path])
            raise failed(link.mark.problem(f"scenarios extend each other in a circle: {names}"))
        seen.append(path.resolve())
        sources.append(Source(str(path), hashlib.sha256(data).hexdigest()))
        layers.append(parse(data, str(path)))
        link = layers[-1].table.pop("extends", None)
        if link is None:
            break
        if not isinstance(link.value, str):
            problem = link.mark.problem("extends must be the name or file of one other scenario")
            raise failed(problem)
        path = find(link.value, path.parent, link.mark)
    merged = layers.pop()
    while layers:
        merged = merge(merged, layers.pop(), top=True)
    return merged, tuple(sources)


def _read_linked(path: Path, link: Node | None) -> bytes:
    """``read_bytes``, but a file that is named by ``extends`` fails at the place that names it."""
    try:
        return read_bytes(path)
    except ScenarioError as error:
        if link is None:
            raise
        first = error.problems[0]
        message = f"extends {link.value!r}, which {first.message.replace('no such', 'is no')}"
        raise failed(link.mark.problem(message, first.hint)) from None
