"""Who may open a profile or a voucher's record. How much of a profile: `profiles.relations`."""

from app.permissions import declare, holds_office, is_auditor, is_leader, is_owner, is_related

declare(
    {
        # Related: accepted promises stand between the two. To anybody else it is not there.
        "profile:read": (is_owner, is_related, is_leader, holds_office, is_auditor),
        "voucher-record:read": (is_owner, holds_office, is_auditor),
        # A list of people and how those behind them pay is for offices alone.
        "voucher-records:list": (holds_office, is_auditor),
    }
)
