"""A made-up life with known truths, to see what the platform finds of them (docs/simulation.md)."""
