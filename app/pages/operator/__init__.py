"""What the platform's operators do."""
