"""Loans over HTTP: quotes, applications, decisions, payment."""
