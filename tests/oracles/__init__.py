"""Expected figures from outside, checked case by case: ``python -m tests.oracles FILE``."""
