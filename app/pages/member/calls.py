"""What the member is asked to pay for others, and what may be claimed back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, url_for
from sqlalchemy.orm import Session

from app.auth import caller
from app.claims.facts import claim_facts
from app.claims.schemas import ClaimReasonSchema, ClaimSettlementInSchema, ClaimWaiverSchema
from app.claims.views import claim_detail
from app.clock import now, today
from app.extensions import db
from app.guarantees.facts import call_facts
from app.guarantees.schemas import PromiseSchema, ReasonSchema
from app.pages.forms import Form, Nothing, answer
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.member.room import pages
from app.permissions import Facts, permit, requires
from community.guarantees import claims, queries, service, statements
from community.guarantees.models import Call, Claim, ClaimSettlement
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan
from community.members import queries as members
from community.members.queries import Named


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call with the names on it."""

    call: Call
    loan: Loan
    borrower: Named
    covers_for: Named | None
    currency: str


@dataclass(frozen=True, slots=True)
class ClaimLine:
    """A claim as one of its two sides sees it."""

    claim: Claim
    is_mine: bool
    other: Named | None
    currency: str


@pages.listed("calls")
@pages.get("/me/calls")
@requires("call:read")
def calls() -> Response:
    """Calls on me, newest first, and what is to be claimed."""
    session, me = db.session(), caller().member_id
    permit("call:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, queries.calls_on(me), Call.id)
    return page(
        "member/calls.html", calls=_call_lines(session, found.items), older=older, first=first
    )


@pages.get("/me/calls/<pid(cal):call_id>")
@requires("call:read")
def call(call_id: str) -> Response:
    """One call: what is asked, by when, and what can be answered."""
    return _call_page(call_id, Form())


@pages.post("/me/calls/<pid(cal):call_id>/promise")
@requires("call:answer")
def promise_call(call_id: str) -> Any:
    """Say on which day it will be paid."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_call(session, call_id)
        permit("call:answer", call_facts(session, found))
        service.promise_call(
            session,
            call_id=found.id,
            member_id=caller().member_id,
            pay_on=data["pay_on"],
            now=now(),
        )
        return url_for("member.call", call_id=call_id)

    return answer(
        PromiseSchema,
        work,
        lambda form: _call_page(call_id, form),
        said=("member", "call_promised"),
    )


@pages.post("/me/calls/<pid(cal):call_id>/dispute")
@requires("call:answer")
def dispute_call(call_id: str) -> Any:
    """Say why it is not right."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = queries.get_call(session, call_id)
        permit("call:answer", call_facts(session, found))
        service.dispute_call(
            session,
            call_id=found.id,
            member_id=caller().member_id,
            reason=data["reason"],
            on=today(),
            now=now(),
        )
        return url_for("member.call", call_id=call_id)

    return answer(
        ReasonSchema, work, lambda form: _call_page(call_id, form), said=("member", "call_disputed")
    )


@pages.get("/me/claims")
@requires("claim:read")
def my_claims() -> Response:
    """What I may claim back, and what others may claim from me."""
    session, me = db.session(), caller().member_id
    permit("claim:read", Facts(owner_ids=frozenset({me})))
    found, older, first = listed(session, statements.claims_of(me), Claim.id)
    return page(
        "member/claims.html", claims=_claim_lines(session, found.items), older=older, first=first
    )


@pages.get("/me/claims/<pid(clm):claim_id>")
@requires("claim:read")
def claim(claim_id: str) -> Response:
    """One claim: what is left, what moved, what can be said."""
    return _claim_page(claim_id, Form())


@pages.post("/me/claims/<pid(clm):claim_id>/settlements")
@requires("claim:state")
def state_settlement(claim_id: str) -> Any:
    """Say that money was given outside the loan."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = statements.get_claim(session, claim_id)
        permit("claim:state", claim_facts(session, found))
        claims.state_settlement(
            session,
            claim_id=found.id,
            member_id=caller().member_id,
            amount=data["amount"],
            paid_on=data["paid_on"] or today(),
            on=today(),
            now=now(),
        )
        return url_for("member.claim", claim_id=claim_id)

    return answer(
        ClaimSettlementInSchema,
        work,
        lambda form: _claim_page(claim_id, form),
        said=("member", "settlement_stated"),
    )


@pages.post("/me/claims/<pid(clm):claim_id>/waiver")
@requires("claim:waive")
def waive_claim(claim_id: str) -> Any:
    """Let it go, in part or all of it."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = statements.get_claim(session, claim_id)
        permit("claim:waive", claim_facts(session, found))
        claims.waive(
            session,
            claim_id=found.id,
            member_id=caller().member_id,
            amount=data["amount"],
            reason=data["reason"],
            on=today(),
            now=now(),
        )
        return url_for("member.claim", claim_id=claim_id)

    return answer(
        ClaimWaiverSchema,
        work,
        lambda form: _claim_page(claim_id, form),
        said=("member", "claim_waived"),
    )


@pages.post("/me/settlements/<pid(cst):settlement_id>/confirmation")
@requires("claim:confirm")
def confirm_settlement(settlement_id: str) -> Any:
    """Say that the money came."""

    def work(data: dict[str, Any]) -> str:
        found, said_of = _settlement(settlement_id)
        claims.confirm_settlement(
            db.session(),
            settlement_id=found.id,
            member_id=caller().member_id,
            on=today(),
            now=now(),
        )
        return url_for("member.claim", claim_id=said_of.public_id)

    return answer(
        Nothing,
        work,
        lambda form: _claim_page(_settlement(settlement_id)[1].public_id, form),
        said=("member", "settlement_confirmed"),
    )


@pages.post("/me/settlements/<pid(cst):settlement_id>/refusal")
@requires("claim:confirm")
def decline_settlement(settlement_id: str) -> Any:
    """Say that this money did not come."""

    def work(data: dict[str, Any]) -> str:
        found, said_of = _settlement(settlement_id)
        claims.decline_settlement(
            db.session(),
            settlement_id=found.id,
            member_id=caller().member_id,
            reason=data["reason"],
            on=today(),
            now=now(),
        )
        return url_for("member.claim", claim_id=said_of.public_id)

    return answer(
        ClaimReasonSchema,
        work,
        lambda form: _claim_page(_settlement(settlement_id)[1].public_id, form),
        said=("member", "settlement_declined"),
    )


def _settlement(settlement_id: str) -> tuple[ClaimSettlement, Claim]:
    session = db.session()
    found = statements.get_settlement(session, settlement_id)
    said_of = statements.get_claim_by_id(session, found.claim_id)
    permit("claim:confirm", claim_facts(session, said_of))
    return found, said_of


def _call_lines(session: Session, rows: Iterable[Call]) -> list[CallLine]:
    listed_ = list(rows)
    lent = loans.loans_by_id(session, [row.loan_id for row in listed_])
    people = members.names_of(
        session,
        [loan.borrower_id for loan in lent.values()] + [row.for_guarantor_id for row in listed_],
    )
    return [
        CallLine(
            call=row,
            loan=lent[row.loan_id],
            borrower=people[lent[row.loan_id].borrower_id],
            covers_for=None if row.for_guarantor_id is None else people[row.for_guarantor_id],
            currency=loan_service.currency_of(lent[row.loan_id]),
        )
        for row in listed_
    ]


def _call_page(call_id: str, form: Form) -> Response:
    session = db.session()
    found = queries.get_call(session, call_id)
    permit("call:read", call_facts(session, found))
    [line] = _call_lines(session, [found])
    return page(
        "member/call.html",
        status=form.status,
        line=line,
        answers=queries.dispute_answers(session, found),
        form=form,
        is_mine=found.guarantor_id == caller().member_id,
    )


def _claim_lines(session: Session, rows: Iterable[Claim]) -> list[ClaimLine]:
    listed_ = list(rows)
    me = caller().member_id
    lent = loans.loans_by_id(session, [row.loan_id for row in listed_])
    people = members.names_of(
        session, [end for row in listed_ for end in (row.claimant_id, row.debtor_id)]
    )
    return [
        ClaimLine(
            claim=row,
            is_mine=row.claimant_id == me,
            other=people.get(row.debtor_id if row.claimant_id == me else row.claimant_id or 0),
            currency=loan_service.currency_of(lent[row.loan_id]),
        )
        for row in listed_
    ]


def _claim_page(claim_id: str, form: Form) -> Response:
    session = db.session()
    found = statements.get_claim(session, claim_id)
    permit("claim:read", claim_facts(session, found))
    [line] = _claim_lines(session, [found])
    return page(
        "member/claim.html",
        status=form.status,
        line=line,
        shown=claim_detail(session, found, on=today()),
        form=form,
    )
