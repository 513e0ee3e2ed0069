"""One line of the narrative."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class Line:
    """One line of the narrative.

    ``severe`` lines are errors, other ``notable`` lines warnings, the rest information.
    """

    message: str
    fields: dict[str, Any] = attrs.field(factory=dict)
    notable: bool = False
    severe: bool = False

    @property
    def level(self) -> str:
        """Name of its level, as structlog calls it."""
        if self.severe:
            return "error"
        return "warning" if self.notable else "info"
