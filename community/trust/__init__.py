"""Vouches, standings, and the trust graph read from their rows."""
