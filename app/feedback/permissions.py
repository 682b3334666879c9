"""Who may do what with feedback."""

from dataclasses import dataclass

from app.permissions import (
    Facts,
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_operator,
    is_owner,
    is_related,
)
from community.members.principal import Principal


@dataclass(frozen=True, slots=True)
class ComplaintFacts(Facts):
    """Owner: who complained. Related: who has to answer it."""

    against_ids: frozenset[int] = frozenset()
    is_unowned: bool = False


def audits(principal: Principal, facts: Facts) -> bool:
    """The caller audits here, and it is not against them."""
    against = facts.against_ids if isinstance(facts, ComplaintFacts) else frozenset()
    return is_auditor(principal, facts) and principal.member_id not in against


def steps_in(principal: Principal, facts: Facts) -> bool:
    """Nobody owns the complaint, and the caller is an operator whom it is not against."""
    return (
        isinstance(facts, ComplaintFacts)
        and facts.is_unowned
        and principal.member_id not in facts.against_ids | facts.owner_ids
        and is_operator(principal, facts)
    )


declare(
    {
        # Fellow: whom the thing concerns.
        "rating:read": (is_fellow, holds_office, is_auditor),
        "rating:give": (is_fellow,),
        "feedback:say": (is_fellow,),
        "feedback-item:read": (is_owner, holds_office, is_auditor),
        "feedback-item:list": (holds_office, is_auditor),
        "feedback-item:hide": (holds_office,),
        "feedback-item:place": (holds_office,),
        "own-feedback:read": (is_owner,),
        "complaint:read": (is_owner, is_related, steps_in, audits),
        "complaint:file": (is_fellow,),
        "complaint:reply": (is_owner, is_related, steps_in),
        "complaint:close": (is_owner, is_related, steps_in),
        "complaint:reopen": (is_owner,),
        "complaint:place": (is_related, steps_in),
        # An officer sees those that they own, an auditor all.
        "complaint-queue:read": (holds_office, is_auditor),
        "own-complaint:read": (is_owner,),
        # Members see counts, those who look after the community and audit it names.
        "theme:read": (is_fellow, holds_office, is_auditor),
        "theme:read_names": (holds_office, is_auditor),
        "theme:write": (holds_office,),
        "theme:vote": (is_fellow,),
        "message:read": (is_owner,),
        "message:mark": (is_owner,),
    }
)
