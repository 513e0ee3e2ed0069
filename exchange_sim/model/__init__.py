"""Values that describe the market: assets, instruments, orders, positions, tiers."""
