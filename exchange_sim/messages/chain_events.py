"""What happened on the chain.  Every movement of money is a ``LedgerPosted`` besides."""

from __future__ import annotations

from exchange_sim.ids import AccountId, AssetId
from exchange_sim.messages.reasons import ActionKind, PoolCause, PoolSide, RejectReason
from exchange_sim.messages.registry import Message, event
from exchange_sim.units import Amount, Nanos


@event(100)
class TransactionSubmitted(Message):
    """A transaction waits in the mempool; ``tx`` is the chain's number of it."""

    tx: int
    wallet: AccountId
    client_tx_id: int
    priority_fee_wei: int
    max_fee_wei: int
    gas_limit: int
    actions: int


@event(101)
class TransactionExecuted(Message):
    """All actions of a transaction took effect.

    ``fee`` is what its gas cost, in units of the gas asset; ``output`` what its last action gave to
    the wallet.
    """

    tx: int
    wallet: AccountId
    client_tx_id: int
    block: int
    gas_used: int
    fee: Amount
    output: Amount


@event(102)
class TransactionFailed(Message):
    """A transaction was included, failed at ``action`` (from 0; -1: its gas limit) and paid gas.

    Nothing else of it took effect.
    """

    tx: int
    wallet: AccountId
    client_tx_id: int
    block: int
    gas_used: int
    fee: Amount
    action: int
    reason: RejectReason


@event(103)
class TransactionDropped(Message):
    """A transaction left the mempool without being included; it paid nothing."""

    tx: int
    wallet: AccountId
    client_tx_id: int
    reason: RejectReason


@event(104)
class BlockProduced(Message):
    """A block is final.  ``gas_used`` counts ``other_gas``; ``waiting`` transactions were left."""

    block: int
    base_fee_wei: int
    gas_used: int
    other_gas: int
    executed: int
    failed: int
    waiting: int


@event(105)
class ActionApplied(Message):
    """Opening state: a wallet did one thing before the first block."""

    wallet: AccountId
    kind: ActionKind
    output: Amount


@event(106)
class OracleUpdated(Message):
    """A feed published ``price`` (10**-8 USD per whole asset), sampled at ``sampled_ns``."""

    oracle: int
    asset: AssetId
    price: int
    sampled_ns: Nanos


@event(110)
class PoolPositionChanged(Message):
    """A wallet's deposit or debt in a reserve is now ``shares``; ``amount`` is what it paid or got.

    Wallet -1 is the protocol's treasury.
    """

    pool: int
    asset: AssetId
    wallet: AccountId
    side: PoolSide
    shares: int
    change: int
    amount: Amount
    cause: PoolCause


@event(111)
class ReserveUpdated(Message):
    """State of a reserve after an operation; indices in 10**-18, rates per year."""

    pool: int
    asset: AssetId
    supply_index: int
    debt_index: int
    supply_shares: int
    treasury_shares: int
    debt_shares: int
    cash: Amount
    deficit: Amount
    borrow_rate_ppm: int
    supply_rate_ppm: int


@event(112)
class PoolLiquidation(Message):
    """A liquidator repaid ``repaid`` of a borrower's debt for ``seized`` of its collateral.

    ``protocol_fee`` is the part of ``seized`` that the protocol kept.  Health factors in ppm.
    """

    pool: int
    borrower: AccountId
    liquidator: AccountId
    debt_asset: AssetId
    collateral_asset: AssetId
    repaid: Amount
    seized: Amount
    protocol_fee: Amount
    health_before_ppm: int
    health_after_ppm: int


@event(113)
class DeficitRecorded(Message):
    """Debt of a borrower without collateral was written off against the reserve."""

    pool: int
    asset: AssetId
    borrower: AccountId
    amount: Amount
    deficit: Amount


@event(114)
class CategorySet(Message):
    """A wallet chose an e-mode category of a pool (0: none)."""

    pool: int
    wallet: AccountId
    category: int


@event(115)
class FlashLoaned(Message):
    """An amount was borrowed and paid back with ``premium`` inside of one transaction."""

    pool: int
    asset: AssetId
    wallet: AccountId
    amount: Amount
    premium: Amount


@event(116)
class MarketPositionChanged(Message):
    """A wallet's shares (or units of collateral) in an isolated market are now ``shares``."""

    market: int
    wallet: AccountId
    side: PoolSide
    shares: int
    change: int
    amount: Amount
    cause: PoolCause


@event(117)
class MarketUpdated(Message):
    """State of an isolated market after an operation, in units of its loan asset."""

    market: int
    supply_assets: Amount
    supply_shares: int
    borrow_assets: Amount
    borrow_shares: int
    borrow_rate_ppm: int


@event(118)
class MarketLiquidation(Message):
    """A position of an isolated market was liquidated; ``bad_debt`` fell on the lenders."""

    market: int
    borrower: AccountId
    liquidator: AccountId
    repaid: Amount
    seized: Amount
    bad_debt: Amount
    health_before_ppm: int


@event(120)
class Swapped(Message):
    """A wallet swapped in an AMM; ``fee`` is in units of the asset that it paid or got."""

    amm: int
    wallet: AccountId
    asset_in: AssetId
    amount_in: Amount
    asset_out: AssetId
    amount_out: Amount
    fee: Amount


@event(121)
class LiquidityChanged(Message):
    """A wallet's shares of an AMM are now ``shares`` of ``total``; the amounts are posted."""

    amm: int
    wallet: AccountId
    shares: int
    change: int
    total: int


@event(122)
class RangeChanged(Message):
    """A wallet's liquidity between two ticks of a concentrated AMM is now ``liquidity``.

    ``fees0`` and ``fees1`` were collected with it; the amounts are posted.
    """

    amm: int
    wallet: AccountId
    lower: int
    upper: int
    liquidity: int
    change: int
    amount0: Amount
    amount1: Amount
    fees0: Amount
    fees1: Amount


@event(130)
class PoolSampled(Message):
    """What a lending pool seems to hold, and what of it is not pledged twice; cents at its prices.

    ``capital`` is deposits less debts; ``looped`` is the collateral of everybody who owes, and
    ``leverage_ppm`` that over the equity of these (0 when nothing is left of it).
    """

    pool: int
    deposits_cents: int
    debts_cents: int
    capital_cents: int
    looped_cents: int
    borrowers: int
    leverage_ppm: int
