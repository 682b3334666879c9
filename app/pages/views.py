"""What a member's own page shows: read by the services that the API uses, as the API permits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.pages.drawing import Drawing, draw
from app.permissions import Facts, permit
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.credit import service as credit
from community.credit.explain import CreditLimit
from community.errors import CommunityError
from community.guarantees import queries as guarantees
from community.guarantees.models import Call
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan
from community.members import queries as members
from community.members.models import Member
from community.members.queries import Named
from community.trust import queries as trust
from community.trust.queries import Exposure

# The page is for a phone; the API has the rest.
_MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A member's standing in one community; without a limit there is the reason instead."""

    community: Community
    limit: CreditLimit | None
    reason: str
    drawing: Drawing | None
    exposure: Exposure


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan of the member's own."""

    loan: Loan
    currency: str
    owed_minor: int
    days_overdue: int
    next_due_on: date | None
    next_due_minor: int


@dataclass(frozen=True, slots=True)
class MemberPage:
    """All that the page shows."""

    member: Member
    places: tuple[PlaceView, ...]
    loans: tuple[LoanView, ...]
    calls: tuple[Call, ...]
    # By loan id: whose it is, and in which currency.
    borrowers: Mapping[int, Named]
    currencies: Mapping[int, str]


def member_page(session: Session, member_id: int, on: date) -> MemberPage:
    """Read everything for the caller's own page. Raises NotAllowed, NotFound as the API does."""
    member = members.get_member_by_id(session, member_id)
    own = Facts(owner_ids=frozenset({member_id}))
    for action in ("loan:read", "call:read"):
        permit(action, own)
    calls = session.scalars(
        guarantees.calls_on(member_id).order_by(Call.id.desc()).limit(_MOST_LISTED)
    ).all()
    called = {call.loan_id for call in calls}
    found = {loan.id: loan for loan in session.scalars(select(Loan).where(Loan.id.in_(called)))}
    names = members.names_of(session, (loan.borrower_id for loan in found.values()))
    return MemberPage(
        member=member,
        places=tuple(
            _place(session, community, member, on)
            for membership, community in communities.memberships_of(session, member_id)
            if membership.status is MembershipStatus.ACTIVE
        ),
        loans=tuple(
            _loan(session, loan, on)
            for loan in session.scalars(
                loans.list_loans(borrower_id=member_id).order_by(Loan.id.desc()).limit(_MOST_LISTED)
            )
        ),
        calls=tuple(calls),
        borrowers={loan.id: names[loan.borrower_id] for loan in found.values()},
        currencies={loan.id: loan_service.currency_of(loan) for loan in found.values()},
    )


def _place(session: Session, community: Community, member: Member, on: date) -> PlaceView:
    facts = Facts(path=community.path_ids, owner_ids=frozenset({member.id}))
    permit("limit:read", facts)
    permit("standing:read", facts)
    limit, reason = None, ""
    try:
        limit = credit.credit_limit(session, community_id=community.id, member_id=member.id, on=on)
    except CommunityError as refusal:
        reason = refusal.title
    return PlaceView(
        community=community,
        limit=limit,
        reason=reason,
        drawing=draw(member.name, limit.paths) if limit is not None and limit.paths else None,
        exposure=trust.exposure_of(
            session,
            community_id=community.id,
            member_id=member.id,
            currency=community.currency,
            on=on,
        ),
    )


def _loan(session: Session, loan: Loan, on: date) -> LoanView:
    file = loans.get_loan_file(session, loan, on)
    due = next(
        (row for row in file.instalments if row.paid_minor < row.due_minor),
        None,
    )
    live = due is not None and file.owed.total_minor > 0 and loan.ended_on is None
    return LoanView(
        loan=loan,
        currency=loan_service.currency_of(loan),
        owed_minor=file.owed.total_minor,
        days_overdue=file.owed.days_overdue,
        next_due_on=due.due_on if live and due is not None else None,
        next_due_minor=(due.due_minor - due.paid_minor if live and due is not None else 0),
    )
