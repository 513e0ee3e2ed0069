"""The world: one deterministic state machine that joins matching, ledger and risk."""

from exchange_sim.world.config import AssetSpec, FeeTier, InstrumentSpec, VenueSpec, WorldConfig
from exchange_sim.world.world import World

__all__ = ["AssetSpec", "FeeTier", "InstrumentSpec", "VenueSpec", "World", "WorldConfig"]
