"""Where an officer, an operator or an auditor begins: their communities, and one's day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Response
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.extensions import db
from app.marks import limited
from app.pages.layout import page
from app.pages.lists import listed
from app.pages.office.complaints import queue
from app.pages.office.room import can, enter, pages, show
from app.pages.office.themes import count_ungrouped
from app.permissions import may, permit, requires
from community.communities import queries as communities
from community.communities.models import Community, Membership, MembershipStatus
from community.feedback.models import ComplaintStatus, ThemeStatus
from community.feedback.themes import list_themes
from community.guarantees.models import CallStatus
from community.guarantees.queries import list_calls
from community.ledger.models import Book
from community.loans.models import Loan, LoanStatus
from community.loans.states import LIVE
from community.members.principal import Role
from community.monitoring.queries import count_open_cases
from community.portfolio.at_risk import RiskReport, portfolio_at_risk
from community.portfolio.queries import ClassReport, class_report


@dataclass(frozen=True, slots=True)
class Counts:
    """What is going on in one community itself, without those inside it."""

    to_decide: int = 0
    to_pay_out: int = 0
    applicants: int = 0
    loans: int = 0
    outstanding_minor: int = 0
    open_cases: int = 0
    closed_through: date | None = None
    records: int = 0


def counts_of(session: Session, ids: list[int]) -> Mapping[int, Counts]:
    """By community; six statements, however many."""

    def by_community(query: Select[*tuple[Any, ...]]) -> dict[int, Any]:
        return {row[0]: row for row in session.execute(query)}

    def counted(key: Any, *where: Any) -> Select[*tuple[Any, ...]]:
        return select(key, func.count()).where(key.in_(ids), *where).group_by(key)

    endorsed = by_community(counted(Loan.community_id, Loan.status == LoanStatus.ENDORSED))
    approved = by_community(counted(Loan.community_id, Loan.status == LoanStatus.APPROVED))
    applied = by_community(
        counted(Membership.community_id, Membership.status == MembershipStatus.APPLIED)
    )
    cases = count_open_cases(session, ids, reader_id=caller().member_id)
    lent = by_community(
        select(Loan.community_id, func.count(), func.sum(Loan.outstanding_minor))
        .where(Loan.community_id.in_(ids), Loan.status.in_(LIVE), Loan.outstanding_minor > 0)
        .group_by(Loan.community_id)
    )
    books = by_community(
        select(Book.community_id, Book.closed_through, Book.records).where(
            Book.community_id.in_(ids)
        )
    )
    none: tuple[Any, ...] = (None, 0, 0)
    return {
        key: Counts(
            to_decide=endorsed.get(key, none)[1],
            to_pay_out=approved.get(key, none)[1],
            applicants=applied.get(key, none)[1],
            loans=lent.get(key, none)[1],
            outstanding_minor=int(lent.get(key, none)[2]),
            open_cases=cases.get(key, 0),
            closed_through=books[key][1] if key in books else None,
            records=books.get(key, none)[2],
        )
        for key in ids
    }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """What members of one community wait to be answered, as far as the reader may see it."""

    disputes: int
    complaints: int
    ungrouped: int
    to_decide: int


def unanswered(session: Session, community: Community) -> Unanswered:
    """Four statements. A count is that of the list behind it, so that it tells nothing more."""

    def count(query: Select[*tuple[Any, ...]]) -> int:
        return session.scalar(select(func.count()).select_from(query.subquery())) or 0

    return Unanswered(
        disputes=count(list_calls(community.id, CallStatus.DISPUTED)),
        complaints=count(queue(community, ComplaintStatus.OPEN)),
        ungrouped=count_ungrouped(session, community),
        to_decide=count(list_themes(community.id, ThemeStatus.VOTED)),
    )


def looked_after() -> tuple[list[Community], str, str]:
    """A page of the communities that the caller looks after or audits, and the ways on and back."""
    principal = caller()
    statement = communities.list_communities(
        member_id=0,  # what one is a member of only is for one's own pages
        below={
            grant.community_id
            for grant in principal.grants
            if grant.role in (Role.OFFICER, Role.AUDITOR) and grant.community_id is not None
        },
        everywhere=principal.holds(Role.OFFICER, Role.OPERATOR, Role.AUDITOR),
    )
    found, older, first = listed(db.session(), statement, Community.id, newest_first=False)
    return found.items, older, first


@pages.listed("communities")
@pages.get("/office")
@requires("office:list")
def home() -> Response:
    """The communities that I look after or audit."""
    permit("office:list")
    found, older, first = looked_after()
    session = db.session()
    return page(
        "office/home.html",
        communities=found,
        counts=counts_of(session, [community.id for community in found]),
        older=older,
        first=first,
        keeps_platform=may("webhook:keep"),
    )


@pages.listed("today")
@pages.get("/office/<pid(com):community_id>")
@requires("office:read")
@limited("heavy")
def community_day(community_id: str) -> Response:
    """One community today: what waits, what is lent, where the books are."""
    community = enter(community_id)
    session = db.session()
    risk: RiskReport = portfolio_at_risk(session, community=community, on=today(), today=today())
    classes: ClassReport = class_report(session, community=community)
    return show(
        "today",
        community,
        counts=counts_of(session, [community.id])[community.id],
        unanswered=unanswered(session, community),
        risk=risk,
        classes=classes,
        may_see_cases=can(community, "case-queue:read"),
    )
