"""Who may see credit lines and change them."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_leader,
    is_related,
)

# Fellows: everybody in the community or the group that holds the line. Related: whoever has a
# sub-limit on it.
declare(
    {
        "credit-line:list": (is_fellow, holds_office, is_auditor),
        "credit-line:read": (is_fellow, is_related, holds_office, is_auditor),
        # Everybody's sub-limits and draws, not only one's own.
        "credit-line:read_all": (is_leader, holds_office, is_auditor),
        "credit-line:contribute": (is_fellow, is_related, holds_office),
        "credit-line:open": (holds_office,),
        "credit-line:change": (holds_office,),
    }
)
