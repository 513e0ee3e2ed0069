"""Blocks, gas, priority and atomicity."""

from __future__ import annotations

import pytest

from exchange_sim.defi.gas import next_base_fee
from exchange_sim.messages.reasons import ActionKind as A
from exchange_sim.messages.reasons import RejectReason as R
from exchange_sim.model.account import CROSS
from exchange_sim.world.chain.actions import ACTIONS, BASE_GAS
from exchange_sim.world.chain.execution import ALL, PREVIOUS
from tests.world.chain_factory import CHAIN, GWEI, ChainDesk, chain_config
from tests.world.factory import ETH, USDT, Desk, make_config, of, reason

SEND_GAS = BASE_GAS + ACTIONS[A.SEND].gas


def sends(target: int, amount: int, asset: int = USDT) -> tuple[int, ...]:
    """An action that gives money away."""
    return A.SEND, asset, amount, target


def test_a_transaction_waits_for_its_block_and_pays_for_gas():
    """Nothing moves before the block; base fee burned, tip paid, to the unit."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=1_000), desk.wallet()
    desk.submit(here, sends(there, 400), tip=2 * GWEI)
    assert desk.posted(there) == 0

    events = desk.block()
    (receipt,) = of(events, 101)
    fee = -(-SEND_GAS * 102 * GWEI * 10**6 // 10**18)
    burned = SEND_GAS * 100 * GWEI * 10**6 // 10**18

    assert (desk.posted(here), desk.posted(there)) == (600, 400)
    assert receipt[5:8] == (SEND_GAS, fee, 400)
    assert desk.posted(here, ETH) == 10**9 - fee
    assert desk.posted(desk.chain.burned, ETH) == burned
    assert desk.posted(desk.chain.proposer, ETH) == fee - burned


def test_a_failed_transaction_still_pays_and_leaves_nothing_behind():
    """The first action is taken back when the second fails; gas is that of both."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=1_000), desk.wallet()
    desk.submit(here, sends(there, 400), sends(there, 601), sends(there, 1))

    (failure,) = of(desk.block(), 102)
    assert failure[5] == BASE_GAS + 2 * ACTIONS[A.SEND].gas
    assert failure[7:] == (1, R.INSUFFICIENT_BALANCE)
    assert (desk.posted(here), desk.posted(there)) == (1_000, 0)
    assert desk.posted(here, ETH) == 10**9 - failure[6] < 10**9


def test_amounts_can_be_all_or_the_previous_output():
    """A bundle refers to what its earlier actions gave."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=1_000), desk.wallet()
    desk.act(here, sends(there, 300), sends(there, PREVIOUS))
    assert desk.posted(there) == 600

    desk.act(here, sends(there, ALL))
    assert desk.posted(here) == 0
    assert desk.fails(here, sends(there, ALL)) == R.BAD_AMOUNT


def test_the_gas_asset_is_held_while_actions_run():
    """All of the gas asset that can be sent is what the fee does not need."""
    desk = ChainDesk()
    here, there = desk.wallet(gas=10**6), desk.wallet(gas=0)
    (receipt,) = of(desk.act(here, sends(there, ALL, ETH)), 101)
    assert desk.posted(here, ETH) == 0
    assert desk.posted(there, ETH) == 10**6 - receipt[6]


def test_best_fee_first_then_first_come_first_served():
    """Order in a block follows the tip that the base fee leaves, then arrival."""
    desk = ChainDesk()
    there = desk.wallet()
    offers = [(1, 10**4), (3, 10**4), (9, 102), (3, 10**4), (5, 99), (4, 10**4)]
    wallets = [desk.wallet(usdt=10) for _ in offers]
    for wallet, (tip, most) in zip(wallets, offers, strict=True):
        desk.submit(wallet, sends(there, 1), tip=tip * GWEI, most=most * GWEI)

    included = [event[2] for event in of(desk.block(), 101)]
    assert included == [wallets[i] for i in (5, 1, 3, 2, 0)]
    assert len(desk.chain.mempool) == 1  # its maximum is below the base fee


def test_capacity_leaves_the_cheapest_for_later():
    """What does not fit waits; foreign traffic with a better tip goes first."""
    desk = ChainDesk(gas_limit=2 * SEND_GAS + 10)
    there, wallets = desk.wallet(), [desk.wallet(usdt=10) for _ in range(3)]
    for k, wallet in enumerate(wallets):
        desk.submit(wallet, sends(there, 1), tip=(k + 1) * GWEI)

    first = desk.block(others=SEND_GAS, tip=2 * GWEI + 1)
    assert [event[2] for event in of(first, 101)] == [wallets[2]]
    (block,) = of(first, 104)
    assert block[3:] == (2 * SEND_GAS, SEND_GAS, 1, 0, 2)
    assert [event[2] for event in of(desk.block(), 101)] == [wallets[1], wallets[0]]


def test_base_fee_moves_with_fullness():
    """Up an eighth after a full block, down an eighth after an empty one, as EIP-1559 says."""
    desk = ChainDesk(gas_limit=10**6)
    fees = []
    for others in (10**6, 0, 500_000, 750_000):
        (block,) = of(desk.block(others=others), 104)
        fees.append(block[2])
        assert desk.chain.base_fee == next_base_fee(block[2], others, 10**6)
    assert fees[:3] == [100 * GWEI, 112_500_000_000, 98_437_500_000]


def test_a_gas_limit_below_the_need_is_used_up():
    """Out of gas: everything that was allowed is paid, nothing is done."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=10), desk.wallet()
    desk.submit(here, sends(there, 1), gas=30_000)
    (failure,) = of(desk.block(), 102)
    assert (failure[5], failure[7], failure[8]) == (30_000, -1, R.OUT_OF_GAS)


