"""Loops are compiled when the first example of a property calls them: that one may take longer."""

from hypothesis import settings

settings.register_profile("graph", deadline=None)
settings.load_profile("graph")
