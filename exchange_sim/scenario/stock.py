"""Coins that participants hold at the start, said in units of the books that they trade.

``stock = [{ select = ["SPOT", "alt"], d1 = 0.5 }]`` gives a participant, on each of its venues,
half a D1 of the base asset of every selected book.  It is added to ``capital`` and ``capital_at``.
With ``against = "NAME"`` the books are perpetuals, and what it gets is a long position whose other
side NAME holds; when NAME is switched off there is none.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal

import attrs

from exchange_sim.errors import Problem
from exchange_sim.scenario.expand_params import TagError, selected
from exchange_sim.scenario.files import failed
from exchange_sim.scenario.lending import PositionDef
from exchange_sim.scenario.participants import ParticipantDef
from exchange_sim.scenario.scenario import Scenario


def with_stock(scenario: Scenario) -> Scenario:
    """The scenario with every ``stock`` turned into amounts.  Raises ``ScenarioError``."""
    problems: list[Problem] = []
    participants = tuple(
        _stocked(scenario, item, problems) if item.stock else item for item in scenario.participants
    )
    if problems:
        raise failed(*problems)
    return attrs.evolve(scenario, participants=participants)


def _stocked(scenario: Scenario, item: ParticipantDef, problems: list[Problem]) -> ParticipantDef:
    positions: list[PositionDef] = []
    present = {other.name for other in scenario.participants}
    held = {venue: dict(item.capital_at.get(venue, item.capital)) for venue in item.venues}
    for at, stock in enumerate(item.stock, start=1):
        try:
            books = selected(scenario, list(stock.select))
        except TagError as error:
            where = f"participants.{item.name}.stock[{at}]"
            problems.append(scenario.problem(where, str(error)))
            continue
        for book in books:
            if book.venue not in held:
                continue
            if stock.against:
                if stock.against in present:
                    lots = int(stock.d1 * book.depth_usd / book.lot_value)
                    positions.append(
                        PositionDef(
                            instrument=book.name,
                            qty=lots * book.lot,
                            against=stock.against,
                        )
                    )
                continue
            step = Decimal(1).scaleb(-scenario.assets[book.base].decimals)
            amount = (stock.d1 * book.depth_usd / book.price).quantize(step, ROUND_DOWN)
            mine = held[book.venue]
            mine[book.base] = mine.get(book.base, Decimal(0)) + amount
    return attrs.evolve(
        item,
        capital_at={**item.capital_at, **held},
        positions=(*item.positions, *positions),
        stock=(),
    )
