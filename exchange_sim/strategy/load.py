"""Finding a strategy by its reference and building its parameters.

References::

    strategies.avellaneda:AvellanedaMM     module and attribute
    ./my_bot.py:MyBot                      file, relative to the scenario
    trend                                  entry point of the group ``exchange_sim.strategies``

A file may import modules that lie beside it.  The project root (nearest ancestor of the scenario
with a ``pyproject.toml``) goes to the front of ``sys.path`` once.  The reference strategies of the
wheel are found under ``strategies.`` as well.

Every mistake says which of file, module, attribute, type or parameter is wrong and names the
nearest valid one; ``StrategyLoadError.problems`` holds all of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, get_type_hints

import attrs

from exchange_sim.errors import UsageError
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.callbacks import CALLBACK_NAMES, Callbacks
from exchange_sim.strategy.params import structure

ENTRY_POINT_GROUP: Final = "exchange_sim.strategies"
BUNDLED: Final = "exchange_sim._bundled"
REFERENCE: Final = "strategies"
"""Package of the reference strategies."""
ELSEWHERE: Final = {
    "on_tick": "on_book",
    "on_quote_tick": "on_book",
    "on_order_book": "on_book",
    "on_order_book_deltas": "on_book",
    "on_order_book_depth": "on_book",
    "on_trade_tick": "on_trade",
    "on_funding_rate": "on_funding",
    "on_order_filled": "on_fill",
    **dict.fromkeys(
        [f"on_order_{word}" for word in ("accepted", "rejected", "canceled", "expired", "updated")],
        "on_order_update",
    ),
    **dict.fromkeys(
        [f"on_position_{word}" for word in ("opened", "changed", "closed")], "on_position"
    ),
}
"""Callbacks of other frameworks whose nearest name would be the wrong one."""


@attrs.frozen
class LoadProblem:
    """One mistake: ``what`` is file, module, attribute, type, callback or parameter."""

    what: str
    name: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@attrs.define(eq=False)
class StrategyLoadError(UsageError):
    """A strategy cannot be used; ``problems`` holds every mistake that was found."""

    problems: tuple[LoadProblem, ...] = ()

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {problem}" for problem in self.problems)])


def _fail(reference: str, what: str, name: str, message: str, hint: str = "") -> StrategyLoadError:
    problem = LoadProblem(what, name, message, hint)
    return StrategyLoadError(f"strategy {reference!r} cannot be loaded", (problem,))


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint: the nearest valid name, or the valid names."""
    near = get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there are {', '.join(sorted(known)[:12])}" if known else "there are none"


def project_root(base: Path) -> Path | None:
    """The nearest directory at or above ``base`` with a ``pyproject.toml``."""
    for directory in (base, *base.parents):
        if (directory / "pyproject.toml").is_file():
            return directory
    return None


def load_class(reference: str, base: Path | None = None) -> type[Strategy]:
    """The strategy class of a reference; ``base`` is the directory of the scenario.

    Raises ``StrategyLoadError``.
    """
    base = (base or Path.cwd()).resolve()
    root = project_root(base)
    if root is not None and str(root) not in sys.path:
        sys.path.insert(0, str(root))
    target, colon, attribute = reference.rpartition(":")
    if not colon:
        return _entry_point(reference)
    if target.endswith(".py") or "/" in target:
        module = _from_file(reference, target, base)
    else:
        module = _from_module(reference, target)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = [n for n, value in vars(found).items() if _is_strategy(value)]
            message = f"{target} has no attribute {part!r}"
            raise _fail(reference, "attribute", part, message, nearest(part, names))
        found = getattr(found, part)
    return _checked(reference, found)


def _checked(reference: str, found: Any) -> type[Strategy]:
    if not _is_strategy(found):
        what = type(found).__name__ if not inspect.isclass(found) else f"class {found.__name__}"
        message = f"{reference} is a {what}, not a subclass of Strategy"
        raise _fail(reference, "type", reference, message, "derive it from exchange_sim.Strategy")
    if not attrs.has(found.Params):
        message = f"{found.__name__}.Params is no attrs class"
        raise _fail(reference, "type", "Params", message, "decorate it with @attrs.frozen")
    problems = (*_callback_problems(found), *_constructor_problems(found))
    if problems:
        raise StrategyLoadError(f"strategy {reference!r} cannot be loaded", problems)
    return found  # type: ignore[no-any-return]  # proven by _is_strategy


