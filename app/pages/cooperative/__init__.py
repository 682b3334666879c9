"""What a cooperative's officers do."""
