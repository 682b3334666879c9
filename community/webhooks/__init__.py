"""What the books record is told to other systems: signed, in order, until it is taken."""
