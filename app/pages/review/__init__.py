"""A member's part in a village review: whom to review, one's own outcome, objections."""
