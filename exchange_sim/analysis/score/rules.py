"""Which function measures a target: found by the words of its quantity.

A rule is a regular expression on ``quantity`` (blanks count as any white space, case does not
matter) and a function of the view, the target and the match.  The first rule that fits is used:
modules are asked in the order of ``_MODULES``, the functions of a module in the order in which they
are written, narrow words before wide ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Final

import attrs

from exchange_sim.analysis.score.targets import Target
from exchange_sim.analysis.score.view import View

Measure = Callable[[View, Target, re.Match[str]], float]


@attrs.frozen
class Rule:
    """A measuring function and the words it answers to."""

    pattern: re.Pattern[str]
    measure: Measure

    @property
    def name(self) -> str:
        """Module and function, as a reader would look it up."""
        module = self.measure.__module__.rpartition(".")[2]
        return f"{module}.{self.measure.__name__}"

    @property
    def how(self) -> str:
        """First sentence of the function's documentation."""
        return " ".join((self.measure.__doc__ or "").split(".")[0].split())


_REGISTERED: Final[list[Rule]] = []

_MODULES: Final = (
    "counterfactual",
    "vacuum",
    "pegged",
    "forced",
    "adl",
    "interest",
    "cross",
    "chain",
    "inputs",
    "depth",
    "flow",
    "timeline",
    "recovery",
    "prices",
)


def rule(pattern: str) -> Callable[[Measure], Measure]:
    """Register a function for quantities in which ``pattern`` is found."""
    compiled = words(pattern)

    def register(measure: Measure) -> Measure:
        _REGISTERED.append(Rule(compiled, measure))
        return measure

    return register


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order in which they are asked."""
    for module in _MODULES:
        import_module(f"exchange_sim.analysis.score.{module}")
    return tuple(sorted(_REGISTERED, key=lambda item: _MODULES.index(item.name.partition(".")[0])))


def find(target: Target) -> tuple[Rule, re.Match[str]] | None:
    """The rule for a target, ``None`` when no function knows its quantity."""
    for candidate in all_rules():
        match = candidate.pattern.search(target.quantity)
        if match is not None:
            return candidate, match
    return None


def number(text: str, pattern: str, default: float) -> float:
    """The number in group 1 of ``pattern``, ``default`` when the text does not have it."""
    match = words(pattern).search(text)
    return float(match[1]) if match else default


@cache
def words(pattern: str) -> re.Pattern[str]:
    """A pattern in which a blank is any white space and an optional blank any or none."""
    spaced = pattern.replace(" ?", r"\s*").replace(" ", r"\s+")
    return re.compile(spaced, re.IGNORECASE)


_WORDS: Final = {"one": 1.0, "two": 2.0, "three": 3.0, "five": 5.0, "ten": 10.0, "half": 0.5}


def quantity_of(text: str) -> float:
    """A number as digits or as a word."""
    return _WORDS[text.lower()] if text.lower() in _WORDS else float(text)
