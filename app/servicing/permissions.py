"""Who may do what to a running loan."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "payoff:read": (is_owner, holds_office, is_auditor),
        "payoff:record": (holds_office,),
        "repayment:reverse": (holds_office,),
        "loan:charge": (holds_office,),
        "loan:change": (holds_office,),
        "loan:pay-out": (holds_office,),
    }
)
