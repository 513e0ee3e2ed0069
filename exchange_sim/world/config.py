"""What a world is made of: the frozen, integer-only description from which ``World`` starts.

The scenario builder makes one from TOML; tests make one by hand; the journal's header carries
enough to make the same one again.
"""

from __future__ import annotations

import attrs

from exchange_sim.credit.loans import LoanTerms
from exchange_sim.defi.spec import ChainSpec
from exchange_sim.matching.filters import Filters
from exchange_sim.model.instrument import Asset, Instrument
from exchange_sim.risk.brackets import BracketTable
from exchange_sim.risk.collateral import CollateralTable
from exchange_sim.risk.liabilities import LiabilityTable
from exchange_sim.risk.profile import CollateralPriceRule, Profile
from exchange_sim.risk.profiles import BINANCE
from exchange_sim.risk.unified import DEFAULT_BANDS
from exchange_sim.units import NANOS_PER_S


@attrs.frozen
class AssetSpec:
    """An asset and what is known about it everywhere.

    ``redemption_asset`` and ``redemption_ppm`` say what one unit is redeemed for (a staking wrapper
    into
    1.08 of its underlying, a synthetic dollar into one dollar); 0 when it is not redeemable.
    """

    asset: Asset
    redemption_asset: int = -1
    redemption_ppm: int = 0


@attrs.frozen
class FeeTier:
    """Fees in ppm of the quote value.  Rebates are not modelled: both are at least zero."""

    maker_ppm: int
    taker_ppm: int


@attrs.frozen
class InstrumentSpec:
    """An instrument with its rules.

    ``initial_price`` (ticks) stands in for the last trade until one happens.  ``brackets``,
    ``index_sources`` and ``mark_sources`` ((instrument id, weight) pairs of spot markets and of
    other venues' perpetuals) and ``default_leverage`` are for perpetuals.
    ``market_take_bound_ppm`` limits how far from the mark a market order may trade (0: no limit);
    ``liquidation_collar_ppm`` how far below mid or mark a liquidation order may;
    ``average_window_ns`` is the window of the average price that the filters use (0: last price);
    ``liquidation_slice`` is the quote value that the engine may send per tick (0: no limit),
    ``takeover_limit`` the quote value of taken-over positions beyond which they go to ADL.
    """

    instrument: Instrument
    initial_price: int
    filters: Filters
    brackets: BracketTable | None = None
    index_sources: tuple[tuple[int, int], ...] = ()
    mark_sources: tuple[tuple[int, int], ...] = ()
    default_leverage: int = 20
    market_take_bound_ppm: int = 0
    liquidation_collar_ppm: int = 20_000
    liquidation_slice: int = 0
    takeover_limit: int = 0
    protect_ppm: int = 0
    price_range_ppm: int = 0
    price_range_window_ns: int = 60 * NANOS_PER_S
    average_window_ns: int = 0


