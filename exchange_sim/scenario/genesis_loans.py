"""Loans that exist at the first instant: funds of lenders, pledges of participants, borrowers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange_sim.messages import commands as c
from exchange_sim.messages import credit_commands as cc
from exchange_sim.messages.reasons import RejectReason
from exchange_sim.model.account import AccountMode
from exchange_sim.participants.borrowers import Answer, BorrowerCrowd, draw_borrowers
from exchange_sim.rng import Streams
from exchange_sim.scenario.lending import PledgeDef
from exchange_sim.scenario.participants import ParticipantDef, PopulationDef, instance_names
from exchange_sim.scenario.tree import nearest
from exchange_sim.sim.lenders import Reaction, target_ppm
from exchange_sim.strategy.load import build_table
from exchange_sim.units import NANOS_PER_S

if TYPE_CHECKING:
    from exchange_sim.scenario.genesis import Genesis

COMMANDS: Final = {Answer.TOP_UP: 61, Answer.REPAY: 62, Answer.SELL: 63, Answer.IGNORE: 0}


def fund_lenders(g: Genesis) -> None:
    """Bring in what the products can lend."""
    if not g.world.config.loans:
        return
    for k, item in enumerate(g.scenario.loans.values()):
        amount = g.names.amount(g.scenario.venues[item.venue].numeraire, item.fund)
        if amount:
            g.send(cc.FundLender, k, amount)


def pledge(g: Genesis, item: ParticipantDef, name: str) -> None:
    """A participant's own loans: the coins come in, what was borrowed has been spent."""
    for index, given in enumerate(item.pledges):
        product = g.scenario.loans[given.product]
        account = g.accounts.of[name, product.venue]
        asset = g.names.assets[given.asset]
        units = g.names.amount(given.asset, given.qty)
        g.send(c.Deposit, account, asset, units)
        if not g.world.config.loans:
            continue
        numeraire = product_numeraire(g, given)
        principal = g.names.amount(numeraire, given.principal)
        id = list(g.scenario.loans).index(given.product)
        events = g.send(cc.PlaceLoan, account, id, asset, units, principal)
        if events[0][0] == 15:
            where = f"participants.{item.name}.pledges.{index}"
            message = f"the lender refuses this loan: {RejectReason(events[0][3]).name}"
            hint = "a smaller principal, more collateral, or a larger fund"
            g.problems.append(g.scenario.problem(where, message, hint))
            continue
        g.send(c.Withdraw, account, g.names.assets[numeraire], principal)


def product_numeraire(g: Genesis, given: PledgeDef) -> str:
    """What the product of a pledge lends."""
    return g.scenario.venues[g.scenario.loans[given.product].venue].numeraire


def borrowers(g: Genesis, item: PopulationDef, streams: Streams) -> None:
    """Draw a population of borrowers and place their loans; nothing when loans are off."""
    crowd = build_table(BorrowerCrowd, dict(item.params), item.name)
    _check(g, crowd)
    product = g.scenario.loans[crowd.product]
    numeraire = g.scenario.venues[product.venue].numeraire
    scale = 10 ** g.names.decimals[numeraire]
    id = list(g.scenario.loans).index(crowd.product)
    owner = g.accounts.owner(item.name)
    for spec in draw_borrowers(crowd, streams.stream(f"population/{item.name}")):
        account = g.open(product.venue, owner, AccountMode.CASH)
        asset = g.names.assets[spec.asset]
        units = max(1, int(spec.collateral_usd / g.unit_usd(spec.asset)))
        owed = max(1, int(spec.principal_usd * scale))
        spare = int(units * crowd.reserve) if spec.answer == Answer.TOP_UP else 0
        g.send(c.Deposit, account, asset, units + spare)
        refused = g.send(cc.PlaceLoan, account, id, asset, units, owed)
        if refused[0][0] == 15:
            why = RejectReason(refused[0][3]).name
            raise ValueError(f"a loan at {owed / scale:.0f} {numeraire} is refused: {why}")
        cash = int(owed * crowd.reserve) if spec.answer == Answer.REPAY else 0
        if cash < owed:
            g.send(c.Withdraw, account, g.names.assets[numeraire], owed - cash)
        value = {
            Answer.TOP_UP: spare,
            Answer.REPAY: cash,
            Answer.SELL: target_ppm(crowd.target_ltv),
        }.get(spec.answer, 0)
        g.accounts.reactions[account] = Reaction(
            COMMANDS[spec.answer] if value else 0,
            value,
            int(crowd.reaction_mean_s * NANOS_PER_S),
            int(crowd.reaction_sd_s * NANOS_PER_S),
        )


