"""Who may see how sound the loans are."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        "portfolio:read": (holds_office, is_auditor),
        # The borrower sees the class of their own loan, and why; nobody else's.
        "class:read": (is_owner, holds_office, is_auditor),
    }
)
