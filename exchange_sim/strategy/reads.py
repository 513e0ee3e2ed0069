"""What a strategy can read: time, markets, and its own delayed view of them and of itself."""

from __future__ import annotations

from collections.abc import Sequence

from exchange_sim.errors import UsageError
from exchange_sim.marketdata.market import Market
from exchange_sim.marketdata.views import BookView, MarkPrice, Trade
from exchange_sim.model.enums import PositionSide
from exchange_sim.rng import Stream
from exchange_sim.strategy.callbacks import Callbacks
from exchange_sim.strategy.context import Context, SymbolLike
from exchange_sim.strategy.edge import member
from exchange_sim.strategy.views import Margin, OrderHandle, Position


class Reads(Callbacks):
    """The reading half of ``Strategy``."""

    def __init__(self) -> None:
        self._context: Context | None = None

    @property
    def _ctx(self) -> Context:
        if self._context is None:
            raise UsageError(
                f"{type(self).__name__} is not attached yet; start in on_start, not __init__"
            )
        return self._context

    @property
    def now_ns(self) -> int:
        """Simulated time in nanoseconds since the epoch."""
        return self._ctx.now_ns

    @property
    def name(self) -> str:
        """Name of this instance in the scenario."""
        return self._ctx.name

    @property
    def rng(self) -> Stream:
        """This instance's own random stream; depends on the seed and the name only."""
        return self._ctx.rng

    def market(self, symbol: SymbolLike) -> Market:
        """The market called ``"venue:NAME"``; ``UsageError`` names the nearest if absent."""
        return self._ctx.market(symbol)

    def markets(self, venue: str | None = None) -> Sequence[Market]:
        """All markets of the run, or of one venue, in id order."""
        return self._ctx.markets(venue)

    def venues(self) -> Sequence[str]:
        """Names of the venues on which this strategy has an account."""
        return self._ctx.venues()

    def account_names(self, venue: str) -> Sequence[str]:
        """Names of this strategy's accounts on a venue; the first is the default."""
        return self._ctx.account_names(venue)

    def book(self, symbol: SymbolLike) -> BookView:
        """The newest order book that the link has delivered; an empty view before the first."""
        return self._ctx.book(symbol)

    def last_trades(self, symbol: SymbolLike, n: int = 100) -> list[Trade]:
        """Up to ``n`` latest public trades, oldest first, as far as delivered."""
        return self._ctx.last_trades(symbol, n)

    def mark(self, symbol: SymbolLike) -> MarkPrice | None:
        """Latest mark and index price of a perpetual, ``None`` before the first publication."""
        return self._ctx.mark(symbol)

    def mark_price(self, symbol: SymbolLike) -> float | None:
        """Latest mark price of a perpetual."""
        mark = self._ctx.mark(symbol)
        return mark.mark if mark else None

    def index_price(self, symbol: SymbolLike) -> float | None:
        """Latest index price of a perpetual."""
        mark = self._ctx.mark(symbol)
        return mark.index if mark else None

    def open_orders(
        self, symbol: SymbolLike | None = None, account: str | None = None
    ) -> list[OrderHandle]:
        """Own orders not known to have ended (pending ones included), oldest first."""
        return self._ctx.open_orders(symbol, account)

    def balance(self, asset: str, venue: str | None = None, account: str | None = None) -> float:
        """Own balance of an asset, reserved parts included; a lone venue may be left out."""
        return self._ctx.balance(asset, venue, account)

    def loan(self, asset: str, venue: str | None = None, account: str | None = None) -> float:
        """What the account owes of an asset, charged interest included."""
        return self._ctx.loan(asset, venue, account)

    def balances(self, venue: str | None = None, account: str | None = None) -> dict[str, float]:
        """Own balances that are not zero, by asset."""
        return self._ctx.balances(venue, account)

    def loans(self, venue: str | None = None, account: str | None = None) -> dict[str, float]:
        """What the account owes, by asset."""
        return self._ctx.loans(venue, account)

    def positions(self, venue: str | None = None, account: str | None = None) -> list[Position]:
        """Own open positions in perpetuals, in the order of the markets."""
        return self._ctx.positions(venue, account)

    def liquidation_price(
        self,
        symbol: SymbolLike,
        account: str | None = None,
        side: PositionSide | int | str = PositionSide.BOTH,
    ) -> float | None:
        """Mark price at which this position alone would bring its margin to the liquidation line.

        Computed from ``margin()`` and the delayed mark with everything else standing still::

            equity + q (x - mark) = line * (maintenance + rate |q| (x - mark))

        ``rate`` is that of the position's bracket.  An isolated position has the equity of its own
        wallet, and the line at its maintenance margin.  ``None`` without a position, a mark or a
        known margin, for contracts that are settled in a coin, and where no positive price does it.
        """
        market = self.market(symbol)
        position = self.position(market, account, side)
        mark, qty = position.mark_price, position.qty
        if market.is_inverse or not (market.is_perpetual and position.qty_lots and mark):
            return None
        notional, line = abs(qty) * mark, market.liquidation_line
        if position.isolated_margin is None:
            margin = self.margin(market.venue, account)
            if not margin.maintenance:
                return None
            spare = (margin.uni_mmr - line) * margin.maintenance
        else:
            line = 1.0
            spare = position.isolated_margin + position.unrealized_pnl
            spare -= market.maintenance(notional)
        slope = qty - line * market.maintenance_rate(notional) * abs(qty)
        price = mark - spare / slope if slope else 0.0
        return price if price > 0.0 else None

    def position(
        self,
        symbol: SymbolLike,
        account: str | None = None,
        side: PositionSide | int | str = PositionSide.BOTH,
    ) -> Position:
        """Own holding in a market; in hedge mode one leg of it (``side="LONG"``), or their sum."""
        return self._ctx.position(symbol, account, member(PositionSide, side))

    def position_lots(self, symbol: SymbolLike, account: str | None = None) -> int:
        """Signed lots of a perpetual, or the spot balance of the base asset in lots."""
        return self._ctx.position_lots(symbol, account)

    def margin(self, venue: str | None = None, account: str | None = None) -> Margin:
        """State of the account at the venue's latest mark update.

        Snapshots are taken for subscribers only: override ``on_margin`` or call
        ``subscribe_margin`` in ``on_start``; otherwise the first call subscribes and returns the
        state at the start of the run.
        """
        return self._ctx.margin(venue, account)
