"""Who may do what with cases and what opens them."""

from dataclasses import dataclass

from app.permissions import (
    Facts,
    declare,
    holds_office,
    is_auditor,
    is_fellow,
    is_leader,
    is_operator,
    is_owner,
    is_related,
)
from community.members.principal import Principal


@dataclass(frozen=True, slots=True)
class CaseFacts(Facts):
    """What is to be known of a case besides: whom it is about, and whose turn it is."""

    subject_ids: frozenset[int] = frozenset()
    # Who has taken it, and who, by their role, has to answer now though they hold no office.
    officer_ids: frozenset[int] = frozenset()


def looks_after(principal: Principal, facts: Facts) -> bool:
    """The caller holds office here, and it is not about them."""
    about = facts.subject_ids if isinstance(facts, CaseFacts) else frozenset()
    return holds_office(principal, facts) and principal.member_id not in about


def audits(principal: Principal, facts: Facts) -> bool:
    """The caller audits here, and it is not about them."""
    about = facts.subject_ids if isinstance(facts, CaseFacts) else frozenset()
    return is_auditor(principal, facts) and principal.member_id not in about


def is_case_officer(principal: Principal, facts: Facts) -> bool:
    """The caller has taken the case."""
    return isinstance(facts, CaseFacts) and principal.member_id in facts.officer_ids


declare(
    {
        # Owner: whom it is about, unless somebody reported it. Leader: of their group, the same.
        "case:read": (is_owner, is_leader, looks_after, audits),
        "case:act": (is_case_officer, looks_after),
        "case:take": (looks_after,),
        "case:assign": (looks_after,),
        "case:escalate": (is_case_officer, looks_after),
        "case:close": (is_case_officer, looks_after),
        # Who reported, and what: for the officer who has taken the case, and nobody else.
        "case:read_reports": (is_case_officer,),
        # Owner: the visitor. Related: whom they visit.
        "visit:read": (is_owner, is_related, is_leader, holds_office, is_auditor),
        "visit:answer": (is_owner,),
        "visit-round:read": (is_leader, holds_office, is_auditor),
        "visit-round:draw": (is_leader, holds_office),
        "own-visit:read": (is_owner,),
        # As the loan itself.
        "loan-use:read": (is_owner, is_related, is_fellow, holds_office, is_auditor),
        "loan-use:state": (is_owner, holds_office),
        "loan-use:verify": (is_leader, holds_office),
        "promise:read": (is_owner, is_related, is_fellow, holds_office, is_auditor),
        "promise:make": (is_owner, is_leader, holds_office),
        # Its members see the ratio, those who look after it the amounts.
        "verified-use:read": (is_fellow, holds_office, is_auditor),
        "verified-use:review": (holds_office, is_auditor),
        "peer-report:send": (is_fellow,),
        "case-queue:read": (holds_office, is_auditor),
        "group-case:read": (is_leader, holds_office, is_auditor),
        "own-case:read": (is_owner,),
        "risk-rule:read": (is_operator, holds_office, is_auditor),
        "risk-rule:replay": (holds_office, is_auditor),
        "meeting:read": (is_fellow, is_leader, holds_office, is_auditor),
        "meeting:write": (is_leader, holds_office),
        "meeting:propose": (is_fellow, is_leader),
        "meeting:vote": (is_fellow, is_leader),
    }
)
