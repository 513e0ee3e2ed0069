"""An automated market maker on the chain: its account holds the coins, its shares have owners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from exchange_sim.defi import stableswap
from exchange_sim.defi.concentrated import Curve, Range
from exchange_sim.defi.curve import A_PRECISION, FEE_DENOMINATOR
from exchange_sim.defi.feeds import USD
from exchange_sim.defi.spec import AmmKind, AmmSpec
from exchange_sim.defi.uniswap_v3 import Q96, encode_ratio
from exchange_sim.units import PPM

if TYPE_CHECKING:
    from exchange_sim.ledger.ledger import Ledger
    from exchange_sim.world.config import AssetSpec

PRECISION: Final = 10**18


class Issue:
    """Shares that exist."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0


class Amm:
    """State of an AMM.  ``shares`` are those of the owners, ``ranges`` of a concentrated pool.

    ``rates[i]`` is what a unit of coin ``i`` counts for, in ppm.
    """

    def __init__(self, id: int, spec: AmmSpec, account: int, assets: Sequence[AssetSpec]) -> None:
        self.id = id
        self.spec = spec
        self.kind = spec.kind
        self.account = account
        self.coins = spec.assets
        self.index_of = {asset: k for k, asset in enumerate(spec.assets)}
        self.scales = [assets[asset].asset.scale for asset in spec.assets]
        self.fee = spec.fee_ppm * (FEE_DENOMINATOR // PPM)
        self.offpeg = spec.offpeg_ppm * (FEE_DENOMINATOR // PPM)
        self.amplification = spec.amplification * A_PRECISION
        self.issue = Issue()
        self.shares: dict[int, int] = {}
        self.curve = Curve(encode_ratio(spec.price_1e18, PRECISION), spec.fee_ppm)
        self.ranges: dict[tuple[int, int, int], Range] = {}
        self.rates = [
            (assets[asset].redemption_ppm or PPM) if spec.use_rates else PPM
            for asset in spec.assets
        ]

    @property
    def total(self) -> int:
        """Shares of all owners together."""
        return self.issue.total

    def balances(self, ledger: Ledger) -> list[int]:
        """What the AMM holds of its coins, in units."""
        row = ledger.posted[self.account]
        return [row[asset] for asset in self.coins]

    def scaled(self, amounts: Sequence[int]) -> list[int]:
        """Amounts in 18 decimals, at their rates, rounded down."""
        return [self.scale_up(k, amount) for k, amount in enumerate(amounts)]

    def scale_up(self, k: int, amount: int) -> int:
        """One amount in 18 decimals."""
        return amount * PRECISION * self.rates[k] // (self.scales[k] * PPM)

    def scale_down(self, k: int, amount: int) -> int:
        """An 18-decimal amount in units, rounded down."""
        return amount * self.scales[k] * PPM // (PRECISION * self.rates[k])

    def price(self, ledger: Ledger, asset: int, quote: int) -> int:
        """Marginal price of a whole ``asset`` in whole ``quote``, times 10**8; 0 when empty."""
        return self.marginal(self.balances(ledger), asset, quote)

    def marginal(self, held: list[int], asset: int, quote: int) -> int:
        """As ``price``, with other balances than the account's."""
        i, j = self.index_of[asset], self.index_of[quote]
        if self.kind == AmmKind.CONCENTRATED:
            square = self.curve.sqrt_price**2
            up, down = (square, Q96 * Q96) if i == 0 else (Q96 * Q96, square)
            return up * self.scales[i] * USD // (down * self.scales[j])
        if not held[i] or not held[j]:
            return 0
        if self.kind == AmmKind.CONSTANT_PRODUCT:
            return held[j] * self.scales[i] * USD // (held[i] * self.scales[j])
        scaled = self.scaled(held)
        if min(scaled) <= 0:
            return 0
        try:
            value = stableswap.spot_price(scaled, self.amplification, i, j, PRECISION)
        except ValueError:
            return 0
        return value * self.rates[i] * USD // (PRECISION * self.rates[j])

    def parts(self) -> Iterator[tuple[object, ...]]:
        """Every number of the state, for the digest."""
        c = self.curve
        yield "amm", self.id, self.total, sorted(self.shares.items())
        yield "curve", c.sqrt_price, c.tick, c.liquidity, c.growth0, c.growth1
        for tick, edge in c.ticks.items():
            yield "tick", tick, edge.gross, edge.net, edge.outside0, edge.outside1
        for key in sorted(self.ranges):
            held = self.ranges[key]
            yield "range", key, held.liquidity, held.inside0, held.inside1