def _callback_problems(cls: type[Strategy]) -> Iterator[LoadProblem]:
    """Callbacks that would never be called, or could not be: misspelt, or with other arguments."""
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        if name in CALLBACK_NAMES and not callable(function) and not hasattr(function, "__get__"):
            message = f"{cls.__name__}.{name} is {function!r}, which cannot be called"
            yield LoadProblem("callback", name, message, f"write def {name}(self, ...)")
        if not name.startswith("on_") or not inspect.isfunction(function):
            continue
        where = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
        if name not in CALLBACK_NAMES:
            message = f"{where}: {name} is no callback and would never be called"
            meant = ELSEWHERE.get(name)
            hint = f"here it is {meant}" if meant else nearest(name, CALLBACK_NAMES)
            yield LoadProblem("callback", name, message, hint)
            continue
        wanted = list(inspect.signature(getattr(Callbacks, name)).parameters)
        try:
            inspect.signature(function).bind(*wanted)
        except TypeError as cause:
            call = f"def {name}({', '.join(wanted)})"
            message = f"{where}: {name} cannot be called with what it is told: {cause}"
            yield LoadProblem("callback", name, message, f"write {call}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            message = f"{where}: {name} is async, and nobody would await it"
            yield LoadProblem("callback", name, message, f"write def {name}: calls do not block")
        elif inspect.isgeneratorfunction(function):
            message = f"{where}: {name} is a generator, and nobody would draw from it"
            yield LoadProblem("callback", name, message, "remove the yield; use timers to wait")


def _constructor_problems(cls: type[Strategy]) -> Iterator[LoadProblem]:
    """A constructor that cannot be called with the parameters."""
    init = inspect.getattr_static(cls, "__init__")
    if not inspect.isfunction(init):
        return
    try:
        inspect.signature(init).bind("self", "params")
    except TypeError as cause:
        where = f"{init.__code__.co_filename}:{init.__code__.co_firstlineno}"
        message = f"{where}: {cls.__name__} cannot be made of its parameters: {cause}"
        hint = "write def __init__(self, params), or none and use on_start; parameters go in Params"
        yield LoadProblem("type", "__init__", message, hint)


def _is_strategy(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy


def _entry_point(reference: str) -> type[Strategy]:
    points = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if reference not in points:
        hint = "write module:Class or ./file.py:Class"
        if points:
            hint = f"{nearest(reference, list(points))} ({hint} otherwise)"
        message = f"no strategy is registered as {reference!r}"
        raise _fail(reference, "module", reference, message, hint)
    try:
        found = points[reference].load()
    except Exception as cause:
        raise _import_failed(reference, points[reference].value, cause) from cause
    return _checked(reference, found)


def _from_file(reference: str, target: str, base: Path) -> ModuleType:
    path = (base / target).resolve()
    if not path.is_file():
        beside = [p.name for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
        message = f"there is no file {path}"
        raise _fail(reference, "file", str(path), message, nearest(path.name, beside))
    name = f"_strategy_{path.stem}_{blake2b(str(path).encode(), digest_size=6).hexdigest()}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _fail(reference, "file", str(path), f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        # Behind everything else: modules beside the file can be imported, none is replaced.
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except BaseException as cause:
        del sys.modules[name]
        if isinstance(cause, KeyboardInterrupt):
            raise
        raise _import_failed(reference, str(path), cause) from cause
    return module


def _from_module(reference: str, target: str) -> ModuleType:
    for name in (target, f"{BUNDLED}.{target}"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as cause:
            missing = cause.name or ""
            if not (name == missing or name.startswith(f"{missing}.")):
                raise _import_failed(reference, name, cause) from cause
        except Exception as cause:
            raise _import_failed(reference, name, cause) from cause
    parent, _, last = target.rpartition(".")
    message = f"there is no module {target!r}"
    package = parent or REFERENCE
    names = [f"{package}.{name}" for name in _modules_of(package)]
    raise _fail(reference, "module", target, message, nearest(f"{package}.{last}", names))


def _modules_of(package: str) -> list[str]:
    """Modules of an importable package, for the hint."""
    for name in (package, f"{BUNDLED}.{package}"):
        try:
            paths = list(importlib.import_module(name).__path__) if package else []
        except (ImportError, AttributeError):
            continue
        return [p.stem for path in paths for p in Path(path).glob("*.py") if p.stem != "__init__"]
    return []


def _import_failed(reference: str, name: str, cause: BaseException) -> StrategyLoadError:
    """What went wrong while the strategy's own code ran, with its line."""
    if isinstance(cause, SyntaxError):
        where = f"{cause.filename}:{cause.lineno}" if cause.filename else name
    else:
        frames = traceback.extract_tb(cause.__traceback__)
        outside = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
        where = f"{outside[-1].filename}:{outside[-1].lineno}" if outside else name
    message = f"{where}: importing {name} raised {type(cause).__name__}: {cause}"
    return _fail(reference, "module", name, message)


def build_params(cls: type[Strategy], values: Mapping[str, Any]) -> Any:
    """The ``Params`` of a strategy class from a table of values, strictly.

    Raises ``StrategyLoadError`` with every unknown, missing or unsuitable parameter.
    """
    return build_table(cls.Params, values, cls.__name__)


def build_table(kind: type[Any], values: Mapping[str, Any], owner: str) -> Any:
    """An attrs object of class ``kind`` from a table of values, strictly.

    Raises ``StrategyLoadError``, which names ``owner``, with every unknown, missing or unsuitable
    parameter.
    """
    hints = get_type_hints(kind)
    fields = {field.alias or field.name: field for field in attrs.fields(kind) if field.init}
    problems = [
        LoadProblem("parameter", key, f"unknown parameter {key!r}", nearest(key, list(fields)))
        for key in values
        if key not in fields
    ]
    arguments: dict[str, Any] = {}
    for key, field in fields.items():
        if key not in values:
            if field.default is attrs.NOTHING:
                problems.append(LoadProblem("parameter", key, f"parameter {key!r} is missing"))
            continue
        try:
            arguments[key] = structure(values[key], hints.get(field.name, Any))
        except (ValueError, TypeError) as cause:
            problems.append(LoadProblem("parameter", key, f"parameter {key!r}: {cause}"))
    if not problems:
        try:
            return kind(**arguments)
        except (ValueError, TypeError) as cause:
            culprit = _culprit(fields, cause)
            said = cause.args[0] if cause.args else cause  # attrs adds what it knows behind it
            problems.append(LoadProblem("parameter", culprit, f"parameter {culprit!r}: {said}"))
    raise StrategyLoadError(f"parameters of {owner} are wrong", tuple(problems))


def _culprit(fields: Mapping[str, Any], cause: BaseException) -> str:
    """The field that a validator complained about: attrs passes it, or the message names it."""
    for argument in cause.args:
        if isinstance(argument, attrs.Attribute):
            return argument.alias or argument.name
    text = str(cause)
    named = [key for key in fields if f"'{key}'" in text or text.startswith(key)]
    return named[0] if named else next(iter(fields), "Params")


def load_strategy(
    reference: str, values: Mapping[str, Any] | None = None, base: Path | None = None
) -> Strategy:
    """An instance of the referenced class with its parameters.  Raises ``StrategyLoadError``."""
    cls = load_class(reference, base)
    params = build_params(cls, values or {})
    try:
        strategy = cls(params)
    except Exception as cause:
        frames = traceback.extract_tb(cause.__traceback__)
        where = f"{frames[-1].filename}:{frames[-1].lineno}"
        message = f"{where}: creating {cls.__name__} raised {type(cause).__name__}: {cause}"
        raise _fail(reference, "type", cls.__name__, message) from cause
    return strategy


def source_digest(cls: type[Strategy]) -> str:
    """Digest of the file that defines a strategy, for the run's manifest; empty when unknown."""
    try:
        file = inspect.getsourcefile(cls)
    except (OSError, TypeError):
        return ""  # typed into a notebook or a console
    if file is None or not Path(file).is_file():
        return ""
    return blake2b(Path(file).read_bytes(), digest_size=16).hexdigest()
