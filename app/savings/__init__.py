"""Savings over the web."""
