"""Signing in and out, enrolling, and one's own password."""
