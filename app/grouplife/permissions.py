"""Who may do what with a group that binds. Facts are those of `app.groups.facts`."""

from app.permissions import declare, holds_office, is_fellow, is_leader, is_related

# Related: everybody in the group or asked to join it. Fellows: everybody in it.
declare(
    {
        "group:read_own": (is_related,),
        "group:own_bonds": (is_fellow,),
        # Who looks after the group is told everything that binds in it; members what is theirs.
        "group:see_all_bonds": (holds_office,),
        "group:call_election": (is_fellow,),
        "group:recall_leader": (is_fellow,),
        "group:propose": (is_fellow,),
        "group:sign_amendment": (is_related,),
        "group:refuse_amendment": (is_related,),
        "group:withdraw_proposal": (is_fellow,),
        "group:put_into_force": (is_leader, holds_office),
        "group:exit": (is_fellow,),
        "group:consent": (is_fellow,),
        "group:expel": (is_fellow, holds_office),
    }
)
