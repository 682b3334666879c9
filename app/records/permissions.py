"""Who may consent, issue, see and take in credit records."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        # Nobody consents for another, in whatever office.
        "record-consent:give": (is_owner,),
        "record-consent:withdraw": (is_owner,),
        "record-consent:read": (is_owner, holds_office, is_auditor),
        "credit-record:issue": (is_owner, holds_office),
        # What a record says is the member's own: whoever needs it gets it from them.
        "credit-record:read": (is_owner,),
        "credit-record:revoke": (is_owner, holds_office),
        "record-import:take": (holds_office,),
        "record-import:read": (is_owner, holds_office, is_auditor),
    }
)
