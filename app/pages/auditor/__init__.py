"""What auditors look at; they change nothing."""
