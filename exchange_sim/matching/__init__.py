"""Matching: one price-time order book per instrument, trigger orders, filters and call auctions."""
