"""Who may see how far a community's business days have come."""

from app.permissions import declare, holds_office, is_auditor

declare({"day:read": (holds_office, is_auditor)})
