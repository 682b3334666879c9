"""Quotes, applications, endorsements, decisions against, and paying out."""

from typing import Any

from sqlalchemy.orm import Session

from app.auth import caller
from app.blueprint import Blueprint
from app.clock import now, today
from app.extensions import db
from app.idempotency import money_moving
from app.lines.facts import line_facts
from app.loans import permissions as _permissions  # noqa: F401  declares this room's actions
from app.loans import views
from app.loans.facts import community_facts, group_facts, group_loan_facts, loan_facts
from app.loans.payees import parts_of
from app.loans.schemas import (
    DisbursementInSchema,
    GroupLoanApplicationSchema,
    GroupLoanSchema,
    GroupQuoteInSchema,
    GroupQuoteSchema,
    LoanApplicationSchema,
    LoanEndorsementInSchema,
    LoanEndorsementListSchema,
    LoanEndorsementSchema,
    LoanListArgs,
    LoanOptionalReasonSchema,
    LoanReasonSchema,
    LoanSchema,
    LoanSummarySchema,
    QuoteArgs,
    QuoteSchema,
)
from app.paging import Page, PageArgs, page_of, paginate, show_etag
from app.permissions import Facts, may, permit, requires
from app.transaction import transactional
from community.communities import queries as communities
from community.groups import queries as groups
from community.lines import queries as credit_lines
from community.lines import service as lines
from community.lines.errors import LineNotFound
from community.loans import group_loans, queries, service
from community.loans.models import GroupLoan, Loan, LoanStatus
from community.members import queries as members
from community.money import Money
from community.products import queries as products

LoanPageSchema = page_of(LoanSummarySchema)

blp = Blueprint("loans", __name__, description="Loans and group loans")


@blp.route("/communities/<pid(com):community_id>/quote")
@requires("quote:read")
@blp.arguments(QuoteArgs, location="query")
@blp.response(200, QuoteSchema)
def get_quote(args: dict[str, Any], community_id: str) -> dict[str, Any]:
    """What a loan would cost: schedule, effective yearly rate, total."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("quote:read", community_facts(session, community))
    on = args["on"] or today()
    quote = service.quote(
        session,
        community_id=community.id,
        product_id=products.get_product(session, args["product"]).id,
        principal=Money.parse(args["amount"], community.currency),
        on=on,
        instalments=args["instalments"],
        season_id=_season_id(args["season"]),
    )
    return views.quote_view(session, quote, on)


@blp.route("/loans", methods=["POST"])
@requires("loan:apply")
@blp.arguments(LoanApplicationSchema)
@blp.response(201, LoanSchema)
@transactional
def apply(data: dict[str, Any]) -> dict[str, Any]:
    """Apply for a loan."""
    session = db.session()
    me = caller().member_id
    community = communities.get_community(session, data["community"])
    named = data["borrower"]
    borrower_id = me if named is None else members.get_member(session, named).id
    permit("loan:apply", community_facts(session, community, borrower_id=borrower_id))
    loan = lines.apply(
        session,
        line_id=_line_id(session, data["credit_line"]),
        community_id=community.id,
        borrower_id=borrower_id,
        product_id=products.get_product(session, data["product"]).id,
        principal=data["principal"],
        instalments=data["instalments"],
        season_id=_season_id(data["season"]),
        purpose=data["purpose"],
        on=today(),
        now=now(),
        actor_id=me,
    )
    show_etag(loan.version)
    return views.loan_view(session, loan)


@blp.route("/me/loans")
@requires("loan:read")
@blp.arguments(LoanListArgs, location="query")
@blp.response(200, LoanPageSchema)
def list_my_loans(args: dict[str, Any]) -> Page:
    """The caller's own loans, newest first."""
    me = caller().member_id
    permit("loan:read", Facts(owner_ids=frozenset({me})))
    return _page(args, borrower_id=me)


@blp.route("/communities/<pid(com):community_id>/loans")
@requires("loan:list")
@blp.arguments(LoanListArgs, location="query")
@blp.response(200, LoanPageSchema)
def list_loans(args: dict[str, Any], community_id: str) -> Page:
    """The loans of a community, newest first: for its officers and auditors."""
    session = db.session()
    community = communities.get_community(session, community_id)
    permit("loan:list", Facts(path=community.path_ids))
    return _page(args, community_ids=[community.id])


