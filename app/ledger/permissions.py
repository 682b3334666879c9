"""Who may read the books, and a member's statement."""

from app.permissions import declare, holds_office, is_auditor, is_operator, is_owner

declare(
    {
        "ledger:read": (holds_office, is_auditor),
        # Who acted, and what the risk desk found: for who operates the platform and who audits it.
        "event:read": (is_operator, is_auditor),
        "statement:read": (is_owner, holds_office, is_auditor),
    }
)
