"""Who may do what with repayments and calls."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_owner,
    is_related,
)

declare(
    {
        # The cash desk takes money; the borrower and whoever stands behind the loan see receipts.
        "repayment:record": (holds_office,),
        "repayment:read": (is_owner, is_related, holds_office, is_auditor),
        "cover:read": (is_owner, is_related, holds_office, is_auditor),
        "loan:cancel": (holds_office,),
        "call:read": (is_owner, is_related, holds_office, is_auditor),
        "call:pay": (holds_office,),
        "call:answer": (is_owner,),
        "call:resolve": (holds_office,),
    }
)
