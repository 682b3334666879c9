"""Who may read the books."""

from app.permissions import declare, holds_office, is_auditor

declare({"ledger:read": (holds_office, is_auditor)})
