"""Who may read the books, and a member's statement."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "ledger:read": (holds_office, is_auditor),
        "statement:read": (is_owner, holds_office, is_auditor),
    }
)
