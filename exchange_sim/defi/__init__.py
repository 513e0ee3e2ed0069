"""On-chain lending, pools, oracles, gas and liquidation bots as exact formulas."""
