"""Issuers of synthetic dollars: mint and redeem at par on the chain, within limits.

The issuer is a participant.  Its wallet holds the liquid part of the backing; the rest is coins
and short perpetuals in its ordinary accounts on the venues, and deposits in lending pools.  The
world knows only what minting and redeeming need: who may, how much per block, and that a redemption
is paid from the wallet at par, or not at all.

    minted  = paid * 10**(dollar decimals - backing decimals)            rounded down
    paid    = burned * (1 - fee) * 10**(backing decimals - dollar decimals), rounded down

Source of the rules: https://docs.ethena.fi (whitelisted mint and redeem, limits per block).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange_sim.issuer.conversion import minted, redeemed, within_limit
from exchange_sim.messages.reasons import PostingKind, RejectReason
from exchange_sim.model.account import CASH
from exchange_sim.world.accounts import refuse
from exchange_sim.world.chain.execution import Action, Execution, Revert
from exchange_sim.world.vaults import PPB, supply

if TYPE_CHECKING:
    from exchange_sim.world.config import IssuerSpec
    from exchange_sim.world.world import World

Command = tuple[int, ...]
R = RejectReason


class Issuer:
    """State of one issuer.

    ``wallet`` -1: nobody is appointed yet.  ``mint`` is where the dollars come from and go to, and
    may be negative.  ``minted`` and ``redeemed`` count since the start, ``used_mint`` and
    ``used_redeem`` in block ``block``.
    """

    __slots__ = (
        "block", "mint", "minted", "minting", "redeemed", "redeeming", "spec", "used_mint",
        "used_redeem", "wallet", "whitelist",
    )  # fmt: skip

    def __init__(self, spec: IssuerSpec, mint: int) -> None:
        self.spec = spec
        self.mint = mint
        self.wallet = -1
        self.minting = True
        self.redeeming = spec.redeeming
        self.whitelist: dict[int, bool] = {}
        self.minted = self.redeemed = 0
        self.block = self.used_mint = self.used_redeem = 0

    def numbers(self) -> tuple[object, ...]:
        """Every number of its state, for the digest."""
        return (
            self.wallet, self.minting, self.redeeming, self.minted, self.redeemed, self.block,
            self.used_mint, self.used_redeem, tuple(sorted(self.whitelist)),
        )  # fmt: skip


def open_issuers(w: World) -> list[Issuer]:
    """The ledger account of every issuer.  ``ValueError`` when there is no chain to issue on."""
    if w.config.issuers and w.config.chain is None:
        raise ValueError("an issuer needs a chain")
    return [
        Issuer(spec, w.add_account(-1, -1, CASH, 0, overdraw=True)) for spec in w.config.issuers
    ]


# opening state and switches


def _wallet_and_issuer(w: World, c: Command) -> Issuer | None:
    wallet, chain = c[2], w.chain
    known = chain is not None and 0 <= wallet < len(w.accounts)
    if not known or chain is None or w.accounts[wallet].venue != chain.venue:
        refuse(w, c, R.NOT_A_WALLET)
        return None
    if not 0 <= c[3] < len(w.issuers):
        refuse(w, c, R.UNKNOWN_ISSUER)
        return None
    return w.issuers[c[3]]


def appoint(w: World, c: Command) -> None:
    """Name the wallet of an issuer; it may mint and redeem too."""
    issuer = _wallet_and_issuer(w, c)
    if issuer is not None:
        issuer.wallet = c[2]
        issuer.whitelist[c[2]] = True
        w.out.append((83, issuer.spec.id, c[2], 1))


def set_whitelisted(w: World, c: Command) -> None:
    """Add a wallet to those who may mint and redeem, or remove it."""
    issuer = _wallet_and_issuer(w, c)
    if issuer is None:
        return
    if c[4]:
        issuer.whitelist[c[2]] = True
    else:
        issuer.whitelist.pop(c[2], None)
    w.out.append((83, issuer.spec.id, c[2], int(bool(c[4]))))


def switch(w: World, c: Command) -> None:
    """Open or close minting and redemption."""
    if not 0 <= c[2] < len(w.issuers):
        return refuse(w, (c[0], c[1], -1), R.UNKNOWN_ISSUER)
    issuer = w.issuers[c[2]]
    issuer.minting, issuer.redeeming = bool(c[3]), bool(c[4])
    w.out.append((82, issuer.spec.id, int(issuer.minting), int(issuer.redeeming)))
    return None


# actions on the chain


def _issuer(x: Execution, id: int) -> Issuer:
    """The issuer of an action, with the counters of this block; reverts unless the wallet may."""
    if not 0 <= id < len(x.w.issuers) or x.w.issuers[id].wallet < 0:
        raise Revert(R.UNKNOWN_ISSUER)
    issuer = x.w.issuers[id]
    if x.wallet not in issuer.whitelist:
        raise Revert(R.NOT_WHITELISTED)
    x.touch(issuer)
    if issuer.block != x.chain.block:
        issuer.block, issuer.used_mint, issuer.used_redeem = x.chain.block, 0, 0
    return issuer


def _scales(x: Execution, issuer: Issuer) -> tuple[int, int]:
    """Units per dollar of the synthetic dollar and of its backing."""
    assets = x.w.config.assets
    return assets[issuer.spec.asset].asset.scale, assets[issuer.spec.backing].asset.scale


def mint(x: Execution, action: Action) -> None:
    """Pay backing, get dollars: ``(ISSUER_MINT, issuer, amount of backing)``."""
    issuer = _issuer(x, action[1])
    spec = issuer.spec
    if not issuer.minting:
        raise Revert(R.ISSUER_CLOSED)
    paid = x.amount(action[2], x.free(spec.backing))
    dollar, backing = _scales(x, issuer)
    units = minted(paid, dollar, backing)
    if not within_limit(issuer.used_mint, units, spec.mint_limit):
        raise Revert(R.MINT_LIMIT)
    if x.wallet == issuer.wallet:
        raise Revert(R.BAD_ACTION)
    issuer.used_mint += units
    issuer.minted += units
    x.post(spec.backing, x.wallet, issuer.wallet, paid, PostingKind.ISSUER_MINT)
    x.post(spec.asset, issuer.mint, x.wallet, units, PostingKind.ISSUER_MINT)
    x.emit(80, spec.id, x.wallet, paid, units, issuer.minted - issuer.redeemed)
    x.output = units


def redeem(x: Execution, action: Action) -> None:
    """Give dollars, get backing at par less the fee: ``(ISSUER_REDEEM, issuer, amount)``."""
    issuer = _issuer(x, action[1])
    spec = issuer.spec
    if not issuer.redeeming:
        raise Revert(R.ISSUER_CLOSED)
    units = x.amount(action[2], x.free(spec.asset))
    dollar, backing = _scales(x, issuer)
    paid = redeemed(units, dollar, backing, spec.fee_ppm)
    if not within_limit(issuer.used_redeem, units, spec.redeem_limit):
        raise Revert(R.REDEEM_LIMIT)
    if x.wallet == issuer.wallet:
        raise Revert(R.BAD_ACTION)
    if x.free(spec.backing, issuer.wallet) < paid:
        raise Revert(R.BUFFER_EMPTY)
    issuer.used_redeem += units
    issuer.redeemed += units
    x.post(spec.asset, x.wallet, issuer.mint, units, PostingKind.ISSUER_REDEEM)
    x.post(spec.backing, issuer.wallet, x.wallet, paid, PostingKind.ISSUER_REDEEM)
    x.emit(81, spec.id, x.wallet, units, paid, x.free(spec.backing, issuer.wallet))
    x.output = paid


def pass_on_yield(x: Execution, action: Action) -> None:
    """The issuer mints income to those who staked: ``(ISSUER_YIELD, issuer, wrapper, amount)``.

    ``amount`` is backing that the issuer's wallet keeps as cover; the dollars made against it go
    into the wrapper's vault and raise its rate.
    """
    _, id, asset, amount, *_ = action
    issuer, wrapper = _issuer(x, id), x.w.wrappers.get(asset)
    spec = issuer.spec
    if x.wallet != issuer.wallet:
        raise Revert(R.NOT_WHITELISTED)
    if wrapper is None or wrapper.underlying != spec.asset:
        raise Revert(R.NOT_WRAPPABLE)
    existing = supply(x.w, wrapper)
    dollar, backing = _scales(x, issuer)
    units = minted(x.amount(amount, x.free(spec.backing)), dollar, backing)
    if existing <= 0 or units <= 0 or x.free(spec.backing) < amount:
        raise Revert(R.BAD_AMOUNT)
    x.touch(wrapper)
    issuer.minted += units
    wrapper.taken += units
    wrapper.rate_ppb += units * PPB // existing
    x.post(spec.asset, issuer.mint, wrapper.vault, units, PostingKind.ISSUER_YIELD)
    x.emit(80, spec.id, x.wallet, 0, units, issuer.minted - issuer.redeemed)
    x.emit(78, asset, wrapper.rate_ppb, units)
    x.output = units
