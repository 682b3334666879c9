"""The member's loans: the list, and one with everything on it."""

from typing import Any

import marshmallow as ma
from flask import Response, url_for

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Day, Money, PublicId, Schema, Text
from app.loans.facts import community_facts, loan_facts
from app.loans.schemas import LoanOptionalReasonSchema
from app.loans.views import loan_summaries
from app.marks import limited
from app.monitoring.schemas import PaymentPromiseInSchema
from app.pages.evidence import verify_use_form
from app.pages.forms import answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.loan_file import read_loan
from app.pages.member.group_loans import give_group_word
from app.pages.member.room import pages
from app.permissions import Facts, permit, requires
from community.communities import queries as communities
from community.communities.charter import Purpose
from community.loans import queries, service
from community.loans.models import Loan
from community.monitoring import proceeds


class UseSchema(Schema):
    """What a part of a loan is for, and who gets it."""

    use = ma.fields.Enum(Purpose, by_value=ma.fields.String, required=True)
    payee_name = Text(120, required=True)
    amount = Money(required=True)


class LoanNumber(PublicId):
    """The number of a loan, or of a group's."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("lon", **kwargs)
        self.pattern = self.pattern.replace("lon", "(?:lon|gln)")


class EndorseSchema(Schema):
    """A word for the loan of somebody who gave one its number."""

    loan = LoanNumber(required=True)
    comment = Text(500, load_default="")


class PromiseSchema(PaymentPromiseInSchema):
    """The borrower's own word."""

    promised_on = Day(required=True)


@pages.listed("loans")
@pages.get("/me/loans")
@requires("loan:read")
def loans() -> Response:
    """My loans, newest first."""
    session, me = db.session(), caller().member_id
    permit("loan:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, queries.list_loans(borrower_id=me), Loan.id)
    return page(
        "member/loans.html",
        loans=loan_summaries(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/me/loans/<pid(lon):loan_id>")
@requires("loan:read")
@limited("heavy")
def loan(loan_id: str) -> Response:
    """One loan: its state, its schedule, what was paid, who covers it, what settles it today."""
    return page("member/loan.html", view=read_loan(db.session(), loan_id))


@pages.route("/me/loans/<pid(lon):loan_id>/withdrawal", methods=["GET", "POST"])
@requires("loan:withdraw")
def withdraw_loan(loan_id: str) -> Any:
    """Take an application back that is not decided yet."""
    loan = queries.get_loan(db.session(), loan_id)
    permit("loan:withdraw", loan_facts(db.session(), loan))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_loan(session, loan_id)
        permit("loan:withdraw", loan_facts(session, found))
        service.withdraw(
            session,
            loan_id=found.id,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
            reason=data["reason"],
        )
        return url_for("member.loan", loan_id=loan_id)

    return answer(
        LoanOptionalReasonSchema,
        work,
        lambda form: page(
            "member/loan_withdraw.html", form=form, loan=loan, currency=service.currency_of(loan)
        ),
        said=("member", "withdrawn_said"),
    )


@pages.route("/me/loans/<pid(lon):loan_id>/uses", methods=["GET", "POST"])
@requires("loan-use:state")
def state_use(loan_id: str) -> Any:
    """Say what a part of the loan is for, and who gets it."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan-use:state", loan_facts(session, loan))
    stated = sum(use.amount_minor for use in session.scalars(proceeds.list_uses(loan.id)))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_loan(session, loan_id)
        permit("loan-use:state", loan_facts(session, found))
        proceeds.state_use(
            session,
            loan_id=found.id,
            purpose=data["use"],
            payee_name=data["payee_name"],
            payee_id=None,
            amount=data["amount"],
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.loan", loan_id=loan_id)

    return answer(
        UseSchema,
        work,
        lambda form: page(
            "member/loan_use.html",
            form=form,
            loan=loan,
            currency=service.currency_of(loan),
            left_minor=loan.principal_minor - stated,
        ),
        said=("member", "use_said"),
    )


@pages.route("/me/loans/<pid(lon):loan_id>/promises", methods=["GET", "POST"])
@requires("promise:make")
def promise_payment(loan_id: str) -> Any:
    """Give one's word to pay so much by a day."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("promise:make", loan_facts(session, loan))

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_loan(session, loan_id)
        permit("promise:make", loan_facts(session, found))
        proceeds.promise(
            session,
            loan_id=found.id,
            **data,
            on=today(),
            now=now(),
            actor_id=caller().member_id,
        )
        return url_for("member.loan", loan_id=loan_id)

    return answer(
        PromiseSchema,
        work,
        lambda form: page(
            "member/loan_promise.html", form=form, loan=loan, currency=service.currency_of(loan)
        ),
        said=("member", "promise_said"),
    )


@pages.route(
    "/me/loans/<pid(lon):loan_id>/uses/<pid(use):use_id>/evidence", methods=["GET", "POST"]
)
@requires("loan-use:verify")
def verify_use(loan_id: str, use_id: str) -> Any:
    """Say what shows a use: whoever leads the borrower's group, of a share of a group loan."""
    return verify_use_form(
        loan_id,
        use_id,
        url_for("member.loan", loan_id=loan_id),
        lambda **facts: page("member/use.html", **facts),
        said=("member", "use_verified"),
    )


@pages.route("/me/endorsements", methods=["GET", "POST"])
@requires("endorsement:give")
def endorse() -> Any:
    """Give one's word for the loan of somebody who told one its number."""
    # The form alone tells nothing.
    permit("endorsement:give", Facts(member_ids=frozenset({caller().member_id})))

    def work(data: dict[str, Any]) -> str:
        if data["loan"].startswith("gln_"):
            return give_group_word(data["loan"], data["comment"])
        session = db.session()
        loan = queries.get_loan(session, data["loan"])
        community = communities.get_community_by_id(session, loan.community_id)
        permit("endorsement:give", community_facts(session, community))
        service.endorse(
            session,
            loan_id=loan.id,
            endorser_id=caller().member_id,
            on=today(),
            now=now(),
            comment=data["comment"],
        )
        return url_for("member.loan", loan_id=loan.public_id)

    return answer(
        EndorseSchema,
        work,
        lambda form: page("member/endorse.html", form=form),
        said=("member", "endorsed_said"),
    )
