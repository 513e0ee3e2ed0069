"""What a liability costs in margin: brackets by value, charged like a tax, exact in integers.

Cross Margin Pro has no rate for all loans: each coin that is owed has brackets of its own, and the
initial and the maintenance margin of an account are the sums over its coins, each slice of what is
owed at the rate of its own bracket.  Source:
https://www.binance.com/en/support/faq/12a78d8aa813470f96be283b45f75410.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from exchange_sim.risk.collateral import tax_by_tier
from exchange_sim.units import PPM

Bracket = tuple[int | None, int, int]
"""Upper bound in quote units (None: unbounded), initial and maintenance rate in ppm."""


def _brackets(brackets: Iterable[Bracket]) -> tuple[Bracket, ...]:
    return tuple(brackets)


@attrs.frozen
class LiabilityTable:
    """Brackets of one coin that is owed.

    Bounds and rates rise from bracket to bracket, the last bracket is unbounded, and no maintenance
    rate exceeds the initial rate beside it.  Raises ``ValueError`` that lists every problem.
    """

    brackets: tuple[Bracket, ...] = attrs.field(converter=_brackets)

    def __attrs_post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise ValueError("liability brackets: " + "; ".join(problems))

    def _problems(self) -> list[str]:
        if not self.brackets:
            return ["there is none"]
        problems, bound, initial, maintenance = [], 0, 0, 0
        for k, (upto, first, least) in enumerate(self.brackets, start=1):
            at = f"bracket {k}: "
            if not 0 < least <= first <= PPM:
                problems.append(
                    f"{at}maintenance {least} ppm and initial {first} ppm are not 0 < maintenance "
                    f"<= initial <= {PPM}"
                )
            if first < initial or least < maintenance:
                problems.append(f"{at}its rates fall below those of the bracket before")
            initial, maintenance = max(initial, first), max(maintenance, least)
            if (upto is None) != (k == len(self.brackets)):
                problems.append(f"{at}the last bracket, and only that one, is unbounded")
            if upto is not None and upto <= bound:
                problems.append(f"{at}bound {upto} does not rise above {bound}")
            bound = upto or bound
        return problems

    def initial(self, owed: int) -> int:
        """Initial margin of a debt worth ``owed``, rounded up."""
        return tax_by_tier(owed, tuple((upto, rate) for upto, rate, _ in self.brackets))

    def maintenance(self, owed: int) -> int:
        """Maintenance margin of a debt worth ``owed``, rounded up."""
        return tax_by_tier(owed, tuple((upto, rate) for upto, _, rate in self.brackets))
