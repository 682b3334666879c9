"""Communities, charters and memberships over the web."""
