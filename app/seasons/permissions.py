"""Who may see what falls due, and declare what befell a crop."""

from app.permissions import declare, holds_office, is_auditor, is_owner

declare(
    {
        # A whole community's dues, never a list of debtors: sums only.
        "season-calendar:read": (holds_office, is_auditor),
        # One's own, loan by loan.
        "own-calendar:read": (is_owner,),
        "declared-event:read": (holds_office, is_auditor),
        # The charter may leave it to the platform's operators; the service asks it.
        "declared-event:declare": (holds_office,),
        "declared-event:preview": (holds_office,),
        "declared-event:apply": (holds_office,),
        "declared-event:undo": (holds_office,),
    }
)
