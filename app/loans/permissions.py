"""Who may see loans and take their steps."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_leader,
    is_owner,
    is_related,
)

declare(
    {
        "quote:read": (is_fellow, holds_office, is_auditor),
        # A member applies for themself; an officer may apply for a member.
        "loan:apply": (is_owner, holds_office),
        # The borrower, who stands behind the loan or gave their word for it, and, for a share of
        # a group loan, the group.
        "loan:read": (is_owner, is_related, is_fellow, holds_office, is_auditor),
        "loan:list": (holds_office, is_auditor),
        "loan:withdraw": (is_owner, holds_office),
        "loan:reject": (holds_office,),
        "loan:disburse": (holds_office,),
        # Any active member of the community to whom the borrower gave the loan's id.
        "endorsement:give": (is_fellow,),
        "group-loan:apply": (is_leader,),
        "group-loan:read": (is_owner, is_related, is_fellow, holds_office, is_auditor),
        "group-loan:withdraw": (is_leader, holds_office),
        "group-loan:reject": (holds_office,),
        "group-loan:disburse": (holds_office,),
    }
)
