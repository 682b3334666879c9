"""The table of wrong requests, one module a subject. `shape` says what a line of it is."""
