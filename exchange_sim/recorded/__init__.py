"""Recorded market data as rows of integers: Tardis, LOBSTER and Binance's public files."""
