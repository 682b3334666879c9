"""The desk's pages; in this order they stand in the navigation."""

from app.pages.riskdesk import (  # isort: skip
    map_routes as _map,  # noqa: F401
    case_routes as _cases,  # noqa: F401
    warning_routes as _warnings,  # noqa: F401
    stress_routes as _stress,  # noqa: F401
)
from app.pages.riskdesk.desk_room import pages

__all__ = ["pages"]
