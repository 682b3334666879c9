"""What the leader of a group does for it."""
