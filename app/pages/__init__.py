"""Pages for people: what this is, and what a member may borrow and why."""
