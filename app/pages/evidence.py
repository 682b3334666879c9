"""Saying what shows that a loan's money was used as was said: an officer's form, and a leader's."""

from collections.abc import Callable
from typing import Any

from flask import Response

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.loans.facts import loan_facts
from app.monitoring.facts import visit_facts
from app.monitoring.schemas import UseEvidenceInSchema
from app.pages.forms import Form, answer
from app.pages.loan_file import UseSeen, see_uses
from app.permissions import may, permit
from community.loans import queries as loans
from community.loans.service import currency_of
from community.members import queries as members
from community.money import format_minor
from community.monitoring import proceeds, visits
from community.monitoring.errors import UseNotFound
from community.monitoring.models import EvidenceKind

# Visits to the borrower that the form offers, the newest first.
_VISITS_SHOWN = 5


def verify_use_form(
    loan_id: str,
    use_id: str,
    back: str,
    show: Callable[..., Response],
    *,
    said: tuple[str, str],
) -> Any:
    """The form, or what it says done. `show` writes the page of a room from its facts."""
    seen = _permitted(loan_id, use_id)
    loan = loans.get_loan(db.session(), loan_id)

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        use = _permitted(loan_id, use_id).use
        visit = data.pop("visit")
        proceeds.verify_use(
            session,
            use_id=use.id,
            visit=None if visit is None else visits.get_visit(session, visit),
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return back

    def shown(form: Form) -> Response:
        session = db.session()
        seen = _permitted(loan_id, use_id)
        made = [
            visit
            for visit in session.scalars(visits.list_made_to(loan.borrower_id).limit(_VISITS_SHOWN))
            if may("visit:read", visit_facts(session, visit))
        ]
        names = members.names_of(session, [loan.borrower_id] + [visit.visitor_id for visit in made])
        return show(
            form=form,
            loan=loan,
            seen=seen,
            currency=currency,
            borrower=names[loan.borrower_id],
            evidence_kinds=[kind.value for kind in EvidenceKind],
            visits=[(visit, names[visit.visitor_id]) for visit in made],
        )

    currency = currency_of(loan)
    left = seen.not_shown_minor
    return answer(
        UseEvidenceInSchema,
        work,
        shown,
        start={"amount": format_minor(left, currency) if left else "", "kind": "invoice"},
        said=said,
    )


def _permitted(loan_id: str, use_id: str) -> UseSeen:
    """A use of this loan, of whoever may verify it."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    use = proceeds.get_use(session, use_id)
    if use.loan_id != loan.id:
        raise UseNotFound()
    permit("loan-use:verify", loan_facts(session, loan))
    [seen] = see_uses(session, [use])
    return seen
