"""Reference strategies: market makers, withdrawal policies, arbitrage; plug-ins like any other."""
