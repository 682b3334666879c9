"""Who may see and change products and seasons."""

from app.permissions import declare, holds_office, is_auditor, is_fellow

declare(
    {
        # Whoever could borrow on it may read it.
        "product:read": (is_fellow, holds_office, is_auditor),
        "product:write": (holds_office,),
        "season:read": (is_fellow, holds_office, is_auditor),
        "season:write": (holds_office,),
    }
)
