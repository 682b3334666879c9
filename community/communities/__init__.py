"""Communities of the three kinds, their dated charters and memberships."""
