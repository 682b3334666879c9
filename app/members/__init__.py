"""Members over the web."""
