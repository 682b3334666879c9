"""What loans' money is used for, what shows it, and promises to pay."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.communities.facts import community_facts
from app.extensions import db
from app.loans.facts import loan_facts
from app.monitoring import views
from app.monitoring.schemas import (
    LoanUseInSchema,
    LoanUseSchema,
    PaymentPromiseInSchema,
    PaymentPromiseListSchema,
    PaymentPromiseSchema,
    UseEvidenceInSchema,
    VerifiedUseSchema,
)
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import may, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.loans import queries as loans
from community.loans.models import Loan, LoanUse
from community.members import queries as members
from community.monitoring import proceeds, visits


def add_routes(blp: Blueprint) -> None:
    """Add them to the room's blueprint."""

    @blp.route("/loans/<pid(lon):loan_id>/uses")
    @requires("loan-use:read")
    @blp.arguments(PageArgs, location="query")
    @blp.response(200, page_of(LoanUseSchema))
    def list_uses(args: dict[str, Any], loan_id: str) -> Page:
        """What a loan is for, part by part, and what shows it."""
        session = db.session()
        loan = _loan(session, loan_id, "loan-use:read")
        page = paginate(session, proceeds.list_uses(loan.id), key=LoanUse.id, args=args)
        return Page(views.use_views(session, page.items, loan), page.next_cursor)

    @blp.route("/loans/<pid(lon):loan_id>/uses", methods=["POST"])
    @requires("loan-use:state")
    @blp.arguments(LoanUseInSchema)
    @blp.response(201, LoanUseSchema)
    @transactional
    def state_use(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
        """Say what a part of a loan is for, and who gets it."""
        session = db.session()
        loan = _loan(session, loan_id, "loan-use:state")
        payee = data.pop("payee")
        use = proceeds.state_use(
            session,
            loan_id=loan.id,
            payee_id=None if payee is None else members.get_member(session, payee).id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return views.use_views(session, [use], loan)[0]

    @blp.route("/loan-uses/<pid(use):use_id>/evidence", methods=["POST"])
    @requires("loan-use:verify")
    @blp.arguments(UseEvidenceInSchema)
    @blp.response(201, LoanUseSchema)
    @transactional
    def verify_use(data: dict[str, Any], use_id: str) -> dict[str, Any]:
        """Say what shows that money was used as was said: whoever neither borrowed nor got it."""
        session = db.session()
        use = proceeds.get_use(session, use_id)
        loan = loans.get_loan_by_id(session, use.loan_id)
        permit("loan-use:verify", loan_facts(session, loan))
        visit = data.pop("visit")
        use = proceeds.verify_use(
            session,
            use_id=use.id,
            visit=None if visit is None else visits.get_visit(session, visit),
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return views.use_views(session, [use], loan)[0]

    @blp.route("/communities/<pid(com):community_id>/verified-use")
    @requires("verified-use:read")
    @blp.response(200, VerifiedUseSchema)
    def get_verified_use(community_id: str) -> dict[str, Any]:
        """How much of what a community has out is shown to be used as was said."""
        session = db.session()
        community = communities.get_community(session, community_id)
        facts = community_facts(session, community)
        permit("verified-use:read", facts)
        found = proceeds.verified_use(session, community=community)
        sees = may("verified-use:review", facts)
        return {
            "currency": community.currency,
            "verified_bps": found.verified_bps,
            "disbursed_minor": found.disbursed_minor if sees else None,
            "stated_minor": found.stated_minor if sees else None,
            "verified_minor": found.verified_minor if sees else None,
        }

    @blp.route("/loans/<pid(lon):loan_id>/promises")
    @requires("promise:read")
    @blp.response(200, PaymentPromiseListSchema)
    def list_promises(loan_id: str) -> dict[str, Any]:
        """The promises to pay on a loan: kept, broken, or still open."""
        session = db.session()
        loan = _loan(session, loan_id, "promise:read")
        found = proceeds.promises_of(session, loan, on=today())
        return {"items": [views.promise_view(seen, loan) for seen in found]}

    @blp.route("/loans/<pid(lon):loan_id>/promises", methods=["POST"])
    @requires("promise:make")
    @blp.arguments(PaymentPromiseInSchema)
    @blp.response(201, PaymentPromiseSchema)
    @transactional
    def promise_payment(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
        """Give one's word, or write down a borrower's, to pay so much by a day."""
        session = db.session()
        loan = _loan(session, loan_id, "promise:make")
        row = proceeds.promise(
            session,
            loan_id=loan.id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        [seen] = [
            seen for seen in proceeds.promises_of(session, loan, on=today()) if seen.promise is row
        ]
        return views.promise_view(seen, loan)


def _loan(session: Session, public_id: str, action: str) -> Loan:
    loan = loans.get_loan(session, public_id)
    permit(action, loan_facts(session, loan))
    return loan
