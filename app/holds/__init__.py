"""Holds on members' savings, over the web."""