@attrs.frozen
class VenueSpec:
    """A venue and its risk rules.  ``collateral`` maps asset id to its haircut table.

    ``insurance`` is the opening balance of the insurance fund in numeraire units; ``margin_pool``
    the opening cash that can be lent, by asset.  ``transfer_max`` bounds one
    transfer to another venue, ``transfer_hourly`` what leaves in a clock hour (the hot wallet), by
    asset.  ``own_book_collateral`` False values redeemable
    assets at what they are redeemed for instead of their own book.  ``liquidation_fee_ppm`` is
    charged on liquidated notional and goes to the insurance fund; ``impact_margin`` (quote units)
    times the maximum leverage is the notional behind the impact prices of the premium index.
    ``profile`` holds the rules; ``sale_order`` are the assets that a liquidation sells first,
    ``collateral_prices`` the assets whose price has a rule of its own, ``max_loans`` what one
    account may borrow at most, ``liabilities`` the brackets of what a Pro account owes.  With
    ``trade_groups`` the accounts of one owner count as one in self-trade prevention,
    ``stp_transfer`` allows its mode TRANSFER.  One account may enter or change ``account_orders``
    orders in each ``account_orders_ns`` of the clock (0: any number).
    """

    id: int
    name: str
    numeraire: int
    fee_tiers: tuple[FeeTier, ...]
    collateral: dict[int, CollateralTable]
    margin_pool: dict[int, int] = attrs.field(factory=dict)
    interest_ppb_per_hour: dict[int, int] = attrs.field(factory=dict)
    insurance: int = 0
    bands: tuple[int, ...] = DEFAULT_BANDS
    loan_mmr_ppm: int = 50_000
    loan_imr_ppm: int = 100_000
    liquidation_fee_ppm: int = 12_500
    basis_samples: int = 30
    funding_interval_ns: int = 8 * 3_600 * NANOS_PER_S
    funding_cap_multiplier_ppm: int = 750_000
    own_book_collateral: bool = True
    collateral_sale: bool = True
    adl: bool = True
    transfer_fee: dict[int, int] = attrs.field(factory=dict)
    transfer_max: dict[int, int] = attrs.field(factory=dict)
    transfer_hourly: dict[int, int] = attrs.field(factory=dict)
    impact_margin: int = 200_000_000
    adl_rule: str = "production_queue"
    auto_exchange_floor: int = 0
    auto_exchange_haircut_ppm: int = 0
    profile: Profile = BINANCE
    sale_order: tuple[int, ...] = ()
    max_loans: dict[int, int] = attrs.field(factory=dict)
    trade_groups: bool = False
    stp_transfer: bool = False
    account_orders: int = 0
    account_orders_ns: int = 10 * NANOS_PER_S
    collateral_prices: dict[int, CollateralPriceRule] = attrs.field(factory=dict)
    liabilities: dict[int, LiabilityTable] = attrs.field(factory=dict)


@attrs.frozen
class LoanProductSpec:
    """A loan product: the venue where its collateral is sold, and its rules.

    ``terms`` is the loan-to-value ladder by collateral asset; ``sources`` are the venues whose
    collateral prices are used (their median), ``redemption_value`` values redeemable assets by what
    they are redeemed for instead.  ``interest_ppb_per_hour`` is charged on the principal,
    ``fee_ppm`` on the debt of a forced sale.  ``grace_ns`` is how long a call may stay open (0: for
    ever), ``lag_ns`` the time between the liquidation level and the first order, ``slice`` the
    quote value that may be sent to one book per slot (0: no limit).
    """

    id: int
    name: str
    venue: int
    terms: dict[int, LoanTerms]
    sources: tuple[int, ...]
    interest_ppb_per_hour: int = 0
    fee_ppm: int = 0
    grace_ns: int = 0
    lag_ns: int = 0
    slice: int = 0
    redemption_value: bool = False


@attrs.frozen
class WrapperSpec:
    """A token that stands for a staked asset (its ``redemption_asset``).

    It can be wrapped and unwrapped at ``venues``; redeeming takes ``delay_ns``.  Rewards raise the
    rate by ``reward_ppb_per_hour``.
    """

    asset: int
    venues: tuple[int, ...] = ()
    delay_ns: int = 0
    reward_ppb_per_hour: int = 0


@attrs.frozen
class IssuerSpec:
    """The issuer of a synthetic dollar on the chain, redeemed at par into ``backing``.

    ``mint_limit`` and ``redeem_limit`` bound a block, in units of the dollar (0: no limit);
    ``fee_ppm`` is kept of a redemption.
    """

    id: int
    name: str
    asset: int
    backing: int
    mint_limit: int = 0
    redeem_limit: int = 0
    fee_ppm: int = 0
    redeeming: bool = True


@attrs.frozen
class WorldConfig:
    """Everything that exists when a world starts.  Ids are positions in these tuples.

    ``chain`` names the venue whose accounts are wallets; None is a world without a chain.
    """

    start_ns: int
    assets: tuple[AssetSpec, ...]
    venues: tuple[VenueSpec, ...]
    instruments: tuple[InstrumentSpec, ...]
    chain: ChainSpec | None = None
    loans: tuple[LoanProductSpec, ...] = ()
    wrappers: tuple[WrapperSpec, ...] = ()
    issuers: tuple[IssuerSpec, ...] = ()
