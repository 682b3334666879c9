"""Who may do what with communities, charters and memberships."""

from app.permissions import (
    declare,
    holds_office,
    is_anybody,
    is_auditor,
    is_fellow,
    is_operator,
    is_owner,
)

declare(
    {
        # The list holds what each caller may read.
        "community:list": (is_anybody,),
        "community:templates": (is_anybody,),
        "community:read": (is_fellow, holds_office, is_auditor),
        "community:create": (is_operator,),
        "community:update": (is_operator,),
        "community:adopt_charter": (holds_office,),
        "community:register_member": (holds_office,),
        "community:list_members": (holds_office, is_auditor),
        "community:list_groups": (holds_office, is_auditor),
        "community:form_group": (is_fellow,),
        # Members among those they are connected with; officers among all.
        "community:suggest_groups": (is_fellow, holds_office),
        "community:suggest_among_all": (holds_office,),
        # Whoever was told a community's id may apply, for themselves.
        "membership:apply": (is_owner, holds_office),
        "membership:read": (is_owner, holds_office, is_auditor),
        "membership:decide": (holds_office,),
        "membership:leave": (is_owner, holds_office),
    }
)