@blp.route("/loans/<pid(lon):loan_id>")
@requires("loan:read")
@blp.response(200, LoanSchema)
def get_loan(loan_id: str) -> dict[str, Any]:
    """One loan with its schedule, its life, and what it owes today."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:read", loan_facts(session, loan))
    show_etag(loan.version)
    return views.loan_view(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/endorsements", methods=["POST"])
@requires("endorsement:give")
@blp.arguments(LoanEndorsementInSchema)
@blp.response(201, LoanEndorsementSchema)
@transactional
def endorse(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Give one's word for a loan."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    community = communities.get_community_by_id(session, loan.community_id)
    permit("endorsement:give", community_facts(session, community))
    word = service.endorse(
        session,
        loan_id=loan.id,
        endorser_id=caller().member_id,
        on=today(),
        now=now(),
        comment=data["comment"],
    )
    return views.endorsement_view(session, word)


@blp.route("/loans/<pid(lon):loan_id>/withdrawal", methods=["POST"])
@requires("loan:withdraw")
@blp.arguments(LoanOptionalReasonSchema)
@blp.response(200, LoanSchema)
@transactional
def withdraw(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Take back an application that is not decided yet."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:withdraw", loan_facts(session, loan))
    loan = service.withdraw(
        session,
        loan_id=loan.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        reason=data["reason"],
    )
    return views.loan_view(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/rejection", methods=["POST"])
@requires("loan:reject")
@blp.arguments(LoanReasonSchema)
@blp.response(200, LoanSchema)
@transactional
def reject(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Refuse an application, with the reason."""
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:reject", loan_facts(session, loan))
    loan = service.reject(
        session,
        loan_id=loan.id,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        reason=data["reason"],
    )
    return views.loan_view(session, loan)


@blp.route("/loans/<pid(lon):loan_id>/disbursement", methods=["POST"])
@requires("loan:disburse")
@blp.arguments(DisbursementInSchema)
@money_moving(LoanSchema)
def disburse(data: dict[str, Any], loan_id: str) -> dict[str, Any]:
    """Pay an approved loan out of the lending pool; its schedule begins today.

    Some or all of it goes straight to payees that the loan names, if the body says so.
    """
    session = db.session()
    loan = queries.get_loan(session, loan_id)
    permit("loan:disburse", loan_facts(session, loan))
    loan = service.disburse(
        session,
        loan_id=loan.id,
        payees=parts_of(session, [loan], data["payees"]),
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.loan_view(session, loan)


@blp.route("/groups/<pid(grp):group_id>/loans", methods=["POST"])
@requires("group-loan:apply")
@blp.arguments(GroupLoanApplicationSchema)
@blp.response(201, GroupLoanSchema)
@transactional
def apply_as_group(data: dict[str, Any], group_id: str) -> dict[str, Any]:
    """Apply for a group loan, with a share for each member who borrows."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-loan:apply", group_facts(session, group))
    shares, purposes = _shares(session, data)
    group_loan = lines.apply_as_group(
        session,
        line_id=_line_id(session, data["credit_line"]),
        group_id=group.id,
        product_id=products.get_product(session, data["product"]).id,
        shares=shares,
        total=data["total"],
        instalments=data["instalments"],
        season_id=_season_id(data["season"]),
        purpose=data["purpose"],
        purposes=purposes,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.group_loan_view(session, group_loan)


@blp.route("/groups/<pid(grp):group_id>/loans/quote", methods=["POST"])
@requires("group-loan:apply")
@blp.arguments(GroupQuoteInSchema)
@blp.response(200, GroupQuoteSchema)
def quote_as_group(data: dict[str, Any], group_id: str) -> dict[str, Any]:
    """What a group loan would cost each and all, and who would answer for whom; nothing is kept."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-loan:apply", group_facts(session, group))
    shares, _ = _shares(session, data)
    quote = group_loans.quote_as_group(
        session,
        group_id=group.id,
        product_id=products.get_product(session, data["product"]).id,
        shares=shares,
        currency=data["shares"][0]["amount"].currency,
        instalments=data["instalments"],
        season_id=_season_id(data["season"]),
        on=today(),
        actor_id=caller().member_id,
    )
    return views.group_quote_view(session, quote, today())


