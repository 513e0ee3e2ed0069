"""Rules about loans are shown to fail: a bug is planted, and the rule with that id notices it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exchange_sim.world import accounts, lenders, loan_sales, loans
from tests.world.factory import reported
from tests.world.loan_factory import Bank, loan_config, loan_soup

Patch = pytest.MonkeyPatch


def _lost_repayment(patch: Patch) -> None:
    """Money of borrowers stays in the vault."""
    real = accounts.move

    def move(w, asset, source, target, amount, kind):
        real(w, asset, source, source if source == w.lenders[0].vault else target, amount, kind)

    patch.setattr(lenders, "move", move)


def _silent_top_up(patch: Patch) -> None:
    """More collateral than the events say."""
    real = loans.top_up

    def top_up(w, c):
        real(w, c)
        if w.out[-1][0] == 71:
            w.out.pop()

    patch.setitem(loans_handlers(), 61, top_up)


def _unannounced(patch: Patch) -> None:
    """A forced sale begins without a word."""
    patch.setattr(lenders, "notice", lambda *_: None)
    patch.setattr(loan_sales, "notice", lambda *_: None)


def _blind(patch: Patch) -> None:
    """Prices are not looked at."""
    patch.setattr(lenders, "screen", lambda *_: None)


def loans_handlers():
    """The table from command to function."""
    from exchange_sim.world.world import HANDLERS

    return HANDLERS


LOAN_PLANTS: dict[str, tuple[str, Callable[[Patch], None]]] = {
    "lost repayment": ("LOAN-1", _lost_repayment),
    "silent top-up": ("LOAN-2", _silent_top_up),
    "unannounced sale": ("LOAN-2", _unannounced),
    "blind to prices": ("LOAN-3", _blind),
}


@pytest.mark.parametrize("name", LOAN_PLANTS)
def test_planted_bug_is_named(name, monkeypatch):
    """Some random day breaks the rule that the bug concerns."""
    rule, install = LOAN_PLANTS[name]
    install(monkeypatch)
    found = reported(monkeypatch)
    for seed in range(4):
        loan_soup(seed, bank=Bank(loan_config({"lag_ns": 0})))
        if rule in found:
            return
    pytest.fail(f"{rule} is not among {sorted(set(found))}")
