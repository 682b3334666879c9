"""Who may do what to a running loan."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "payoff:read": (is_owner, holds_office, is_auditor),
        "payoff:record": (holds_office,),
        "receipt:reverse": (holds_office,),
        "charge:write": (holds_office,),
        "plan:change": (holds_office,),
        "tranche:pay": (holds_office,),
    }
)
