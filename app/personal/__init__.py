"""A member's own file: who read it, what it holds, how it ends; keys and retention."""