def test_who_cannot_pay_any_more_is_dropped():
    """Two transactions of one wallet, gas for one."""
    desk = ChainDesk()
    here, there = desk.wallet(gas=7_000), desk.wallet()
    for _ in range(2):
        desk.submit(here, sends(there, ALL, ETH), most=103 * GWEI)
    events = desk.block()
    assert len(of(events, 101)) == 1
    assert [event[4] for event in of(events, 103)] == [R.CANNOT_PAY_GAS]


def test_replacing_and_canceling():
    """A replacement must pay a tenth more; a canceled transaction never runs."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=10), desk.wallet()
    desk.submit(here, sends(there, 1), tip=10 * GWEI, most=200 * GWEI)
    name = desk.last_tx

    assert reason(desk.do(101, here, name, 10 * GWEI, 220 * GWEI, 0)) == R.REPLACEMENT_UNDERPRICED
    events = desk.do(101, here, name, 11 * GWEI, 220 * GWEI, 0)
    assert [event[0] for event in events] == [103, 100]
    assert of(events, 103)[0][4] == R.REPLACED

    (dropped,) = desk.do(102, here, name)
    assert dropped[4] == R.CANCELED_BY_OWNER
    assert of(desk.block(), 101) == []
    assert reason(desk.do(102, here, name)) == R.UNKNOWN_TRANSACTION


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((2 * GWEI, GWEI, 0), R.BAD_ACTION),
        ((-1, GWEI, 0), R.BAD_ACTION),
        ((1, 2**60, 0), R.BAD_ACTION),
        ((1, GWEI, -5), R.BAD_ACTION),
        ((1, GWEI, 2**40), R.GAS_LIMIT_TOO_HIGH),
        ((1, 10**6 * GWEI, 0), R.CANNOT_PAY_GAS),
    ],
)
def test_bad_offers_are_refused(fields, why):
    """Fees and limits are checked on arrival."""
    desk = ChainDesk()
    here = desk.wallet(gas=10**4)
    draft = desk.stage(here, sends(here, 1))
    assert reason(desk.do(101, here, draft, *fields)) == why


def test_only_wallets_use_the_chain():
    """Accounts elsewhere, system accounts, unknown actions, empty drafts."""
    desk = ChainDesk()
    wallet, account = desk.wallet(), desk.account(usdt=10)
    for number in (account, desk.chain.burned, -1, 10**6):
        assert reason(desk.do(100, number, 1, A.SEND, 0, 1, wallet, 0, 0, 0)) == R.NOT_A_WALLET
    assert reason(desk.do(100, wallet, 1, 99, 0, 0, 0, 0, 0, 0)) == R.UNKNOWN_ACTION
    assert reason(desk.do(101, wallet, 1, 1, 1, 0)) == R.NO_ACTIONS
    assert reason(desk.do(20, CHAIN, 1, CROSS, 0)) == R.MALFORMED
    assert desk.fails(wallet, sends(account, 1, ETH)) == R.NOT_A_WALLET
    assert desk.fails(wallet, (A.SEND, 77, 1, account)) == R.BAD_ACTION

    plain = Desk(make_config())
    assert reason(plain.do(101, 3, 1, 1, 1, 0)) == R.NO_CHAIN
    assert reason(plain.do(103, 0, 0)) == R.NO_CHAIN


def test_drafts_are_bounded():
    """Sixty-four actions to a transaction, a hundred drafts to a wallet."""
    desk = ChainDesk()
    wallet = desk.wallet()
    action = (A.SEND, 0, 1, wallet, 0, 0, 0)
    desk.stage(wallet, *[action] * 64)
    assert reason(desk.do(100, wallet, desk.last_tx, *action)) == R.TOO_MANY_ACTIONS
    for _ in range(99):
        desk.stage(wallet, action)
    assert reason(desk.do(100, wallet, 10**6, *action)) == R.MEMPOOL_FULL


def test_transfers_reach_wallets_and_leave_them_only_on_chain():
    """A venue sends to a wallet as to any account."""
    desk = ChainDesk()
    account, wallet = desk.account(usdt=100), desk.wallet(usdt=5)
    desk.do(26, account, wallet, USDT, 50)
    desk.do(27, 1)
    assert desk.posted(wallet) == 55
    assert reason(desk.do(26, wallet, account, USDT, 5)) == R.NEEDS_TRANSACTION


def test_the_opening_state_costs_no_gas():
    """Actions at the first instant only."""
    desk = ChainDesk()
    here, there = desk.wallet(usdt=10), desk.wallet()
    events = desk.do(105, here, *sends(there, 4), 0, 0, 0)
    assert of(events, 105) == [(105, here, A.SEND, 4)]
    assert (desk.posted(there), desk.posted(here, ETH)) == (4, 10**9)
    assert reason(desk.do(105, here, *sends(there, 99), 0, 0, 0)) == R.INSUFFICIENT_BALANCE
    desk.block()
    assert reason(desk.do(105, here, *sends(there, 1), 0, 0, 0)) == R.NOT_AT_START


def test_the_digest_sees_mempool_and_drafts():
    """Two worlds that differ only in what waits have different digests."""
    one, two = ChainDesk(chain_config()), ChainDesk(chain_config())
    for desk, tip in ((one, 1), (two, 2)):
        here, there = desk.wallet(usdt=10), desk.wallet()
        desk.submit(here, sends(there, 1), tip=tip)
    assert one.w.state_digest() != two.w.state_digest()
    one.do(101, here, one.last_tx, 2, 10**15, 0)
    before = one.w.state_digest()
    one.stage(here, sends(there, 1))
    assert one.w.seq == two.w.seq + 2
    assert one.w.state_digest() != before