@blp.route("/groups/<pid(grp):group_id>/loans")
@requires("group-loan:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(GroupLoanSchema))
def list_group_loans(args: dict[str, Any], group_id: str) -> Page:
    """A group's loans, newest first."""
    session = db.session()
    group = groups.get_group(session, group_id)
    permit("group-loan:read", group_facts(session, group))
    page = paginate(
        session, queries.list_group_loans(group.id), key=GroupLoan.id, args=args, newest_first=True
    )
    return Page(views.group_loan_views(session, page.items), page.next_cursor)


@blp.route("/me/group-loans/waiting")
@requires("group-loan:read")
@blp.arguments(PageArgs, location="query")
@blp.response(200, page_of(GroupLoanSchema))
def list_waiting_group_loans(args: dict[str, Any]) -> Page:
    """Applications of the caller's groups that wait for the caller's word, newest first."""
    session, me = db.session(), caller().member_id
    permit("group-loan:read", Facts(owner_ids=frozenset({me})))
    page = paginate(
        session, group_loans.waiting_for(me), key=GroupLoan.id, args=args, newest_first=True
    )
    return Page(views.group_loan_views(session, page.items), page.next_cursor)


@blp.route("/group-loans/<pid(gln):group_loan_id>")
@requires("group-loan:read")
@blp.response(200, GroupLoanSchema)
def get_group_loan(group_loan_id: str) -> dict[str, Any]:
    """One group loan with the share of each member."""
    session = db.session()
    group_loan = queries.get_group_loan(session, group_loan_id)
    permit("group-loan:read", group_loan_facts(session, group_loan))
    group = groups.get_group_by_id(session, group_loan.group_id)
    knows = may("group-loan:read", group_facts(session, group))
    return views.group_loan_view(session, group_loan, knows_group=knows)


@blp.route("/group-loans/<pid(gln):group_loan_id>/endorsements", methods=["POST"])
@requires("endorsement:give")
@blp.arguments(LoanEndorsementInSchema)
@blp.response(201, LoanEndorsementListSchema)
@transactional
def endorse_group_loan(data: dict[str, Any], group_loan_id: str) -> dict[str, Any]:
    """Give one's word for every share of a group loan but one's own and one's household's."""
    session = db.session()
    group_loan = queries.get_group_loan(session, group_loan_id)
    community = communities.get_community_by_id(session, group_loan.community_id)
    permit("endorsement:give", community_facts(session, community))
    words = service.endorse_group_loan(
        session,
        group_loan_id=group_loan.id,
        endorser_id=caller().member_id,
        on=today(),
        now=now(),
        comment=data["comment"],
    )
    return {"items": [views.endorsement_view(session, word) for word in words]}


@blp.route("/group-loans/<pid(gln):group_loan_id>/withdrawal", methods=["POST"])
@requires("group-loan:withdraw")
@blp.arguments(LoanOptionalReasonSchema)
@blp.response(200, GroupLoanSchema)
@transactional
def withdraw_group_loan(data: dict[str, Any], group_loan_id: str) -> dict[str, Any]:
    """Take back a group application, all shares of it."""
    session = db.session()
    group_loan = queries.get_group_loan(session, group_loan_id)
    permit("group-loan:withdraw", group_loan_facts(session, group_loan))
    return _end(group_loan, LoanStatus.WITHDRAWN, data["reason"])


@blp.route("/group-loans/<pid(gln):group_loan_id>/rejection", methods=["POST"])
@requires("group-loan:reject")
@blp.arguments(LoanReasonSchema)
@blp.response(200, GroupLoanSchema)
@transactional
def reject_group_loan(data: dict[str, Any], group_loan_id: str) -> dict[str, Any]:
    """Refuse a group application, all shares of it, with the reason."""
    session = db.session()
    group_loan = queries.get_group_loan(session, group_loan_id)
    permit("group-loan:reject", group_loan_facts(session, group_loan))
    return _end(group_loan, LoanStatus.REJECTED, data["reason"])


@blp.route("/group-loans/<pid(gln):group_loan_id>/disbursement", methods=["POST"])
@requires("group-loan:disburse")
@blp.arguments(DisbursementInSchema)
@money_moving(GroupLoanSchema)
def disburse_group_loan(data: dict[str, Any], group_loan_id: str) -> dict[str, Any]:
    """Pay all shares of an approved group loan out of the lending pool, or none.

    Payees are those of the shares' uses.
    """
    session = db.session()
    group_loan = queries.get_group_loan(session, group_loan_id)
    permit("group-loan:disburse", group_loan_facts(session, group_loan))
    shares = queries.list_shares(session, group_loan.id)
    group_loan = service.disburse_group_loan(
        session,
        group_loan_id=group_loan.id,
        payees=parts_of(session, shares, data["payees"]),
        on=today(),
        now=now(),
        actor_id=caller().member_id,
    )
    return views.group_loan_view(session, group_loan)


def _shares(session: Session, data: dict[str, Any]) -> tuple[dict[int, int], dict[int, str]]:
    """Who borrows how much, and what for where it is said; by member id."""
    shares: dict[int, int] = {}
    purposes: dict[int, str] = {}
    for share in data["shares"]:
        member_id = members.get_member(session, share["member"]).id
        shares[member_id] = share["amount"].amount_minor
        if share["purpose"] is not None:
            purposes[member_id] = share["purpose"]
    return shares, purposes


def _line_id(session: Session, public_id: str | None) -> int | None:
    """The line to draw on, if one is named that the caller may know."""
    if public_id is None:
        return None
    line = credit_lines.get_line(session, public_id)
    if not may("credit-line:read", line_facts(session, line)):
        raise LineNotFound()
    return line.id


def _end(group_loan: GroupLoan, to: LoanStatus, reason: str) -> dict[str, Any]:
    session = db.session()
    ended = service.end_group_application(
        session,
        group_loan_id=group_loan.id,
        to=to,
        on=today(),
        now=now(),
        actor_id=caller().member_id,
        reason=reason,
    )
    return views.group_loan_view(session, ended)


def _page(args: dict[str, Any], **filters: Any) -> Page:
    session = db.session()
    statuses = [args["status"]] if args["status"] is not None else []
    statement = queries.list_loans(**filters, statuses=statuses)
    page = paginate(session, statement, key=Loan.id, args=args, newest_first=True)
    return Page(views.loan_summaries(session, page.items), page.next_cursor)


def _season_id(public_id: str | None) -> int | None:
    return None if public_id is None else products.get_season(db.session(), public_id).id
