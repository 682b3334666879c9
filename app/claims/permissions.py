"""Who may do what with claims: both sides of one, and the officers of the community."""

from app.permissions import (
    Facts,
    declare,
    holds_office,
    is_auditor,
    is_owner,
    is_related,
)
from community.members.principal import Principal


def answers_for_the_reserve(principal: Principal, facts: Facts) -> bool:
    """The claim is the community's reserve fund's, and the caller holds an office there."""
    return not facts.owner_ids and holds_office(principal, facts)


# Owner: whoever has the claim. Related: its debtor.
declare(
    {
        "claim:read": (is_owner, is_related, holds_office, is_auditor),
        "claim:state": (is_owner, is_related),
        "claim:confirm": (is_owner,),
        "claim:waive": (is_owner, answers_for_the_reserve),
        # A correction: neither side takes back alone what both have said.
        "claim:correct": (holds_office,),
    }
)
