"""Repayments that free cover; calls on guarantors and what they answer."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.guarantees import permissions as _permissions  # noqa: F401  declares this room's actions
from app.guarantees import views
from app.guarantees.facts import call_facts, cover_change_facts
from app.guarantees.schemas import (
    CallFileSchema,
    CallListArgs,
    CallPaymentInSchema,
    CallPaymentSchema,
    CallSchema,
    CancellationSchema,
    CoverChangeArgs,
    CoverChangeSchema,
    CoverSchema,
    CoverTakeoverSchema,
    PromiseSchema,
    ReasonSchema,
    RepaymentInSchema,
    RepaymentSchema,
    ResolutionSchema,
    SubstitutionInSchema,
)
from app.idempotency import money_moving
from app.loans.facts import loan_facts
from app.loans.schemas import GroupLoanSchema, LoanSchema
from app.loans.views import group_loan_view, loan_view
from app.marks import never_refused
from app.paging import Page, PageArgs, page_of, paginate
from app.permissions import Facts, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.guarantees import failure, handover, queries, service
from community.guarantees.models import Call, CoverChange
from community.loans import queries as loans
from community.loans.models import LoanStatus, Repayment
from community.members import queries as members

blp = Blueprint("guarantees", __name__, description="Repayments, cover and calls")


@blp.route("/loans/<pid(lon):loan_id>/repayments", methods=["POST"])
@requires("repayment:record")
@never_refused
@blp.arguments(RepaymentInSchema)
@money_moving(RepaymentSchema)
def record_repayment(data: dict[str, Any], loan_id: str) -> Any:
    """Take money on a loan: the lender until whole, then whoever paid for the borrower."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("repayment:record", loan_facts(session, loan))
    payer = None if data["payer"] is None else members.get_member(session, data["payer"]).id
    repayment = service.record_repayment(
        session,
        loan_id=loan.id,
        amount=data["amount"],
        source=data["source"],
        payer_id=payer,
        on=today(),
        received_on=data["received_on"],
        now=now(),
        actor_id=caller().member_id,
    )
    return views.receipt(session, repayment)


