"""Members' savings, and the part of them locked as stake."""
