"""Runs in the formats of the tools that people have: pure functions of the event tables.

``tardis`` (CSV), ``lobster`` (message and order-book files), ``hftbacktest`` (npz), and any table
as Parquet, CSV or JSON lines (``tables``).
"""
