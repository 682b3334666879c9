"""Who may see what somebody could owe for others."""

from app.permissions import declare, holds_office, is_auditor, is_fellow, is_owner, is_related

declare(
    {
        "exposure:read": (is_owner, holds_office, is_auditor),
        # What a promise would add to one's own: nobody looks at another's before they sign.
        "exposure:preview": (is_fellow,),
        "vouch:preview": (is_owner,),
        "group:preview": (is_fellow,),
        "group:preview_amendment": (is_related,),
    }
)
