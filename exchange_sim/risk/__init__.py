"""Risk rules as pure functions: brackets, collateral, margin, marks, funding, liquidation, ADL."""
