"""What permissions need to know about calls."""

from sqlalchemy.orm import Session

from app.loans.facts import loan_facts
from app.permissions import Facts
from community.guarantees.models import Call
from community.loans import queries as loans


def call_facts(session: Session, call: Call) -> Facts:
    """A call is its guarantor's; the loan's other people see it as the loan's."""
    loan = loan_facts(session, loans.get_loan_by_id(session, call.loan_id))
    return Facts(
        path=loan.path,
        owner_ids=frozenset({call.guarantor_id}),
        related_ids=loan.related_ids | loan.owner_ids,
    )
