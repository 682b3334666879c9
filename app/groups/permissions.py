"""Who may do what with joint-liability groups."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_leader,
    is_owner,
    is_related,
)

# Owner: the founder, while in the group. Related: everybody in it or invited. Fellows: everybody
# in it.
declare(
    {
        "group:read": (is_related, holds_office, is_auditor),
        "group:list_mine": (is_owner,),
        "group:change": (is_leader, is_owner),
        "group:invite": (is_fellow,),
        "group:answer_invitation": (is_related,),
        "group:vote": (is_fellow,),
        "group:fix_agreement": (is_leader,),
        "group:reopen": (is_leader,),
        "group:understand": (is_fellow,),
        "group:sign": (is_fellow,),
        "group:step_back": (is_fellow,),
        "group:activate": (is_leader, holds_office),
        "group:dissolve": (is_leader, is_owner, holds_office),
        # A group that binds is not its founder's to end.
        "group:end": (is_leader, holds_office),
    }
)
