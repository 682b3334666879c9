"""Who may see and move what people stand for."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_owner,
    is_related,
)

declare(
    {
        # A promise is between two people; which of them takes which step, the service knows.
        "vouch:offer": (is_fellow,),
        "vouch:read": (is_related, holds_office, is_auditor),
        "vouch:answer": (is_related,),
        "vouch:change": (is_related,),
        "standing:read": (is_owner, holds_office, is_auditor),
        "stake:move": (is_owner, holds_office),
        "stake:read": (is_owner, holds_office, is_auditor),
        "assessment:grant": (holds_office,),
        "assessment:end": (holds_office,),
        "assessment:read": (is_owner, holds_office, is_auditor),
    }
)
