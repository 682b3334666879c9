"""Whole-village credit over the web."""
