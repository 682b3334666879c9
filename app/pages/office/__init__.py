"""The office: books, charters, products, members and loans of a community in one's care."""
