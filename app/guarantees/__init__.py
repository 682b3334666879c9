"""Repayments, calls and claims on the web."""
