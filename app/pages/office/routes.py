"""All pages of the office."""

from app.pages.office import (
    books,
    charters,
    complaints,
    days,
    desk,
    disputes,
    loans,
    people,
    portfolio,
    products,
    savings,
    start,
    themes,
)
from app.pages.office.room import pages

__all__ = [
    "books",
    "charters",
    "complaints",
    "days",
    "desk",
    "disputes",
    "loans",
    "pages",
    "people",
    "portfolio",
    "products",
    "savings",
    "start",
    "themes",
]

# The order of the navigation: first what waits, last what is seldom changed.
_ORDER = (
    "home",
    "community_day",
    "loans",
    "people",
    "calls",
    "complaints",
    "themes",
    "portfolio",
    "books",
    "days",
    "verification",
    "products",
    "charter",
)
pages.entries.sort(key=lambda entry: _ORDER.index(entry.endpoint.partition(".")[2]))
