"""The text of ``docs/reference/callbacks.md``: what a strategy is told, asks and reads."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final

from exchange_sim.marketdata.bars import Bar
from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.strategy import views
from exchange_sim.strategy.api import Strategy
from exchange_sim.strategy.callbacks import CALLBACK_NAMES, Callbacks
from exchange_sim.strategy.reads import Reads
from exchange_sim.strategy.requests import AccountRequests

_INTRODUCTION: Final = """\
# Callbacks and calls of a strategy

*Generated from the code by `make docs`; do not edit.*

A strategy is a class derived from `exchange_sim.Strategy`. Only callbacks that it overrides are
ever called. A callback never blocks and returns nothing; commands travel to the venue over a link
with latency, answers travel back, and what is read is what has been delivered to this strategy so
far. Times are UTC nanoseconds, prices and quantities floats in quote and base units (`_ticks` and
`_lots` fields are the integers behind them).
"""
_VIEWS: Final = (
    Market,
    BookView,
    Trade,
    Bar,
    MarkPrice,
    views.OrderHandle,
    views.Fill,
    views.Position,
    views.Margin,
    views.LiquidationNotice,
    views.AdlNotice,
    views.FundingNotice,
    views.TransferNotice,
    views.RefusalNotice,
)


def render() -> str:
    """The whole page."""
    reads = [
        name
        for name, value in vars(Reads).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    ]
    account = [name for name in vars(AccountRequests) if not name.startswith("_")]
    calls = [
        name
        for name, value in vars(Strategy).items()
        if inspect.isfunction(value) and not name.startswith("_") and name != "attach"
    ]
    parts = [_INTRODUCTION]
    parts += ["## Callbacks\n", *(_call(Callbacks, name) for name in CALLBACK_NAMES)]
    parts += ["## Calls\n", *(_call(Strategy, name) for name in calls)]
    parts += ["## Requests about accounts\n", *(_call(AccountRequests, name) for name in account)]
    parts += ["## Reads\n", *(_call(Reads, name) for name in reads)]
    parts += ["## What callbacks and reads hand over\n", *(_view(cls) for cls in _VIEWS)]
    return "\n".join(parts)


def _text(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").replace("``", "`")


def _call(cls: type[Any], name: str) -> str:
    found = inspect.getattr_static(cls, name)
    if isinstance(found, property):
        kind = _type_of(found.fget)
        return f"### {name}\n\n`self.{name}`{kind}\n\n{_text(found)}\n"
    signature = str(inspect.signature(found)).replace("(self, ", "(").replace("(self)", "()")
    signature = re.sub(r"'", "", signature).replace(" -> None", "")
    return f"### {name}\n\n`{name}{signature}`\n\n{_text(found)}\n"


def _type_of(function: Any) -> str:
    annotation = inspect.signature(function).return_annotation
    return "" if annotation is inspect.Signature.empty else f": `{str(annotation).strip(chr(39))}`"


def _view(cls: type[Any]) -> str:
    rows = "\n".join(f"| `{name}` | {text} |" for name, text in _members(cls))
    return f"### {cls.__name__}\n\n{_text(cls)}\n\n| member | meaning |\n| --- | --- |\n{rows}\n"


def _members(cls: type[Any]) -> Iterator[tuple[str, str]]:
    """Fields without a text of their own are explained above the table."""
    described = {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith("_") and (isinstance(value, property) or inspect.isfunction(value))
    }
    fields = getattr(cls, "__attrs_attrs__", None)
    names = [field.name for field in fields] if fields else sorted(getattr(cls, "__slots__", ()))
    for name in names:
        if name not in described and not name.startswith("_"):
            yield name, ""
    for name, value in described.items():
        call = "" if isinstance(value, property) else "()"
        yield name + call, " ".join(_text(value).split())
