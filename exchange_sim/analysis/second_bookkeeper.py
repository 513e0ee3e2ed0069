"""LED-6: a second bookkeeper rebuilds every balance and loan from the event tables alone.

It shares no code with the ledger or the world.  Its whole knowledge is what the messages promise:
``LedgerPosted`` moves one amount, ``LoanChanged`` states a liability, ``Traded`` exchanges base for
quote (spot) or pays realized PnL against the instrument's clearing account (perpetuals), and both
sides of a trade pay their fee in the quote asset to the venue's fee account.

Sums are taken modulo 2**64, which is exact as long as the final balances fit 64 bits.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from exchange_sim.analysis.run_dir import RunCorrupt, RunData
from exchange_sim.messages.events import LedgerPosted, LoanChanged, Traded
from exchange_sim.model.enums import InstrumentKind, Side

_Ints = npt.NDArray[np.int64]


@attrs.frozen
class BalanceDifference:
    """One figure on which the books disagree; ``what`` is ``amount``, ``loan`` or ``loan history``.

    ``recorded`` is what the run wrote down at its end, ``rebuilt`` what its events add up to.
    """

    account: int
    asset: int
    what: str
    recorded: int
    rebuilt: int

    def __str__(self) -> str:
        return (
            f"LED-6: {self.what} of account {self.account} in asset {self.asset} is"
            f" {self.recorded}, its events add up to {self.rebuilt}"
        )


@attrs.frozen
class Books:
    """Balances rebuilt from events, by [account, asset].

    ``loans`` is the liability last stated, ``loan_changes`` the sum of its changes.
    """

    amounts: _Ints
    loans: _Ints
    loan_changes: _Ints


def check_balances(run: RunData) -> list[BalanceDifference]:
    """Every figure on which events and final balances disagree; empty for honest books.

    Raises ``RunCorrupt`` when a table is missing, damaged, or names an unknown account.
    """
    books = rebuild(run)
    recorded = _recorded(run, books.amounts.shape)
    found = []
    comparisons = (
        ("amount", recorded.amounts, books.amounts),
        ("loan", recorded.loans, books.loans),
        ("loan history", books.loans, books.loan_changes),
    )
    for what, one, other in comparisons:
        for account, asset in np.argwhere(one != other).tolist():
            difference = BalanceDifference(
                account, asset, what, int(one[account, asset]), int(other[account, asset])
            )
            found.append(difference)
    return found


def rebuild(run: RunData) -> Books:
    """Balances and loans of all accounts after the last event.  Raises ``RunCorrupt``."""
    shape = (len(run.accounts), len(run.assets))
    amounts = np.zeros(shape, np.int64)
    for account, asset, amount in _movements(run):
        _add(run, amounts, account, asset, amount)
    loans, changes = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    table = run.table(LoanChanged)
    account, asset = _column(table, "account"), _column(table, "asset")
    _add(run, changes, account, asset, _column(table, "change"))
    # Later rows overwrite earlier ones: the table is in order of happening.
    loans[account, asset] = _column(table, "loan")
    return Books(amounts, loans, changes)


def _movements(run: RunData) -> list[tuple[_Ints, _Ints, _Ints]]:
    """(accounts, assets, signed amounts) of everything that moves money."""
    posted = run.table(LedgerPosted)
    asset, amount = _column(posted, "asset"), _column(posted, "amount")
    found = [
        (_column(posted, "from_account"), asset, -amount),
        (_column(posted, "to_account"), asset, amount),
    ]
    trades = run.table(Traded)
    facts = _instrument_facts(run, _column(trades, "instrument"))
    base, quote, fees = facts["base_asset"], facts["quote_asset"], facts["fee_account"]
    settled = np.where(facts["kind"] == InstrumentKind.INVERSE_PERPETUAL, base, quote)
    maker, taker = _column(trades, "maker_account"), _column(trades, "taker_account")
    for account, fee in ((maker, "maker_fee"), (taker, "taker_fee")):
        found.append((account, settled, -_column(trades, fee)))
        found.append((fees, settled, _column(trades, fee)))
    spot = facts["kind"] == InstrumentKind.SPOT
    buys = _column(trades, "aggressor") == Side.BUY
    buyer, seller = np.where(buys, taker, maker)[spot], np.where(buys, maker, taker)[spot]
    base_amount = _column(trades, "base_amount")[spot]
    quote_amount = _column(trades, "quote_amount")[spot]
    found += [
        (buyer, base[spot], base_amount),
        (seller, base[spot], -base_amount),
        (buyer, quote[spot], -quote_amount),
        (seller, quote[spot], quote_amount),
    ]
    clearing = facts["clearing_account"][~spot]
    for account, pnl in ((maker, "maker_pnl"), (taker, "taker_pnl")):
        gain = _column(trades, pnl)[~spot]
        found.append((account[~spot], settled[~spot], gain))
        found.append((clearing, settled[~spot], -gain))
    return found


def _instrument_facts(run: RunData, instruments: _Ints) -> dict[str, _Ints]:
    """Columns of the instrument table, one value per trade."""
    rows: list[dict[str, Any]] = run.instruments
    if len(instruments) and not 0 <= instruments.min() <= instruments.max() < len(rows):
        raise RunCorrupt(f"{run.path}: a trade names an instrument that does not exist")
    names = ("kind", "base_asset", "quote_asset", "clearing_account", "fee_account")
    return {name: np.array([row[name] for row in rows], np.int64)[instruments] for name in names}


def _add(run: RunData, target: _Ints, account: _Ints, asset: _Ints, amount: _Ints) -> None:
    accounts, assets = target.shape
    if not len(account):
        return
    if not (0 <= account.min() <= account.max() < accounts):
        raise RunCorrupt(f"{run.path}: an event names an account that does not exist")
    if not (0 <= asset.min() <= asset.max() < assets):
        raise RunCorrupt(f"{run.path}: an event names an asset that does not exist")
    np.add.at(target, (account, asset), amount)


def _recorded(run: RunData, shape: tuple[int, ...]) -> Books:
    table = run.balances
    account, asset = _column(table, "ledger_account"), _column(table, "asset")
    amounts, loans = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    _add(run, amounts, account, asset, _column(table, "amount"))
    _add(run, loans, account, asset, _column(table, "loan"))
    return Books(amounts, loans, loans)


def _column(table: pa.Table, name: str) -> _Ints:
    values: _Ints = table.column(name).to_numpy().astype(np.int64)
    return values
