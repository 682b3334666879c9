"""Shared credit lines over the web."""
