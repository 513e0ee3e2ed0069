"""Events as sentences: pure functions from tuples of integers to lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from exchange_sim.eventlog.chain_words import ON_CHAIN, chain_line
from exchange_sim.eventlog.line import Line
from exchange_sim.eventlog.names import Names
from exchange_sim.eventlog.rule_words import adl_rule
from exchange_sim.messages import events as e
from exchange_sim.messages.reasons import (
    LiquidationOutcome,
    MarginBand,
    NoteKind,
    WithdrawalCause,
)
from exchange_sim.model.enums import InstrumentStatus
from exchange_sim.units import PPM

Event = tuple[int, ...]


def narrate(event: Event, names: Names) -> Line | None:
    """The sentence for one event, ``None`` for kinds that have none."""
    sentence = _SENTENCES.get(event[0])
    return sentence(event, names) if sentence is not None else None


def minute_lines(
    counts: Mapping[tuple[int, int], list[int]], repeats: Mapping[Event, int], names: Names
) -> Iterator[Line]:
    """What was only counted during a minute: ``counts[(type id, key)]`` is (events, total value).

    The key is a venue id, for ADL an instrument id.  ``repeats`` counts remarks by their first four
    integers.
    """
    venues = sorted({key for kind, key in counts if kind in _LIQUIDATION_KINDS})
    for venue in venues:
        started = counts.get((e.LiquidationStarted.type_id, venue), [0, 0])[0]
        steps, value = counts.get((e.LiquidationStep.type_id, venue), [0, 0])
        ended = counts.get((e.LiquidationEnded.type_id, venue), [0, 0])[0]
        fields = {
            "venue": names.venue(venue),
            "started": started,
            "ended": ended,
            "steps": steps,
            "value": names.amount(names.numeraire(venue), value),
        }
        yield Line("liquidations of this minute", fields)
    for (kind, key), (count, total) in sorted(counts.items()):
        if kind == e.AdlExecuted.type_id:
            fields = {"instrument": names.instrument(key), "count": count, "lots": total}
            profile = names.profile_of(names.venue_of_instrument(key))
            if profile is not None:
                fields["rule"] = adl_rule(profile)
            yield Line("auto-deleveraging of this minute", fields, notable=True)
        elif kind == e.BadDebtRecorded.type_id:
            fields = {"venue": names.venue(key), "count": count}
            fields["amount"] = names.amount(names.numeraire(key), total)
            yield Line("bad debt of this minute", fields, severe=True)
        elif kind in ON_CHAIN:
            yield chain_line(kind, key, count, total, names)
    for remark, times in repeats.items():
        if times > 1:
            line = _noted((*remark, 0), names)
            unknown = ("value", "scale", "d1_per_s", "what", "cause", "target")
            fields = {key: item for key, item in line.fields.items() if key not in unknown}
            fields["times"] = times
            yield Line(f"{line.message}, repeatedly", fields)


def _ratio(ppm: int) -> str:
    return str((Decimal(ppm) / PPM).quantize(Decimal("0.001")))


def _word(words: type[Any], value: int) -> str:
    """A member's name in small letters, or the number when there is no such member."""
    try:
        return str(words(value).name).lower().replace("_", " ")
    except ValueError:
        return str(value)


def _money(names: Names, account: int, amount: int) -> str:
    return names.amount(names.numeraire(names.venue_of(account)), amount)


def _status(event: Event, names: Names) -> Line:
    _, instrument, status = event
    fields = {"instrument": names.instrument(instrument), "status": _word(InstrumentStatus, status)}
    reopened = status == InstrumentStatus.TRADING
    return Line("trading resumed" if reopened else "trading halted", fields, notable=not reopened)


def _transfers(event: Event, names: Names) -> Line:
    _, venue, enabled = event
    message = "transfers resumed" if enabled else "transfers suspended"
    return Line(message, {"venue": names.venue(venue)}, notable=not enabled)


def _band(event: Event, names: Names) -> Line:
    _, account, band, uni_mmr_ppm, equity, maintenance = event
    fields = {
        "account": names.account(account),
        "band": _word(MarginBand, band),
        "uni_mmr": _ratio(uni_mmr_ppm),
        "equity": _money(names, account, equity),
        "maintenance": _money(names, account, maintenance),
    }
    return Line("margin band changed", fields, notable=band >= MarginBand.REDUCE_ONLY)


