"""What members say, and what became of it: ratings, complaints, themes, votes, messages."""
