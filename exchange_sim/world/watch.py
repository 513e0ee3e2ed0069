"""A world that checks its own rules after every command and stops at the first that is broken."""

from __future__ import annotations

from exchange_sim.world.config import WorldConfig
from exchange_sim.world.invariants import FULL
from exchange_sim.world.steps import StepChecker
from exchange_sim.world.world import Command, Event, World


class WatchedWorld(World):
    """As ``World``; ``apply`` raises ``InvariantViolation`` when a rule does not hold.

    Checking changes nothing: events and digests are those of a world that nobody watches.  Raises
    ``ValueError`` for an unknown level.
    """

    def __init__(self, config: WorldConfig, level: str = FULL) -> None:
        super().__init__(config)
        self.checker = StepChecker(self, level)

    def apply(self, command: Command) -> list[Event]:
        """Apply a command and judge what it did."""
        self.checker.before(command)
        events = super().apply(command)
        violations = self.checker.observe(command, events)
        if violations:
            raise violations[0].error()
        return events
