"""Synthetic dollar and wrapper tokens: loops, backing, backstop and redemption formulas."""
