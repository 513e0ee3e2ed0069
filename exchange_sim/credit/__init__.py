"""Centralised loans against collateral: loan-to-value ladder, calls, partial sales."""
