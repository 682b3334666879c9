"""Feedback over the web."""
