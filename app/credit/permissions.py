"""Who may see limits and decide on loans."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_operator,
    is_owner,
)

declare(
    {
        "limit:read": (is_owner, holds_office, is_auditor),
        # "What if" about anybody, not only about those with whom the member has to do.
        "limit:suppose": (holds_office, is_auditor),
        # Not on loans of their own household: the service sees to that.
        "loan:approve": (holds_office,),
        "group-loan:approve": (holds_office,),
        # The lender's money.
        "pool:fund": (is_operator,),
        # Whoever may know the community is told that this is not theirs to do.
        "pool:read": (is_fellow, holds_office, is_auditor),
    }
)
