"""Loan applications to decide: who asks for what, what the limit says, yes or no."""

from typing import Any

import marshmallow as ma
from flask import Response, request, url_for

from app.auth import acting, caller
from app.clock import now, today
from app.credit import permissions as _permissions  # noqa: F401  declares loan:approve
from app.extensions import db
from app.fields import Schema, Text
from app.loans.facts import group_loan_facts, loan_facts
from app.loans.views import loan_summaries
from app.marks import limited
from app.pages.forms import Form, Nothing, answer, read_query
from app.pages.layout import say
from app.pages.lists import listed
from app.pages.loan_file import ASKED, read_loan
from app.pages.office.payouts import next_part_of, payout_of
from app.pages.office.room import enter, pages, show, words
from app.paging import PageArgs
from app.permissions import may, permit, requires
from community.communities.models import Community
from community.credit import service as credit
from community.credit.explain import CreditLimit
from community.errors import CommunityError
from community.loans import queries, service
from community.loans.errors import LoanNotFound
from community.loans.models import Loan, LoanStatus
from community.loans.states import LIVE
from community.products import queries as products

# In the order of what is to be done; the first is shown first: what can be decided now.
STATUSES = (
    LoanStatus.ENDORSED,
    LoanStatus.SUBMITTED,
    LoanStatus.APPROVED,
    LoanStatus.OVERDUE,
    LoanStatus.CALLED,
    LoanStatus.CURRENT,
    LoanStatus.RESTRUCTURED,
    LoanStatus.CLOSED,
    LoanStatus.WRITTEN_OFF,
    LoanStatus.REJECTED,
    LoanStatus.WITHDRAWN,
    LoanStatus.EXPIRED,
)


class LoansArgs(PageArgs):
    """A page of the loans in one state."""

    status = ma.fields.Enum(
        LoanStatus,
        by_value=ma.fields.String,
        load_default=LoanStatus.ENDORSED,
        validate=ma.validate.OneOf(STATUSES),
    )


class Refusal(Schema):
    """Why an application is refused."""

    reason = Text(500, required=True)


@pages.listed("loans_page")
@pages.get("/office/<pid(com):community_id>/loans")
@requires("loan:list")
def loans(community_id: str) -> Response:
    """The community's loans in one state, those to decide first."""
    community = enter(community_id, "loan:list")
    session = db.session()
    _, args = read_query(LoansArgs())
    status = args.get("status", LoanStatus.ENDORSED)
    found, older, first = listed(
        session,
        queries.list_loans(community_ids=[community.id], statuses=[status]),
        Loan.id,
        status=status.value,
    )
    return show(
        "loans",
        community,
        state=status,
        statuses=STATUSES,
        loans=loan_summaries(session, found.items),
        older=older,
        first=first,
    )


@pages.get("/office/<pid(com):community_id>/loans/<pid(lon):loan_id>")
@requires("loan:read")
@limited("heavy")
def loan(community_id: str, loan_id: str) -> Response:
    """One application with what the limit says, or one loan with its life so far."""
    community = enter(community_id)
    return _loan_page(community, own_loan(community, loan_id), Form())


