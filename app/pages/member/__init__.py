"""What a member does with their own."""
