"""Versioned loan products, seasons, and the arithmetic of schedules."""
