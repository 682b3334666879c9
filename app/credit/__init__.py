"""Credit limits and approval over the web."""
