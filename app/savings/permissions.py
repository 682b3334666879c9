"""Who may do what with savings."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        # Money goes over the cash desk: an officer counts it and books it.
        "savings:deposit": (holds_office,),
        "savings:withdraw": (holds_office,),
        "savings:read": (is_owner, holds_office, is_auditor),
    }
)