@pages.route("/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/approval", methods=["POST"])
@requires("loan:approve")
@limited("heavy")
def approve(community_id: str, loan_id: str) -> Any:
    """Approve, if the limit admits it: the cover is reserved. A group's shares go together."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = decided(community_id, loan_id, "loan:approve", "group-loan:approve")
        step = acting()
        if found.group_loan_id is not None:
            credit.approve_group_loan(session, group_loan_id=found.group_loan_id, **step)
        else:
            credit.approve_loan(session, loan_id=found.id, **step)
        return url_for("office.loan", community_id=community_id, loan_id=loan_id)

    done = answer(Nothing, work, lambda form: again(community_id, loan_id, "loan:approve", form))
    if done.status_code == 303:
        say("office", "loan_approved")
    return done


@pages.route("/office/<pid(com):community_id>/loans/<pid(lon):loan_id>/rejection", methods=["POST"])
@requires("loan:reject")
def reject(community_id: str, loan_id: str) -> Any:
    """Refuse an application, with the reason that its borrower will read."""

    def work(data: dict[str, Any]) -> str:
        session = db.session()
        found = decided(community_id, loan_id, "loan:reject", "group-loan:reject")
        step: dict[str, Any] = {
            "on": today(),
            "now": now(),
            "actor_id": caller().member_id,
            "reason": data["reason"],
        }
        if found.group_loan_id is not None:
            service.end_group_application(
                session, group_loan_id=found.group_loan_id, to=LoanStatus.REJECTED, **step
            )
        else:
            service.reject(session, loan_id=found.id, **step)
        return url_for("office.loans", community_id=community_id)

    done = answer(Refusal, work, lambda form: again(community_id, loan_id, "loan:reject", form))
    if done.status_code == 303:
        say("office", "loan_refused")
    return done


def constraint_name(name: str) -> str:
    """What a limit is called."""
    t = words()
    return t.of("limit", name) if t.find(f"limit.{name}") else name


def own_loan(community: Community, loan_id: str) -> Loan:
    """A loan of this community that the caller may see. Raises LoanNotFound."""
    found = queries.get_loan(db.session(), loan_id)
    if found.community_id != community.id:
        raise LoanNotFound()
    permit("loan:read", loan_facts(db.session(), found))
    return found


def decided(community_id: str, loan_id: str, action: str, of_group: str) -> Loan:
    """The loan that a step is taken on, of whoever may do so."""
    session = db.session()
    found = own_loan(enter(community_id), loan_id)
    permit(action, loan_facts(session, found))
    if found.group_loan_id is not None:
        group_loan = queries.get_group_loan_by_id(session, found.group_loan_id)
        permit(of_group, group_loan_facts(session, group_loan))
    return found


def again(community_id: str, loan_id: str, action: str, form: Form) -> Response:
    """The loan's page once more, with what is wrong with the form that was sent from it."""
    community = enter(community_id)
    found = own_loan(community, loan_id)
    # The question whether the caller may was asked in the unit of work, or is asked now.
    permit(action, loan_facts(db.session(), found))
    return _loan_page(community, found, form)


def _loan_page(community: Community, found: Loan, form: Form) -> Response:
    session = db.session()
    view = read_loan(session, found.public_id)
    shares = (
        queries.list_shares(session, found.group_loan_id) if found.group_loan_id is not None else []
    )
    version = products.get_version(session, found.product_version_id)
    is_open = found.status in ASKED
    is_approved = found.status is LoanStatus.APPROVED
    payout = None
    if is_approved and may("loan:disburse", view.facts):
        payout = payout_of(session, found)
    elif found.status in LIVE and may("loan:pay-out", view.facts):
        payout = next_part_of(session, found, len(view.file.disbursements))
    limit, reason = _limit(community, found) if is_open else (None, None)
    # What was just paid, if the address says so and it is of this loan.
    taken = request.args.get("receipt", "")
    return show(
        "loan",
        community,
        form=form,
        view=view,
        product=products.get_product_by_id(session, version.product_id),
        version=version.version,
        shares=loan_summaries(session, shares),
        limit=limit,
        no_limit=reason,
        constraint_name=constraint_name,
        is_open=is_open,
        may_approve=found.status is LoanStatus.ENDORSED and may("loan:approve", view.facts),
        may_reject=is_open and may("loan:reject", view.facts),
        payout=payout,
        may_cancel=is_approved and may("loan:cancel", view.facts),
        may_pay_calls=found.status is LoanStatus.CALLED and may("call:pay", view.facts),
        may_take=(view.file.owed.total_minor or view.claimed_minor) > 0
        and may("repayment:record", view.facts),
        taken=next((row for row in view.file.repayments if row.public_id == taken), None),
    )


def _limit(community: Community, found: Loan) -> tuple[CreditLimit | None, CommunityError | None]:
    try:
        return credit.credit_limit(
            db.session(),
            community_id=community.id,
            member_id=found.borrower_id,
            on=today(),
            product_version_id=found.product_version_id,
            line_id=found.line_id,
        ), None
    except CommunityError as refusal:
        return None, refusal
