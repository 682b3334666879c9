"""Whole-village credit (整村授信): blind review of every household, and what it grants."""
