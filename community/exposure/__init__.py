"""What each member could owe for others, and what a promise would add before it is made."""
