"""The platform itself: who is told by webhooks, who asked to be erased, what has run out."""
