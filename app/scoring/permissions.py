"""Who sees warnings: who looks after a community. Of their own loan, also its borrower.

A list of warnings names those who may not pay, so no member, leader or guarantor reads it: to them
it is not there. What a borrower is told of their own loan says nothing about anybody else.
"""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "warning:read": (holds_office, is_auditor),
        "warning:train": (holds_office,),
        "warning:activate": (holds_office,),
        # Owner: the borrower.
        "loan-warning:read": (is_owner, holds_office, is_auditor),
    }
)