def _check(g: Genesis, crowd: BorrowerCrowd) -> None:
    """Names that a population's parameters refer to."""
    if crowd.product not in g.scenario.loans:
        hint = nearest(crowd.product, g.scenario.loans)
        raise ValueError(f"there is no loan product {crowd.product!r}; {hint}")
    taken: dict[str, Any] = g.scenario.loans[crowd.product].collateral
    for choice in crowd.collateral:
        if choice.asset not in taken:
            hint = nearest(choice.asset, taken)
            raise ValueError(f"{crowd.product} takes no {choice.asset!r} as collateral; {hint}")


def open_positions(g: Genesis, item: ParticipantDef) -> None:
    """Positions against other participants, opened at the initial price."""
    for index, given in enumerate(item.positions):
        k = g.names.instruments[given.instrument]
        inst = g.world.instruments[k]
        venue = g.world.config.venues[inst.venue].name
        own = g.accounts.of.get((next(instance_names(item)), venue), -1)
        other = g.accounts.of.get((given.against, venue), -1)
        where = f"participants.{item.name}.positions.{index}"
        if inst.perpetual and given.qty % inst.lot_size == 0:
            long, short = (own, other) if given.qty > 0 else (other, own)
            lots = int(abs(given.qty) / inst.lot_size)
            events = g.send(c.OpenPosition, long, short, k, g.world.specs[k].initial_price, lots)
            if events[0][0] != 15:
                continue
        message = f"{given.instrument} against {given.against!r} cannot be opened"
        hint = "a perpetual, a multiple of its lot, two margin accounts on its venue"
        g.problems.append(g.scenario.problem(where, message, hint))


def fund_vaults(g: Genesis) -> None:
    """What backs the staked tokens that now exist."""
    for asset in g.scenario.wrappers:
        g.send(cc.FundVault, g.names.assets[asset])


def _instances(g: Genesis, who: str) -> tuple[str, ...]:
    """The accounts' names behind a participant's name; a name of one instance is its own."""
    for item in g.scenario.participants:
        if item.name == who:
            return tuple(instance_names(item))
    return (who,)


def appoint_issuers(g: Genesis) -> None:
    """The wallets of issuers and of those who may mint and redeem.

    A participant that is switched off is left out; the name of a participant with a ``count``
    stands for all its instances.
    """
    chain = g.world.config.chain
    if chain is None:
        return
    venue = g.world.config.venues[chain.venue].name
    for k, (name, item) in enumerate(g.scenario.issuers.items()):
        members = [one for who in item.members for one in _instances(g, who)]
        for role, who in (("wallet", item.wallet), *(("members", m) for m in members)):
            wallet = g.accounts.of.get((who, venue))
            present = any(who in instance_names(item) for item in g.scenario.participants)
            if wallet is None and not present:
                continue
            if wallet is None:
                where, message = f"issuers.{name}.{role}", f"{who!r} has no wallet on {venue!r}"
                hint = nearest(who, [n for n, v in g.accounts.of if v == venue])
                g.problems.append(g.scenario.problem(where, message, hint))
            elif role == "wallet":
                g.send(cc.AppointIssuer, wallet, k)
            else:
                g.send(cc.SetWhitelisted, wallet, k, 1)
