"""Hot state of a loan desk: the loans, and at which price each of them needs a look.

A loan's state depends on one price, so loans are kept sorted by the price at which they may get
worse or better.  A mark update then costs O(loans concerned), whatever the number of loans.  The
sorted prices are bounds (rounded, with interest for a day ahead); a loan that is found through them
is judged exactly, with ``credit.loans``.
"""

from __future__ import annotations

from sortedcontainers import SortedList

from exchange_sim.credit.loans import LoanTerms
from exchange_sim.units import NANOS_PER_HOUR

HEALTHY, CALLED, LIQUIDATING = 0, 1, 2
"""States of a loan: nothing to say, margin call open, collateral is being sold."""

PPB = 1_000_000_000


class Loan:
    """A loan against one collateral asset.

    ``principal`` and ``charges`` (interest and fees) are owed in the product's loan asset, as of
    ``since_ns``; ``collateral`` units are pledged.  ``due_ns`` is when the desk acts.  While it
    sells, it does so down to a loan-to-value of ``target_ppm`` (0: everything that is owed);
    ``forced`` says whose wish that is, ``selling`` that the first order has been sent.
    """

    __slots__ = (
        "account", "asset", "charges", "collateral", "due_ns", "forced", "id", "principal",
        "product", "selling", "since_ns", "state", "target_ppm",
    )  # fmt: skip

    def __init__(
        self, id: int, product: int, account: int, asset: int, collateral: int, principal: int,
        now: int,
    ) -> None:  # fmt: skip
        self.id = id
        self.product = product
        self.account = account
        self.asset = asset
        self.collateral = collateral
        self.principal = principal
        self.charges = 0
        self.since_ns = now
        self.state = HEALTHY
        self.due_ns = 0
        self.target_ppm = 0
        self.forced = False
        self.selling = False

    def numbers(self) -> tuple[int, ...]:
        """Every number of its state, for digests."""
        return tuple(int(getattr(self, name)) for name in self.__slots__)


def interest(principal: int, ppb_per_hour: int, elapsed_ns: int) -> int:
    """Simple interest in units, rounded up."""
    return -(-principal * ppb_per_hour * elapsed_ns // (PPB * NANOS_PER_HOUR))


def debt_at(loan: Loan, ppb_per_hour: int, now: int) -> int:
    """Principal, charges and the interest since the loan was last touched, in units."""
    grown = interest(loan.principal, ppb_per_hour, now - loan.since_ns)
    return loan.principal + loan.charges + grown


def settle_interest(loan: Loan, ppb_per_hour: int, now: int) -> None:
    """Make the interest until now part of the charges."""
    loan.charges += interest(loan.principal, ppb_per_hour, now - loan.since_ns)
    loan.since_ns = now


def worsens_at(loan: Loan, debt: int, terms: LoanTerms, scale: int) -> int:
    """A price at or above the one at which the next level of the ladder is reached.

    Prices are such that value = collateral * price // scale.  ``debt`` is what may be owed by then.
    """
    level = terms.call if loan.state == HEALTHY else terms.liquidation
    value = debt * level.denominator // level.numerator + 1
    return value * scale // loan.collateral + 1


def improves_at(debt: int, collateral: int, terms: LoanTerms, scale: int) -> int:
    """A price at or below the one at which a called loan is back at its initial loan-to-value."""
    level = terms.initial
    value = debt * level.denominator // level.numerator
    return max(0, value * scale // collateral - 1)


class PriceLadder:
    """Loans on one asset by the prices at which they need a look."""

    __slots__ = ("_falls", "_keys", "_rises")

    def __init__(self) -> None:
        self._falls: SortedList = SortedList()
        self._rises: SortedList = SortedList()
        self._keys: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def put(self, loan: int, fall: int, rise: int = 0) -> None:
        """Look at a loan once the price is at or below ``fall``, or (not 0) at or above ``rise``.

        O(log loans).
        """
        self.drop(loan)
        self._keys[loan] = fall, rise
        self._falls.add((fall, loan))
        if rise:
            self._rises.add((rise, loan))

    def drop(self, loan: int) -> None:
        """Forget a loan; nothing happens when it is unknown."""
        known = self._keys.pop(loan, None)
        if known is not None:
            self._falls.remove((known[0], loan))
            if known[1]:
                self._rises.remove((known[1], loan))

    def concerned(self, price: int) -> list[int]:
        """Loans that ``price`` may make worse or better, those first that fell furthest.

        O(log loans + result).
        """
        worse = [loan for _, loan in self._falls.irange((price, -1), None, reverse=True)]
        better = [loan for _, loan in self._rises.irange(None, (price + 1, -1))]
        return worse + better

    def loans(self) -> list[int]:
        """All loans in it, in the order in which they were put."""
        return list(self._keys)
