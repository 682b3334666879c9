"""Loan products and crop seasons over HTTP."""
