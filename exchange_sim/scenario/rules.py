"""Rules of a venue as scenarios write them: a profile's name, and what differs from it.

``[venues.NAME.rules]`` changes single rules of the venue's profile; ``[profiles.NAME]`` makes a new
profile, on a ``base`` or with every rule of its own.  A rule's parameters that are not given keep
the value of the profile; with another ``kind`` they start from the defaults of that kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import attrs

from exchange_sim.risk import profile as core
from exchange_sim.risk.profiles import BASIS_WINDOWS, PROFILES
from exchange_sim.scenario.kinds import RATE, RATIO, Flag, Number, Of, Text, Whole, entry, ppm
from exchange_sim.scenario.times import Duration

FINE: Final = Number(Decimal(-1), Decimal(1), step=Decimal(1).scaleb(-9))
"""A rate of funding: from -1 to 1 in steps of one part per billion."""
SHARE: Final = Number(Decimal(0), Decimal(1), above=True, step=Decimal(1).scaleb(-9))


def _kind(rule: type[core.Rule], doc: str) -> Any:
    return entry(Text(rule.KINDS), default=None, doc=doc)


def _maybe(kind: Any, doc: str, key: str = "", unit: str = "") -> Any:
    return entry(kind, key=key, default=None, unit=unit, doc=doc)


@attrs.frozen(kw_only=True)
class MarginRuleDef:
    """When the liquidation of a unified account ends."""

    kind: str | None = _kind(core.MarginRule, "Runs until nothing is left, or until it is cured.")
    penalty: bool | None = _maybe(
        Flag(), "Interest beyond `max_loan` is multiplied by utilisation cubed."
    )
    closing_fee: bool | None = _maybe(
        Flag(), "The taker fee of closing positions is part of the maintenance margin."
    )


@attrs.frozen(kw_only=True)
class LadderRuleDef:
    """How much of a position one liquidation step closes."""

    kind: str | None = _kind(core.LadderRule, "Up to a target ratio, by brackets, or by a share.")
    target: Decimal | None = _maybe(RATE, "target: equity over maintenance to restore.")
    tier_step: int | None = _maybe(Whole(1, 100), "tiers: brackets that one step goes down.")
    last_tiers: int | None = _maybe(Whole(1, 100), "tiers: lowest brackets that go as a whole.")
    last: str | None = _maybe(Text((core.BOOK, core.TAKEOVER)), "tiers: where those go.")
    fill_or_kill: bool | None = _maybe(Flag(), "tiers: steps trade completely or not at all.")
    wait_ns: int | None = _maybe(Duration(), "tiers: pause after a step.", "wait", "ns")
    share: Decimal | None = _maybe(RATIO, "share: part of a large position that goes first.")
    whole_below: int | None = _maybe(Whole(), "share: value in coins below which all of it goes.")
    cooldown_ns: int | None = _maybe(
        Duration(), "share: time after a partial step in which all goes.", "cooldown", "ns"
    )


@attrs.frozen(kw_only=True)
class TakeoverRuleDef:
    """When the venue takes an account over."""

    kind: str | None = _kind(core.TakeoverRule, "At no net worth, or below a share of maintenance.")
    share: Decimal | None = _maybe(SHARE, "maintenance_share: share of the maintenance margin.")
    works_off: bool | None = _maybe(Flag(), "Whether the takeover account sells what it got.")
    pace: str | None = _maybe(
        Text(core.TakeoverRule.PACES), "How: like a liquidation, or with resting orders."
    )
    leverage: Decimal | None = _maybe(RATE, "Inventory over its capital at most; 0: any amount.")
    slot_share: Decimal | None = _maybe(RATIO, "Share of what is left of that for one slot.")
    offer: Decimal | None = _maybe(RATIO, "patient: share of a position offered per minute.")
    edge: Decimal | None = _maybe(RATIO, "patient: distance of its offers from the mark.")


@attrs.frozen(kw_only=True)
class InsuranceRuleDef:
    """Who pays deficits."""

    kind: str | None = _kind(core.InsuranceRule, "A fund, or a vault that also takes positions.")
    window_ns: int | None = _maybe(
        Duration(low=1), "How far back its peak is looked for.", "window", "ns"
    )


@attrs.frozen(kw_only=True)
class AdlTriggerRuleDef:
    """When positions of an insolvent account go to ADL."""

    kind: str | None = _kind(core.AdlTriggerRule, "See docs/concepts/adl.md.")
    start: Decimal | None = _maybe(RATE, "fund_drop, symbol_drawdown: share of the fund's peak.")
    stop: Decimal | None = _maybe(RATE, "symbol_drawdown: share below which ADL stops.")
    rounds: bool | None = _maybe(Flag(), "Whether ADL follows all liquidations of a slot.")


@attrs.frozen(kw_only=True)
class AdlRankRuleDef:
    """Who is deleveraged first."""

    kind: str | None = _kind(core.AdlRankRule, "See docs/concepts/adl.md.")


@attrs.frozen(kw_only=True)
class AdlPriceRuleDef:
    """At what price ADL fills."""

    kind: str | None = _kind(core.AdlPriceRule, "Bankruptcy price, or the mark of now or before.")
    gap: Decimal | None = _maybe(RATIO, "bankruptcy_near_mark: how far from the mark at most.")


@attrs.frozen(kw_only=True)
class IndexRuleDef:
    """How the prices of several sources become one."""

    kind: str | None = _kind(core.IndexRule, "Weighted mean without outliers, or weighted median.")
    outlier: Decimal | None = _maybe(RATIO, "Distance from the median beyond which none counts.")
    stale_ns: int | None = _maybe(
        Duration(), "Silence after which a source does not count; 0: any.", "stale", "ns"
    )
    period_ns: int | None = _maybe(
        Duration(), "Time between samples; 0: every mark update.", "period", "ns"
    )


@attrs.frozen(kw_only=True)
class MarkRuleDef:
    """The price at which accounts are judged."""

    kind: str | None = _kind(core.MarkRule, "See docs/concepts/marks.md.")
    basis_window: str | None = _maybe(
        Text(tuple(BASIS_WINDOWS)), "A basis window by name; sets samples and period."
    )
    period_ns: int | None = _maybe(
        Duration(), "Time between samples of the basis; 0: every mark update.", "period", "ns"
    )
    basis_tau_ns: int | None = _maybe(
        Duration(low=1), "oracle: time constant of the basis average.", "basis_tau", "ns"
    )
    book_tau_ns: int | None = _maybe(
        Duration(low=1), "oracle: time constant of the own book's average.", "book_tau", "ns"
    )


@attrs.frozen(kw_only=True)
class FundingRuleDef:
    """What funding is charged on and how it is capped."""

    kind: str | None = _kind(core.FundingRule, "The price of the notional.")
    interest_8h: Decimal | None = _maybe(FINE, "Interest part of the rate per eight hours.")
    cap: Decimal | None = _maybe(FINE, "Largest rate of one interval; 0: by maintenance rate.")
    high_cap: Decimal | None = _maybe(FINE, "The cap of contracts with little leverage; 0: none.")
    high_cap_leverage: int | None = _maybe(Whole(0, 1000), "Highest leverage of such contracts.")


@attrs.frozen(kw_only=True)
class CollateralPriceRuleDef:
    """Where the price of an asset as collateral comes from."""

    kind: str | None = _kind(core.CollateralPriceRule, "Own book, index, redemption or a mixture.")
    weight: Decimal | None = _maybe(RATIO, "weighted: share of the redemption value.")
    floor: Decimal | None = _maybe(RATIO, "weighted: least share of the redemption value.")


@attrs.frozen(kw_only=True)
class RulesDef:
    """``[venues.NAME.rules]``: rules that differ from the venue's profile."""

    margin: MarginRuleDef | None = _maybe(Of(MarginRuleDef), "When a liquidation ends.")
    ladder: LadderRuleDef | None = _maybe(Of(LadderRuleDef), "How positions are reduced.")
    takeover: TakeoverRuleDef | None = _maybe(Of(TakeoverRuleDef), "When the venue takes over.")
    insurance: InsuranceRuleDef | None = _maybe(Of(InsuranceRuleDef), "Who pays deficits.")
    adl_trigger: AdlTriggerRuleDef | None = _maybe(Of(AdlTriggerRuleDef), "When ADL runs.")
    adl_rank: AdlRankRuleDef | None = _maybe(Of(AdlRankRuleDef), "Who is deleveraged first.")
    adl_price: AdlPriceRuleDef | None = _maybe(Of(AdlPriceRuleDef), "At what price ADL fills.")
    index: IndexRuleDef | None = _maybe(Of(IndexRuleDef), "How sources become one price.")
    mark: MarkRuleDef | None = _maybe(Of(MarkRuleDef), "At what price accounts are judged.")
    funding: FundingRuleDef | None = _maybe(Of(FundingRuleDef), "What funding is charged on.")
    collateral_price: CollateralPriceRuleDef | None = _maybe(
        Of(CollateralPriceRuleDef), "What collateral is worth."
    )


