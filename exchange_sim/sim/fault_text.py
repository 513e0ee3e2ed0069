"""What is told of an exception in a strategy: its text, and the nearest name to a wrong one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

from exchange_sim.strategy.api import Strategy

_ADDRESS: Final = re.compile(r" at 0x[0-9a-fA-F]+")
_KEYWORD: Final = re.compile(r"(?:\w+\.)?(\w+)\(\) got an unexpected keyword argument '(\w+)'")


def text_of(fault: BaseException) -> str:
    """The fault's text without addresses, which differ from run to run.

    An exception whose ``str`` raises is still a fault to be reported.
    """
    try:
        return _ADDRESS.sub("", str(fault)) + _hint(fault)
    except Exception as again:  # noqa: BLE001 - hostile __str__
        return f"(its text cannot be had: {type(again).__name__})"


def _hint(fault: BaseException) -> str:
    """The nearest attribute or parameter; Python itself says so in tracebacks only."""
    if isinstance(fault, AttributeError) and fault.name and fault.obj is not None:
        # What lies near in a text or a list says nothing: something else was expected there.
        builtin = type(fault.obj).__module__ == "builtins"
        return "" if builtin else _nearest(fault.name, dir(fault.obj))
    found = _KEYWORD.match(str(fault)) if isinstance(fault, TypeError) else None
    method = getattr(Strategy, found[1], None) if found else None
    if found is None or method is None:
        return ""
    return _nearest(found[2], inspect.signature(method).parameters)


def _nearest(name: str, known: Iterable[str]) -> str:
    public = sorted(other for other in known if not other.startswith("_") and other != "self")
    close = get_close_matches(name, public, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