@blp.route("/loans/<pid(lon):loan_id>/repayments")
@requires("repayment:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(RepaymentSchema))
def list_repayments(args: dict[str, Any], loan_id: str) -> Page:
    """The receipts of a loan, newest first."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("repayment:read", loan_facts(session, loan))
    page = paginate(
        session, queries.repayments_of(loan.id), key=Repayment.id, args=args, newest_first=True
    )
    return Page(views.receipts(session, page.items), page.next_cursor)


@blp.route("/loans/<pid(lon):loan_id>/cover")
@requires("cover:read")
@blp.response(200, CoverSchema)
def get_cover(loan_id: str) -> Any:
    """Who covers a loan, for how much, along which vouches."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("cover:read", loan_facts(session, loan))
    return views.cover(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/cover-changes")
@requires("cover:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CoverChangeSchema))
def list_cover_changes(args: dict[str, Any], loan_id: str) -> Page:
    """Who left the cover of a loan, who came, and what is proposed; newest first."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("cover:read", loan_facts(session, loan))
    page = paginate(
        session,
        queries.cover_changes_of(loan.id),
        key=CoverChange.id,
        args=args,
        newest_first=True,
    )
    return Page(views.cover_changes(session, page.items), page.next_cursor)


@blp.route("/loans/<pid(lon):loan_id>/substitutions", methods=["POST"])
@requires("cover:propose_change")
@blp.arguments(SubstitutionInSchema)
@blp.response(201, CoverChangeSchema)
@transactional
def propose_substitution(data: dict[str, Any], loan_id: str) -> Any:
    """Ask that another guarantor takes over what one covers; all three have to agree."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("cover:propose_change", loan_facts(session, loan))
    change = handover.propose_substitution(
        session,
        loan_id=loan.id,
        leaving_id=members.get_member(session, data["leaving"]).id,
        coming_id=members.get_member(session, data["coming"]).id,
        reason=data["reason"],
        now=now(),
        actor_id=caller().member_id,
    )
    return views.cover_changes(session, [change])[0]


@blp.route("/loans/<pid(lon):loan_id>/early-release", methods=["POST"])
@requires("cover:leave")
@blp.arguments(ReasonSchema)
@blp.response(201, CoverChangeSchema)
@transactional
def release_early(data: dict[str, Any], loan_id: str) -> Any:
    """Leave a loan's cover, if the rest of the circle carries what the caller holds."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("cover:leave", loan_facts(session, loan))
    change = handover.release_early(
        session,
        loan_id=loan.id,
        member_id=caller().member_id,
        reason=data["reason"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.cover_changes(session, [change])[0]


@blp.route("/cover-changes/<pid(cvc):cover_change_id>")
@requires("cover_change:read")
@blp.response(200, CoverChangeSchema)
def get_cover_change(cover_change_id: str) -> Any:
    """One change of cover: who has agreed, what was moved."""
    session = db.session()
    return views.cover_changes(session, [_change(session, "cover_change:read", cover_change_id)])[0]


@blp.route("/me/cover-changes")
@requires("cover_change:read")
@blp.arguments(CoverChangeArgs, location="query")
@blp.response(200, page_of(CoverChangeSchema))
def list_my_cover_changes(args: dict[str, Any]) -> Page:
    """Changes of cover that the caller has to answer, asked for, or whose loan is theirs."""
    session = db.session()
    me = caller().member_id
    permit("cover_change:read", Facts(related_ids=frozenset({me})))
    found = queries.cover_changes_with(me, args["show"])
    page = paginate(session, found, key=CoverChange.id, args=args, newest_first=True)
    return Page(views.cover_changes(session, page.items), page.next_cursor)


@blp.route("/cover-changes/<pid(cvc):cover_change_id>/preview")
@requires("cover_change:preview")
@blp.response(200, CoverTakeoverSchema)
def preview_takeover(cover_change_id: str) -> Any:
    """What would I hold, and could I owe, if I took this cover over? Nothing is written."""
    session = db.session()
    change = _change(session, "cover_change:preview", cover_change_id)
    return handover.preview_takeover(session, change, on=today())


@blp.route("/cover-changes/<pid(cvc):cover_change_id>/agreement", methods=["POST"])
@requires("cover_change:answer")
@blp.response(200, CoverChangeSchema)
@transactional
def agree_to_change(cover_change_id: str) -> Any:
    """Agree; with the last of the three the cover goes over."""
    session = db.session()
    change = _change(session, "cover_change:answer", cover_change_id)
    handover.agree(session, change_id=change.id, on=today(), now=now(), actor_id=caller().member_id)
    return views.cover_changes(session, [change])[0]


@blp.route("/cover-changes/<pid(cvc):cover_change_id>/refusal", methods=["POST"])
@requires("cover_change:answer")
@blp.response(200, CoverChangeSchema)
@transactional
def refuse_change(cover_change_id: str) -> Any:
    """Say no, or withdraw what one proposed: all stays as it was."""
    session = db.session()
    change = _change(session, "cover_change:answer", cover_change_id)
    handover.refuse(session, change_id=change.id, now=now(), actor_id=caller().member_id)
    return views.cover_changes(session, [change])[0]


@blp.route("/loans/<pid(lon):loan_id>/cancellation", methods=["POST"])
@requires("loan:cancel")
@blp.arguments(CancellationSchema)
@blp.response(200, LoanSchema)
@transactional
def cancel_loan(data: dict[str, Any], loan_id: str) -> Any:
    """Give up an approved loan before it is paid out; its cover is freed."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("loan:cancel", loan_facts(session, loan))
    _cancel([loan.id], data)
    return loan_view(session, loan)


@blp.route("/group-loans/<pid(gln):group_loan_id>/cancellation", methods=["POST"])
@requires("loan:cancel")
@blp.arguments(CancellationSchema)
@blp.response(200, GroupLoanSchema)
@transactional
def cancel_group_loan(data: dict[str, Any], group_loan_id: str) -> Any:
    """Give up an approved group loan, all shares of it, before it is paid out."""
    session = db.session()
    group_loan = loans.get_group_loan(session, group_loan_id)
    shares = loans.list_shares(session, group_loan.id)
    for share in shares:
        permit("loan:cancel", loan_facts(session, share))
    _cancel([share.id for share in shares], data)
    return group_loan_view(session, group_loan)


@blp.route("/loans/<pid(lon):loan_id>/calls")
@requires("call:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CallSchema))
def list_loan_calls(args: dict[str, Any], loan_id: str) -> Page:
    """The calls on a loan's guarantors, oldest first."""
    session = db.session()
    loan = loans.get_loan(session, loan_id)
    permit("call:read", loan_facts(session, loan))
    page = paginate(session, queries.calls_of_loan(loan.id), key=Call.id, args=args)
    return Page(views.calls(session, page.items), page.next_cursor)


@blp.route("/communities/<pid(com):community_id>/calls")
@requires("call:list")
@blp.arguments(CallListArgs, location="query")
@blp.response(200, page_of(CallSchema))
def list_calls(args: dict[str, Any], community_id: str) -> Page:
    """The calls on a community's loans, newest first; disputed ones wait for an answer."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("call:list", Facts(path=community.path_ids))
    query = queries.list_calls(community.id, args["status"])
    page = paginate(session, query, key=Call.id, args=args, newest_first=True)
    return Page(views.calls(session, page.items), page.next_cursor)


@blp.route("/me/calls")
@requires("call:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(CallSchema))
def list_my_calls(args: dict[str, Any]) -> Page:
    """What the caller is asked to pay for others, newest first."""
    session = db.session()
    me = caller().member_id
    permit("call:read", Facts(owner_ids=frozenset({me})))
    page = paginate(session, queries.calls_on(me), key=Call.id, args=args, newest_first=True)
    return Page(views.calls(session, page.items), page.next_cursor)


@blp.route("/calls/<pid(cal):call_id>")
@requires("call:read")
@blp.response(200, CallFileSchema)
def get_call(call_id: str) -> Any:
    """One call: the cover lines that it rests on, and how disputes of it were answered."""
    session = db.session()
    call = queries.get_call(session, call_id)
    permit("call:read", call_facts(session, call))
    return views.call_file(session, call)


@blp.route("/calls/<pid(cal):call_id>/payments", methods=["POST"])
@requires("call:pay")
@never_refused
@blp.arguments(CallPaymentInSchema)
@money_moving(CallPaymentSchema)
def pay_call(data: dict[str, Any], call_id: str) -> Any:
    """Take money that a called guarantor pays by hand."""
    session = db.session()
    call = queries.get_call(session, call_id)
    permit("call:pay", call_facts(session, call))
    payment = service.pay_call(
        session,
        call_id=call.id,
        amount=data["amount"],
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.call_payment(session, payment, call)


@blp.route("/calls/<pid(cal):call_id>/promise", methods=["POST"])
@requires("call:answer")
@blp.arguments(PromiseSchema)
@blp.response(200, CallSchema)
@transactional
def promise_call(data: dict[str, Any], call_id: str) -> Any:
    """Say on which day the call will be paid."""
    session = db.session()
    call = queries.get_call(session, call_id)
    permit("call:answer", call_facts(session, call))
    service.promise_call(
        session,
        call_id=call.id,
        member_id=caller().member_id,
        pay_on=data["pay_on"],
        now=now(),
    )
    return views.calls(session, [call])[0]


@blp.route("/calls/<pid(cal):call_id>/dispute", methods=["POST"])
@requires("call:answer")
@blp.arguments(ReasonSchema)
@blp.response(200, CallSchema)
@transactional
def dispute_call(data: dict[str, Any], call_id: str) -> Any:
    """Dispute a call; its clock stands still until the dispute is resolved."""
    session = db.session()
    call = queries.get_call(session, call_id)
    permit("call:answer", call_facts(session, call))
    service.dispute_call(
        session,
        call_id=call.id,
        member_id=caller().member_id,
        reason=data["reason"],
        on=today(),
        now=now(),
    )
    return views.calls(session, [call])[0]


@blp.route("/calls/<pid(cal):call_id>/resolution", methods=["POST"])
@requires("call:resolve")
@blp.arguments(ResolutionSchema)
@blp.response(200, CallSchema)
@transactional
def resolve_dispute(data: dict[str, Any], call_id: str) -> Any:
    """Answer a dispute: the call's clock goes on, or nothing more is asked on it."""
    session = db.session()
    call = queries.get_call(session, call_id)
    permit("call:resolve", call_facts(session, call))
    answer = failure.uphold_dispute if data["upheld"] else service.resolve_dispute
    answer(
        session,
        call_id=call.id,
        on=today(),
        now=now(),
        reason=data["reason"],
        actor_id=caller().member_id,
    )
    return views.calls(session, [call])[0]


def _cancel(loan_ids: list[int], data: dict[str, Any]) -> None:
    service.cancel_approved(
        db.session(),
        loan_ids=loan_ids,
        to=LoanStatus.WITHDRAWN if data["by_borrower"] else LoanStatus.REJECTED,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        reason=data["reason"],
    )


def _change(session: Session, action: str, public_id: str) -> CoverChange:
    """A change of cover, if it is the caller's business."""
    change = queries.get_cover_change(session, public_id)
    permit(action, cover_change_facts(session, change))
    return change