@attrs.frozen(kw_only=True)
class ProfileDef(RulesDef):
    """``[profiles.NAME]``: a rule set of your own; without ``base`` it needs every rule."""

    base: str = entry(
        Text(tuple(PROFILES)), default="", doc="Profile whose rules hold where none is given."
    )


RULE_TABLES: Final = (
    RulesDef, MarginRuleDef, LadderRuleDef, TakeoverRuleDef, InsuranceRuleDef, AdlTriggerRuleDef,
    AdlRankRuleDef, AdlPriceRuleDef, IndexRuleDef, MarkRuleDef, FundingRuleDef,
    CollateralPriceRuleDef,
)  # fmt: skip
"""All tables of rules, for the reference page."""


def _ppb(rate: Decimal) -> int:
    return int(rate * 10**9)


def _fraction(share: Decimal) -> tuple[int, int]:
    """A share as a fraction of small integers: 0.6667 is taken as written, not as two thirds."""
    exact = Fraction(share)
    return exact.numerator, exact.denominator


_CONVERTED: Final[Mapping[tuple[str, str], tuple[str, Callable[[Decimal], Any]]]] = {
    ("ladder", "target"): ("target_ppm", ppm),
    ("ladder", "share"): ("share_ppm", ppm),
    ("takeover", "share"): ("share", _fraction),
    ("takeover", "leverage"): ("leverage_ppm", ppm),
    ("takeover", "slot_share"): ("slot_ppm", ppm),
    ("takeover", "offer"): ("offer_ppm", ppm),
    ("takeover", "edge"): ("edge_ppm", ppm),
    ("adl_trigger", "start"): ("start_ppm", ppm),
    ("adl_trigger", "stop"): ("stop_ppm", ppm),
    ("adl_price", "gap"): ("gap_ppm", ppm),
    ("index", "outlier"): ("outlier_ppm", ppm),
    ("funding", "interest_8h"): ("interest_8h_ppb", _ppb),
    ("funding", "cap"): ("cap_ppb", _ppb),
    ("funding", "high_cap"): ("high_cap_ppb", _ppb),
    ("collateral_price", "weight"): ("weight_ppm", ppm),
    ("collateral_price", "floor"): ("floor_ppm", ppm),
}
"""Decimals of a scenario and the integers of the core rule that they become."""


