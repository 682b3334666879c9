"""Trust over the web."""
