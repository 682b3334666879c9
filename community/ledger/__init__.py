"""The books: double entry, hash-chained, only growing."""
