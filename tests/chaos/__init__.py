"""Many writers on one town at once, on real servers, some of which are killed meanwhile.

`town` founds a town in which everything can be in everybody's way, `load` sends seeded requests
of all kinds over HTTP, `books` says what has to be true afterwards, `faults` kills and stops.
"""
