"""A venue's risk rules as values: what one exchange does differently from another, part by part.

A ``Profile`` is put together from rules, each a frozen value with a ``kind`` and the parameters of
that kind.  The engine (``world``) has one piece of code per kind and none per venue; a new venue is
a new combination.  ``risk.profiles`` has the combinations of four exchanges.

Every rule checks itself and raises ``ValueError("rule: problem; problem")``.  Ratios are parts per
million, rates of funding parts per billion, times nanoseconds.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import attrs

from exchange_sim.risk.funding import INTEREST_8H_PPB
from exchange_sim.risk.marks import INDEX_OUTLIER_PPM, INDEX_STALE_NS
from exchange_sim.units import NANOS_PER_HOUR, NANOS_PER_S, PPM

TO_TARGET, BY_TIERS, BY_SHARE = "target", "tiers", "share"
INSOLVENT, MAINTENANCE_SHARE = "insolvent", "maintenance_share"
FUND, VAULT = "fund", "vault"
FUND_SHORT, FUND_EXHAUSTED, FUND_DROP = "fund_short", "fund_exhausted", "fund_drop"
SYMBOL_DRAWDOWN, NEGATIVE_EQUITY = "symbol_drawdown", "negative_equity"
LEVERAGED_PNL, PNL_LEVERAGE, GAIN_LEVERAGE = "leveraged_pnl", "pnl_leverage", "gain_leverage"
BANKRUPTCY, BANKRUPTCY_NEAR_MARK = "bankruptcy", "bankruptcy_near_mark"
AT_MARK, PREVIOUS_MARK = "mark", "previous_mark"
WEIGHTED_MEAN, WEIGHTED_MEDIAN = "weighted_mean", "weighted_median"
MEDIAN_OF_THREE, INDEX_AND_BASIS, ORACLE_MEDIAN = "median_of_three", "index_and_basis", "oracle"
OWN_BOOK, INDEX, REDEMPTION, WEIGHTED = "own_book", "index", "redemption", "weighted"
BOOK, TAKEOVER = "book", "takeover"
AT_ONCE, PATIENT = "at_once", "patient"


def problems_of(rule: Any) -> list[str]:
    """What is wrong with a rule: an unknown kind, or a figure outside its bounds."""
    problems = []
    if rule.kind not in rule.KINDS:
        problems.append(f"kind {rule.kind!r} is none of {', '.join(rule.KINDS)}")
    for name, (low, high) in rule.BOUNDS.items():
        value = getattr(rule, name)
        if not low <= value <= high:
            problems.append(f"{name} {value} is outside {low} to {high}")
    return problems


@attrs.frozen(kw_only=True)
class Rule:
    """A rule of some ``kind``; raises ``ValueError`` that lists every problem."""

    NAME: ClassVar[str] = "rule"
    KINDS: ClassVar[tuple[str, ...]] = ()
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {}

    kind: str

    def __attrs_post_init__(self) -> None:
        problems = problems_of(self)
        if problems:
            raise ValueError(f"{self.NAME} rule: " + "; ".join(problems))


@attrs.frozen(kw_only=True)
class MarginRule(Rule):
    """When the liquidation of a unified account ends, and what loans beyond their limit cost.

    ``absorbing``: once begun it runs until nothing is left, whatever is paid in.  ``early_stop``:
    it ends as soon as the account is back above its threshold.  With ``penalty`` the interest of a
    loan beyond the limit of its asset is multiplied by utilisation cubed.  With ``closing_fee`` the
    fee of closing every position is part of the maintenance margin.
    """

    NAME = "margin"
    KINDS = ("absorbing", "early_stop")

    penalty: bool = False
    closing_fee: bool = False


@attrs.frozen(kw_only=True)
class LadderRule(Rule):
    """How much of a position one liquidation step closes.

    ``target``: what brings equity back to ``target_ppm`` of maintenance.  ``tiers``: down by
    ``tier_step`` brackets, then a pause of ``wait_ns``; a position inside the lowest ``last_tiers``
    brackets goes as a whole, to the ``last`` place: the book or the takeover account;
    ``fill_or_kill`` steps trade completely or not at all.  ``share``: ``share_ppm`` of a position
    worth more than ``whole_below`` whole coins, all of it below that and within ``cooldown_ns`` of
    the account's last partial step.
    """

    NAME = "ladder"
    KINDS = (TO_TARGET, BY_TIERS, BY_SHARE)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "target_ppm": (PPM, 100 * PPM),
        "tier_step": (1, 100),
        "last_tiers": (1, 100),
        "wait_ns": (0, 24 * NANOS_PER_HOUR),
        "share_ppm": (1, PPM),
        "whole_below": (0, 10**15),
        "cooldown_ns": (0, 24 * NANOS_PER_HOUR),
    }

    target_ppm: int = 1_200_000
    tier_step: int = 1
    last_tiers: int = 1
    last: str = BOOK
    fill_or_kill: bool = False
    wait_ns: int = 0
    share_ppm: int = 200_000
    whole_below: int = 100_000
    cooldown_ns: int = 30 * NANOS_PER_S


@attrs.frozen(kw_only=True)
class TakeoverRule(Rule):
    """When the venue takes an account over.

    ``insolvent``: when its net worth is at or below zero.  ``maintenance_share``: already when its
    equity is below ``share[0] / share[1]`` of its maintenance margin; what is left of the margin
    is then the venue's.  ``works_off`` says whether the takeover account sells through the book
    or keeps what it got, ``pace`` how: ``at_once`` like any liquidation, ``patient`` with resting
    orders ``edge_ppm`` beyond the mark, for ``offer_ppm`` of a position per minute.  It carries at
    most ``leverage_ppm`` of its capital (0: any amount), and a slot may use ``slot_ppm`` of what is
    left of that; what finds no room goes to ADL (``world.backstop``).
    """

    NAME = "takeover"
    KINDS = (INSOLVENT, MAINTENANCE_SHARE)
    PACES: ClassVar[tuple[str, ...]] = (AT_ONCE, PATIENT)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "leverage_ppm": (0, 100 * PPM),
        "slot_ppm": (1, PPM),
        "offer_ppm": (1, PPM),
        "edge_ppm": (0, PPM // 2),
    }

    share: tuple[int, int] = (2, 3)
    works_off: bool = True
    pace: str = AT_ONCE
    leverage_ppm: int = 0
    slot_ppm: int = PPM
    offer_ppm: int = 50_000
    edge_ppm: int = 500

    def __attrs_post_init__(self) -> None:
        problems = problems_of(self)
        if self.pace not in self.PACES:
            problems.append(f"pace {self.pace!r} is none of {', '.join(self.PACES)}")
        above, below = self.share
        if not 0 < above <= below:
            problems.append(f"share {above}/{below} is outside 0 to 1")
        if problems:
            raise ValueError("takeover rule: " + "; ".join(problems))


@attrs.frozen(kw_only=True)
class InsuranceRule(Rule):
    """Who pays deficits: a ``fund``, or the capital of a ``vault`` that also takes positions.

    The balance and its highest value of the last ``window_ns`` are what ADL triggers look at.
    """

    NAME = "insurance"
    KINDS = (FUND, VAULT)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {"window_ns": (1, 10**18)}

    window_ns: int = 8 * NANOS_PER_HOUR


@attrs.frozen(kw_only=True)
class AdlTriggerRule(Rule):
    """When positions of an insolvent account go to ADL instead of the takeover account.

    ``fund_short``: the fund, less what it has lost on takeovers, is smaller than the deficit.
    ``fund_exhausted``: fund and account together are worth nothing.  ``fund_drop``: the fund
    cannot pay or is ``start_ppm`` below its peak.  ``symbol_drawdown``: the losses of one
    instrument reach ``start_ppm`` of the fund's peak (until they are back under ``stop_ppm``), or
    the fund is exhausted.  ``negative_equity``: always.  With ``rounds`` all liquidations of a slot
    come first and ADL follows as a round of its own.
    """

    NAME = "adl_trigger"
    KINDS = (FUND_SHORT, FUND_EXHAUSTED, FUND_DROP, SYMBOL_DRAWDOWN, NEGATIVE_EQUITY)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "start_ppm": (1, 100 * PPM),
        "stop_ppm": (0, 100 * PPM),
    }

    start_ppm: int = 300_000
    stop_ppm: int = 250_000
    rounds: bool = False

    def __attrs_post_init__(self) -> None:
        problems = problems_of(self)
        if self.kind == SYMBOL_DRAWDOWN and self.stop_ppm > self.start_ppm:
            problems.append(f"stop_ppm {self.stop_ppm} is above start_ppm {self.start_ppm}")
        if problems:
            raise ValueError("adl_trigger rule: " + "; ".join(problems))


@attrs.frozen(kw_only=True)
class AdlRankRule(Rule):
    """Who is deleveraged first; the formulas are in ``risk.adl``."""

    NAME = "adl_rank"
    KINDS = (LEVERAGED_PNL, PNL_LEVERAGE, GAIN_LEVERAGE)


@attrs.frozen(kw_only=True)
class AdlPriceRule(Rule):
    """At what price ADL fills.

    ``bankruptcy``: where the winners pay the whole deficit.  ``bankruptcy_near_mark``: the same,
    but the mark if that is more than ``gap_ppm`` away.  ``mark``, ``previous_mark``: the mark of
    now or of the update before; a deficit that this leaves is the fund's.
    """

    NAME = "adl_price"
    KINDS = (BANKRUPTCY, BANKRUPTCY_NEAR_MARK, AT_MARK, PREVIOUS_MARK)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {"gap_ppm": (0, PPM)}

    gap_ppm: int = 50_000


@attrs.frozen(kw_only=True)
class IndexRule(Rule):
    """How the prices of several sources become one.

    A source without a trade or an order for ``stale_ns`` (0: any time) does not count, one that is
    further than ``outlier_ppm`` from the median neither; a single source is always believed.
    """

    NAME = "index"
    KINDS = (WEIGHTED_MEAN, WEIGHTED_MEDIAN)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "outlier_ppm": (1, PPM),
        "stale_ns": (0, 10**18),
        "period_ns": (0, 10**18),
    }

    outlier_ppm: int = INDEX_OUTLIER_PPM
    stale_ns: int = INDEX_STALE_NS
    period_ns: int = 0


@attrs.frozen(kw_only=True)
class MarkRule(Rule):
    """The price at which accounts are judged.

    ``median_of_three``: index carried by funding, index plus the average basis, last trade.
    ``index_and_basis``: the second of these alone.  ``oracle``: the median of the index plus a
    moving average (``basis_tau_ns``) of its basis, the own book (bid, ask, last), and the weighted
    median of other venues' perpetuals; with exactly two, a moving average (``book_tau_ns``) of the
    own book joins.  The basis is sampled every ``period_ns``.
    """

    NAME = "mark"
    KINDS = (MEDIAN_OF_THREE, INDEX_AND_BASIS, ORACLE_MEDIAN)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "period_ns": (0, 24 * NANOS_PER_HOUR),
        "basis_tau_ns": (1, 24 * NANOS_PER_HOUR),
        "book_tau_ns": (1, 24 * NANOS_PER_HOUR),
    }

    period_ns: int = NANOS_PER_S
    basis_tau_ns: int = 150 * NANOS_PER_S
    book_tau_ns: int = 30 * NANOS_PER_S


@attrs.frozen(kw_only=True)
class FundingRule(Rule):
    """What funding is charged on and how it is capped.

    ``mark`` and ``index`` name the price of the notional.  The cap is a multiple of the first
    maintenance rate, or ``cap_ppb`` per interval when that is not 0; contracts with a maximum
    leverage of at most ``high_cap_leverage`` have ``high_cap_ppb`` instead (0: none).
    """

    NAME = "funding"
    KINDS = (AT_MARK, INDEX)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "interest_8h_ppb": (-(10**9), 10**9),
        "cap_ppb": (0, 10**9),
        "high_cap_ppb": (0, 10**9),
        "high_cap_leverage": (0, 1000),
    }

    interest_8h_ppb: int = INTEREST_8H_PPB
    cap_ppb: int = 0
    high_cap_ppb: int = 0
    high_cap_leverage: int = 0


@attrs.frozen(kw_only=True)
class CollateralPriceRule(Rule):
    """Where the price of an asset as collateral comes from.

    ``own_book``: the venue's own spot market.  ``index``: all venues' spot markets by the index
    rule.  ``redemption``: what one unit is redeemed for.  ``weighted``: ``weight_ppm`` of the
    redemption value and the rest of the own book, at least ``floor_ppm`` of the redemption value.
    Assets that nobody redeems are priced by their own book where redemption is asked for.
    """

    NAME = "collateral_price"
    KINDS = (OWN_BOOK, INDEX, REDEMPTION, WEIGHTED)
    BOUNDS: ClassVar[dict[str, tuple[int, int]]] = {
        "weight_ppm": (0, PPM),
        "floor_ppm": (0, PPM),
    }

    weight_ppm: int = 500_000
    floor_ppm: int = 0


@attrs.frozen(kw_only=True)
class Numbers:
    """Figures of a venue that scenarios set by keys of their own; these are the usual ones."""

    bands: tuple[int, int, int, int]
    loan_mmr_ppm: int = 50_000
    loan_imr_ppm: int = 100_000
    liquidation_fee_ppm: int = 0
    basis_samples: int = 30
    funding_interval_ns: int = 8 * NANOS_PER_HOUR
    funding_cap_ppm: int = 750_000
    impact_margin: int = 200


@attrs.frozen(kw_only=True)
class Profile:
    """All rules of a venue."""

    name: str
    margin: MarginRule
    ladder: LadderRule
    takeover: TakeoverRule
    insurance: InsuranceRule
    adl_trigger: AdlTriggerRule
    adl_rank: AdlRankRule
    adl_price: AdlPriceRule
    index: IndexRule
    mark: MarkRule
    funding: FundingRule
    collateral_price: CollateralPriceRule
    numbers: Numbers


PARTS: Final[dict[str, type[Rule]]] = {
    cls.NAME: cls
    for cls in (
        MarginRule, LadderRule, TakeoverRule, InsuranceRule, AdlTriggerRule, AdlRankRule,
        AdlPriceRule, IndexRule, MarkRule, FundingRule, CollateralPriceRule,
    )
}  # fmt: skip
"""The rules that a profile is made of, by name."""
