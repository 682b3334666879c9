"""All pages of the platform."""

from app.pages.platform import erasures, hooks
from app.pages.platform.room import pages

__all__ = ["erasures", "hooks", "pages"]

_ORDER = ("webhooks", "erasures", "retention")
pages.entries.sort(key=lambda entry: _ORDER.index(entry.word))
