"""Made-up requests of every kind to every route of real servers: `python -m tests.fuzz`."""
