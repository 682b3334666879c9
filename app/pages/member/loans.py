"""The member's loans: the list, and one with everything on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import now, today
from app.extensions import db
from app.fields import Day, Money, PublicId, Schema, Text
from app.loans.facts import community_facts, group_loan_facts, loan_facts
from app.loans.schemas import LoanOptionalReasonSchema
from app.loans.views import loan_summaries
from app.marks import limited
from app.monitoring.schemas import PaymentPromiseInSchema
from app.pages.forms import Form, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.group_loans import give_group_word
from app.pages.member.room import pages
from app.permissions import Facts, may, permit, requires
from community.communities import queries as communities
from community.communities.charter import Purpose
from community.communities.models import Community
from community.guarantees import queries as guarantees
from community.guarantees.models import Call
from community.guarantees.queries import LineView
from community.loans import queries, repayments, service
from community.loans.errors import NothingToSettle
from community.loans.history import owed
from community.loans.models import Loan, LoanStatus, LoanUse, RepaymentSource
from community.loans.queries import LoanFile
from community.loans.schedule import LoanTerms, read_loan_terms
from community.members import queries as members
from community.members.queries import Named
from community.monitoring import proceeds
from community.monitoring.proceeds import PromiseSeen

# Calls and uses of one loan that a page shows; the API has the rest.
_MOST_SHOWN = 40
ASKED = (LoanStatus.SUBMITTED, LoanStatus.ENDORSED)


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


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settles the loan today, and the interest that this saves."""

    total_minor: int
    saved_interest_minor: int


@dataclass(frozen=True, slots=True)
class LoanPage:
    """One loan as its borrower, or whoever stands behind it, sees it."""

    loan: Loan
    community: Community
    currency: str
    terms: LoanTerms
    file: LoanFile
    borrower: Named
    is_mine: bool
    people: dict[int, Named]
    settlement: Settlement | None
    cover: Sequence[LineView]
    calls: Sequence[Call]
    uses: Sequence[LoanUse]
    promises: Sequence[PromiseSeen]
    words_needed: int
    paid_minor: int
    # The group's loan of which it is a share, if the reader may see that one.
    group_loan: str | None
    opens_cover: bool

    @property
    def held_minor(self) -> int:
        """What of its cover is still held."""
        return sum(line.held_minor for line in self.cover)

    @property
    def planned_minor(self) -> int:
        """All that the schedule asks for."""
        return sum(row.due_minor for row in self.file.instalments)

    @property
    def left_to_state_minor(self) -> int:
        """The part of the principal that has no stated use yet."""
        return self.loan.principal_minor - sum(use.amount_minor for use in self.uses)


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
    return page("member/loan.html", view=_view(db.session(), loan_id), form=Form())


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


def _view(session: Session, loan_id: str) -> LoanPage:
    on = today()
    found = queries.get_loan(session, loan_id)
    facts = loan_facts(session, found)
    permit("loan:read", facts)
    community = communities.get_community_by_id(session, found.community_id)
    file = queries.get_loan_file(session, found, on)
    cover: Sequence[LineView] = ()
    calls: Sequence[Call] = ()
    if may("cover:read", facts):
        permit("cover:read", facts)
        cover = guarantees.list_lines(session, loan_id=found.id)
    if may("call:read", facts):
        permit("call:read", facts)
        calls = session.scalars(
            guarantees.calls_of_loan(found.id).order_by(Call.id).limit(_MOST_SHOWN)
        ).all()
    permit("loan-use:read", facts)
    permit("promise:read", facts)
    people: list[int | None] = [found.borrower_id]
    people += [step.actor_id for step in file.steps]
    people += [word.endorser_id for word in file.endorsements]
    people += [line.standing_of_id for line in cover] + [line.via_id for line in cover]
    people += [call.guarantor_id for call in calls]
    names = members.names_of(session, people)
    settlement = None
    if may("payoff:read", facts):
        permit("payoff:read", facts)
        settlement = _settlement(session, found)
    rules = communities.charter_on(session, community.id, on).rules
    return LoanPage(
        loan=found,
        community=community,
        currency=service.currency_of(found),
        terms=read_loan_terms(found.terms),
        file=file,
        borrower=names[found.borrower_id],
        is_mine=found.borrower_id == caller().member_id,
        people=names,
        settlement=settlement,
        cover=cover,
        calls=calls,
        uses=session.scalars(
            proceeds.list_uses(found.id).order_by(LoanUse.id).limit(_MOST_SHOWN)
        ).all(),
        promises=proceeds.promises_of(session, found, on=on)[-_MOST_SHOWN:],
        words_needed=max(0, rules.endorsements_min - len(file.endorsements))
        if found.status in ASKED
        else 0,
        paid_minor=sum(
            row.amount_minor
            for row in file.repayments
            if row.reversed_on is None and row.source is not RepaymentSource.WRITE_OFF
        ),
        group_loan=_group_loan(session, found),
        opens_cover=may("cover:read", facts),
    )


def _group_loan(session: Session, loan: Loan) -> str | None:
    if loan.group_loan_id is None:
        return None
    whole = queries.get_group_loan_by_id(session, loan.group_loan_id)
    return whole.public_id if may("group-loan:read", group_loan_facts(session, whole)) else None


def _settlement(session: Session, loan: Loan) -> Settlement | None:
    """What settles the loan today; nothing where nothing is to settle."""
    on = today()
    try:
        due = repayments.payoff(session, loan=loan, on=on)
    except NothingToSettle:
        return None
    planned = owed(session, loan=loan, on=on)
    return Settlement(due.total_minor, planned.interest_minor - due.interest_minor)