def _liquidation_started(event: Event, names: Names) -> Line:
    _, account, equity, maintenance, uni_mmr_ppm, cause_instrument, cause_asset = event
    fields = {
        "account": names.account(account),
        "equity": _money(names, account, equity),
        "maintenance": _money(names, account, maintenance),
        "uni_mmr": _ratio(uni_mmr_ppm),
    }
    if cause_instrument >= 0:
        fields["cause"] = names.instrument(cause_instrument)
    elif cause_asset >= 0:
        fields["cause"] = names.asset(cause_asset)
    return Line("liquidation started", fields, notable=True)


def _liquidation_ended(event: Event, names: Names) -> Line:
    _, account, outcome, equity, maintenance = event
    fields = {
        "account": names.account(account),
        "outcome": _word(LiquidationOutcome, outcome),
        "equity": _money(names, account, equity),
        "maintenance": _money(names, account, maintenance),
    }
    return Line("liquidation ended", fields, notable=outcome == LiquidationOutcome.BANKRUPT)


def _adl_round(event: Event, names: Names) -> Line:
    _, venue, number, accounts = event
    fields = {"venue": names.venue(venue), "round": number, "accounts": accounts}
    return Line("round of auto-deleveraging", fields)


def _insurance(event: Event, names: Names) -> Line:
    _, venue, asset, change, balance = event
    fields = {"venue": names.venue(venue), "last_payout": names.amount(asset, -change)}
    fields["balance"] = names.amount(asset, balance)
    return Line("insurance fund exhausted", fields, severe=True)


def _adl(event: Event, names: Names) -> Line:
    _, instrument, _, qty, bankrupt, victim, *_ = event
    fields = {"instrument": names.instrument(instrument), "lots": qty}
    fields |= {"bankrupt": names.account(bankrupt), "victim": names.account(victim)}
    return Line("position auto-deleveraged", fields, notable=True)


def _bad_debt(event: Event, names: Names) -> Line:
    _, venue, account, asset, amount = event
    fields = {"venue": names.venue(venue), "account": names.account(account)}
    fields["amount"] = names.amount(asset, amount)
    return Line("bad debt", fields, severe=True)


_QUOTE_NOTES: Final = (
    NoteKind.QUOTES_WITHDRAWN,
    NoteKind.QUOTES_RESTORED,
    NoteKind.QUOTES_REDUCED,
)
LOOP_CAUSES: Final = {1: "loan call", 2: "margin", 3: "price"}
"""Why a loop is unwound, by the second number of its remark."""
_OUTAGE_NOTES: Final = (NoteKind.OUTAGE_STARTED, NoteKind.OUTAGE_ENDED)
_NOTABLE_NOTES: Final = (
    NoteKind.SHOCK,
    NoteKind.OUTAGE_STARTED,
    NoteKind.STRATEGY_FAULT,
    NoteKind.QUOTES_WITHDRAWN,
)


def _noted(event: Event, names: Names) -> Line:
    _, account, kind, a, b = event
    fields: dict[str, Any] = {"account": names.account(account)} if account >= 0 else {}
    if kind == NoteKind.SHOCK:
        fields |= {"name": names.shock(a)} if account < 0 else {"pulse": a, "d1_per_s": _ratio(b)}
    elif kind in _OUTAGE_NOTES:
        fields |= {"venue": names.venue(a), "what": names.outage(b)}
    elif kind in _QUOTE_NOTES:
        fields |= {"cause": _word(WithdrawalCause, a), "scale": _ratio(b)}
    elif kind == NoteKind.LOOP_UNWINDING:
        fields |= {"usd": a, "cause": LOOP_CAUSES.get(b, str(b))}
    elif kind in {NoteKind.REDEEMED, NoteKind.HEDGE_LOST}:
        fields |= {"usd": a}
    elif kind == NoteKind.BUFFER_REFILL:
        fields |= {"usd": a, "target": b}
    else:
        fields |= {"about": a, "value": b}
    return Line(_word(NoteKind, kind), fields, notable=kind in _NOTABLE_NOTES)


_LIQUIDATION_KINDS: Final = (
    e.LiquidationStarted.type_id,
    e.LiquidationStep.type_id,
    e.LiquidationEnded.type_id,
)
_SENTENCES: Final[dict[int, Callable[[Event, Names], Line]]] = {
    e.InstrumentStatusChanged.type_id: _status,
    e.TransfersSwitched.type_id: _transfers,
    e.MarginBandChanged.type_id: _band,
    e.LiquidationStarted.type_id: _liquidation_started,
    e.LiquidationEnded.type_id: _liquidation_ended,
    e.AdlRoundStarted.type_id: _adl_round,
    e.InsuranceChanged.type_id: _insurance,
    e.AdlExecuted.type_id: _adl,
    e.BadDebtRecorded.type_id: _bad_debt,
    e.Noted.type_id: _noted,
}
