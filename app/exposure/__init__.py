"""What members could owe for others, and what a promise would add."""
