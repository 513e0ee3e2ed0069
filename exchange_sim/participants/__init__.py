"""Populations and background flow: what trades besides the strategies under study.

Sizes are in D1, the calm resting bid notional within 1 % x beta of a book; a scenario chooses the
dollars of one D1 per book.  Everything here creates orders or initial holdings, never a price.
"""
