"""Who may see campaigns of whole-village credit, review, object and decide."""

from app.permissions import declare, holds_office, is_auditor, is_fellow, is_owner

# Fellows: everybody in the community. Owner: the reviewer of an assignment, whoever lives in a
# household, whoever raised an objection.
declare(
    {
        "campaign:read": (is_fellow, holds_office, is_auditor),
        # Everything of it, not only one's own and what the charter shows the village.
        "campaign:read_all": (holds_office, is_auditor),
        "campaign:open": (holds_office,),
        "campaign:run": (holds_office,),
        "campaign:object": (is_fellow,),
        "campaign-assignment:answer": (is_owner,),
        "campaign-finding:read": (holds_office, is_auditor),
        "campaign-finding:decide": (holds_office,),
        "campaign-household:list": (holds_office, is_auditor),
        "campaign-household:read": (is_owner, holds_office, is_auditor),
        "campaign-household:read_answers": (holds_office, is_auditor),
        "campaign-household:read_own": (is_owner,),
        "campaign-household:visit": (holds_office,),
        "campaign-household:revoke": (holds_office,),
        "campaign-objection:read": (is_owner, holds_office, is_auditor),
        "campaign-objection:answer": (holds_office,),
    }
)
