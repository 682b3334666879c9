"""Who may do what with repayments and calls."""

from app.permissions import (
    Facts,
    declare,
    holds_office,
    is_auditor,
    is_owner,
    is_related,
)
from community.members.principal import Principal


def resolves(principal: Principal, facts: Facts) -> bool:
    """The caller holds office here, and the call is not on them: nobody answers themselves."""
    return holds_office(principal, facts) and not is_owner(principal, facts)


declare(
    {
        # The cash desk takes money; the borrower and whoever stands behind the loan see receipts.
        "repayment:record": (holds_office,),
        "repayment:read": (is_owner, is_related, holds_office, is_auditor),
        "cover:read": (is_owner, is_related, holds_office, is_auditor),
        # Of those who leave, who come and who borrow, the service knows who takes which step.
        "cover:propose_change": (is_owner, is_related),
        "cover:leave": (is_related,),
        "cover_change:read": (is_related, holds_office, is_auditor),
        "cover_change:answer": (is_related,),
        # What it would put on them is told to nobody else before they agree.
        "cover_change:preview": (is_owner,),
        "loan:cancel": (holds_office,),
        "call:read": (is_owner, is_related, holds_office, is_auditor),
        "call:list": (holds_office, is_auditor),
        "call:pay": (holds_office,),
        "call:answer": (is_owner,),
        "call:resolve": (resolves,),
    }
)
