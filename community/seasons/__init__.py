"""The cooperative's year: what falls due when, and what a flood or a fallen price does to it."""
