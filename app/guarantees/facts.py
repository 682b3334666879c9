"""What permissions need to know about calls and changes of cover."""

from sqlalchemy.orm import Session

from app.loans.facts import loan_facts
from app.permissions import Facts
from community.guarantees.models import Call, CoverChange
from community.loans import queries as loans


def call_facts(session: Session, call: Call) -> Facts:
    """A call is its guarantor's; the loan's other people see it as the loan's."""
    loan = loan_facts(session, loans.get_loan_by_id(session, call.loan_id))
    return Facts(
        path=loan.path,
        owner_ids=frozenset({call.guarantor_id}),
        related_ids=loan.related_ids | loan.owner_ids,
    )


def cover_change_facts(session: Session, change: CoverChange) -> Facts:
    """A change of cover concerns those who agree on it; what it means is for who comes."""
    loan = loans.get_loan_by_id(session, change.loan_id)
    coming = () if change.coming_id is None else (change.coming_id,)
    return Facts(
        path=loan_facts(session, loan).path,
        owner_ids=frozenset(coming),
        related_ids=frozenset({change.leaving_id, *coming, loan.borrower_id}),
    )
