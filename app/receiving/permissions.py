"""Who may do what with collection sheets, bank lines and receipts."""

from app.permissions import (
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_leader,
    is_owner,
    is_related,
)

declare(
    {
        # Everybody in the group may see the sheet: of the lines, their own.
        "collection:read": (is_fellow, is_leader, holds_office, is_auditor),
        "collection:review": (is_leader, holds_office, is_auditor),
        "collection:post": (is_leader, holds_office),
        "bank-line:read": (holds_office, is_auditor),
        "bank-line:import": (holds_office,),
        "bank-line:settle": (holds_office,),
        # Whoever may see the loan or the savings; and whoever paid, of the receipt alone.
        "receipt:read": (is_owner, is_related, is_fellow, holds_office, is_auditor),
    }
)
