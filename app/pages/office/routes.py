"""All pages of the office."""

from app.pages.office import (
    books,
    charters,
    days,
    desk,
    loans,
    people,
    portfolio,
    products,
    savings,
    start,
)
from app.pages.office.room import pages

__all__ = [
    "books",
    "charters",
    "days",
    "desk",
    "loans",
    "pages",
    "people",
    "portfolio",
    "products",
    "savings",
    "start",
]

# The order of the navigation: first what waits, last what is seldom changed.
_ORDER = (
    "home",
    "community_day",
    "loans",
    "people",
    "portfolio",
    "books",
    "days",
    "verification",
    "products",
    "charter",
)
pages.entries.sort(key=lambda entry: _ORDER.index(entry.endpoint.partition(".")[2]))
