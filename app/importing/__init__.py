"""Bulk import from files."""
