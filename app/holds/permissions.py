"""Who may set a member's money aside."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "hold:place": (holds_office,),
        # Pay it out over the cash desk, or let it go.
        "hold:post": (holds_office,),
        "hold:void": (holds_office,),
        "hold:read": (is_owner, holds_office, is_auditor),
        "hold:list": (holds_office, is_auditor),
    }
)
