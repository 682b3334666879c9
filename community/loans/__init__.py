"""Loans from draft to closed, and repayments."""