def make_rule(part: str, given: Any, base: core.Rule | None) -> core.Rule:
    """One rule from what a scenario gives, on the rule of the profile.

    Raises ``ValueError("... rule: problem; problem")``; without a kind and without a base too.
    """
    values: dict[str, Any] = {}
    for field in attrs.fields(type(given)):
        value = getattr(given, field.name)
        if value is None or field.name in {"kind", "basis_window"}:
            continue
        name, convert = _CONVERTED.get((part, field.name), (field.name, None))
        values[name] = value if convert is None else convert(value)
    if getattr(given, "basis_window", None) is not None:
        values.setdefault("period_ns", BASIS_WINDOWS[given.basis_window][1])
    if base is not None and given.kind in {None, base.kind}:
        return attrs.evolve(base, **values)
    if given.kind is None:
        raise ValueError(f"{part} rule: it has no kind")
    return core.PARTS[part](kind=given.kind, **values)


def overlay(
    base: core.Profile | None, rules: RulesDef, bad: Callable[[str, str], None]
) -> dict[str, core.Rule]:
    """All rules by part; ``bad(part, problem)`` is told what is wrong with one or that it lacks."""
    found: dict[str, core.Rule] = {}
    for part in core.PARTS:
        given, before = getattr(rules, part), getattr(base, part) if base else None
        if given is None:
            if before is None:
                bad(part, f"it lacks the rule {part!r}")
            else:
                found[part] = before
            continue
        try:
            found[part] = make_rule(part, given, before)
        except ValueError as error:
            for problem in str(error).partition(": ")[2].split("; "):
                bad(part, problem)
    return found


def _never(part: str, problem: str) -> None:
    raise ValueError(f"{part}: {problem}")


def profile_of(
    name: str, profiles: Mapping[str, ProfileDef], rules: RulesDef | None = None
) -> core.Profile:
    """The core profile of a venue whose scenario has been checked.

    Raises ``ValueError`` for rules that ``overlay`` finds fault with.
    """
    profile = PROFILES.get(name)
    if profile is None:
        own = profiles[name]
        base = PROFILES.get(own.base)
        numbers = base.numbers if base else PROFILES["binance"].numbers
        numbers = _window(own, numbers)
        parts: dict[str, Any] = overlay(base, own, _never)
        profile = core.Profile(name=name, numbers=numbers, **parts)
    if rules is None:
        return profile
    changed: dict[str, Any] = overlay(profile, rules, _never)
    return attrs.evolve(profile, numbers=_window(rules, profile.numbers), **changed)


def _window(rules: RulesDef, numbers: core.Numbers) -> core.Numbers:
    """The usual figures, with the samples of a basis window that was named."""
    if rules.mark is None or rules.mark.basis_window is None:
        return numbers
    return attrs.evolve(numbers, basis_samples=BASIS_WINDOWS[rules.mark.basis_window][0])
