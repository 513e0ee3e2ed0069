"""The two legs of hedge mode as the events tell them: part of the second bookkeeper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange_sim.model.enums import FLAG_LONG, FLAG_SHORT

if TYPE_CHECKING:
    from exchange_sim.world.world import World

Event = tuple[int, ...]
SIDE_FLAGS: Final = FLAG_LONG | FLAG_SHORT


class ShadowLegs:
    """Lots of the long and the short leg of every account in hedge mode."""

    def __init__(self, w: World) -> None:
        self.hedged: dict[int, bool] = {}
        self._lots: dict[tuple[int, int], list[int]] = {}
        for account in w.accounts:
            if account.modes is not None and account.modes.hedge:
                self.hedged[account.id] = True
            for instrument, position in account.positions.items():
                if position.legs is not None:
                    self._lots[account.id, instrument] = [leg.qty for leg in position.legs]

    def apply(self, event: Event) -> None:
        """A change of the position mode, or legs that were closed against each other."""
        if event[0] == 62:
            if event[2]:
                self.hedged[event[1]] = True
            else:
                self.hedged.pop(event[1], None)
            return
        _, account, instrument, qty, _, _ = event
        self.shift(account, instrument, -qty, FLAG_LONG)
        self.shift(account, instrument, qty, FLAG_SHORT)

    def shift(self, account: int, instrument: int, change: int, flags: int) -> None:
        """Change the leg that the flags name; without any, what closes comes first."""
        legs = self._lots.setdefault((account, instrument), [0, 0])
        if flags & SIDE_FLAGS:
            legs[1 if flags & FLAG_SHORT else 0] += change
            return
        closing = 0 if change < 0 else 1
        closed = min(abs(change), abs(legs[closing]))
        part = -closed if change < 0 else closed
        legs[closing] += part
        legs[1 - closing] += change - part

    def held(self, account: int, instrument: int, flags: int) -> int:
        """Signed lots of the leg that the flags name."""
        return self._lots.get((account, instrument), (0, 0))[1 if flags & FLAG_SHORT else 0]
