"""Who may see and take along a member's file, and who may erase it."""

from app.members.permissions import answers_for
from app.permissions import declare, holds_office, is_auditor, is_operator, is_owner

declare(
    {
        # Auditors check that it is kept; nobody else learns who looked at whom.
        "access-log:read": (is_owner, is_auditor),
        # Whoever needs a member's file gets it from them.
        "own-data:export": (is_owner,),
        # Nobody consents for another, in whatever office.
        "consent:give": (is_owner,),
        "consent:withdraw": (is_owner,),
        "consent:read": (is_owner, holds_office, is_auditor),
        # The wish is the member's own; the office weighs it.
        "erasure:ask": (is_owner,),
        "erasure:withdraw": (is_owner,),
        "erasure:read": (is_owner, is_operator, answers_for),
        "erasure:list": (is_operator,),
        "retention:read": (is_operator, is_auditor),
        # As for acting in their place: an officer of every community of theirs.
        "member:erase": (is_operator, answers_for),
    }
)
