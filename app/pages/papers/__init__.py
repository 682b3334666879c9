"""Statements and receipts, to be printed."""
