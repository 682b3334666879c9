"""What a member's own page shows: read by the services that the API uses, as the API permits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import SimpleNamespace
from typing import Any

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.pages.charts import Picture
from app.pages.layout import money_text
from app.pages.member.changes import changes_to_answer
from app.pages.member.drawing import draw
from app.pages.member.group_loans import waiting_for_me
from app.pages.member.limits import helpful
from app.pages.words import Words
from app.permissions import Facts, permit
from community.communities import queries as communities
from community.communities.models import Community, MembershipStatus
from community.credit import service as credit
from community.credit.explain import CreditLimit, Growth
from community.errors import CommunityError
from community.guarantees import queries as guarantees
from community.guarantees.models import Call
from community.loans import queries as loans
from community.loans import service as loan_service
from community.loans.models import Loan
from community.members import queries as members
from community.members.models import Member
from community.members.queries import Named
from community.money import format_minor
from community.trust import queries as trust
from community.trust.queries import Exposure

# The page is for a phone; the API has the rest.
_MOST_LISTED = 12
_DUES_LISTED = 5
_RAISES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A member's standing in one community; without a limit there is the reason instead."""

    community: Community
    limit: CreditLimit | None
    reason: str
    picture: Picture | None
    exposure: Exposure
    raises: tuple[Growth, ...]


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan of the member's own."""

    loan: Loan
    currency: str
    owed_minor: int
    days_overdue: int
    # What is not yet paid of it, the earliest first.
    dues: tuple["DueView", ...]


@dataclass(frozen=True, slots=True)
class DueView:
    """What has to be paid of a loan on a day."""

    loan: Loan
    currency: str
    on: date
    amount_minor: int
    is_late: bool


@dataclass(frozen=True, slots=True)
class MemberPage:
    """All that the page shows."""

    member: Member
    places: tuple[PlaceView, ...]
    loans: tuple[LoanView, ...]
    calls: tuple[Call, ...]
    # Changes of cover that wait for the member's yes or no.
    to_answer: list[SimpleNamespace]
    # By loan id: whose it is, and in which currency.
    borrowers: Mapping[int, Named]
    currencies: Mapping[int, str]
    # Applications of the member's groups that wait for their word.
    waiting: Sequence[Mapping[str, Any]]

    @property
    def dues(self) -> list[DueView]:
        """What falls due next over all loans."""
        found = [due for loan in self.loans for due in loan.dues]
        return sorted(found, key=lambda due: (due.on, due.loan.id))[:_DUES_LISTED]


def member_page(session: Session, member_id: int, on: date, words: Words) -> MemberPage:
    """Read everything for the caller's own page. Raises NotAllowed, NotFound as the API does."""
    member = members.get_member_by_id(session, member_id)
    own = Facts(owner_ids=frozenset({member_id}))
    for action in ("loan:read", "call:read", "group-loan:read"):
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
            _place(session, community, member, on, words)
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
        to_answer=changes_to_answer(session, member_id),
        borrowers={loan.id: names[loan.borrower_id] for loan in found.values()},
        currencies={loan.id: loan_service.currency_of(loan) for loan in found.values()},
        waiting=waiting_for_me(session, _MOST_LISTED),
    )


def _place(
    session: Session, community: Community, member: Member, on: date, words: Words
) -> PlaceView:
    facts = Facts(path=community.path_ids, owner_ids=frozenset({member.id}))
    permit("limit:read", facts)
    permit("standing:read", facts)
    limit, reason = None, ""
    try:
        limit = credit.credit_limit(session, community_id=community.id, member_id=member.id, on=on)
    except CommunityError as refusal:
        reason = words.problem(refusal)[0]
    return PlaceView(
        community=community,
        limit=limit,
        reason=reason,
        picture=(
            _behind(words, community, member, limit) if limit is not None and limit.paths else None
        ),
        exposure=trust.exposure_of(
            session,
            community_id=community.id,
            member_id=member.id,
            currency=community.currency,
            on=on,
        ),
        raises=() if limit is None else tuple(helpful(limit)[:_RAISES_SHOWN]),
    )


def _behind(words: Words, community: Community, member: Member, limit: CreditLimit) -> Picture:
    """Who stands behind a new loan of the member's: drawn, and as a table."""
    paths = sorted(limit.paths, key=lambda path: -path.amount_minor)
    lines = [
        (
            path.standing_of.name if path.vouches else words("own"),
            words("comma").join(via.name for via in path.via) or words("directly"),
            path.amount_minor,
        )
        for path in paths
    ]
    currency = limit.currency
    return Picture(
        svg=draw(words, member.name, limit.paths, currency),
        title=words("behind_me"),
        caption=words("behind_me_help"),
        columns=((words("who"), ""), (words("through"), ""), (words("covers"), "n")),
        rows=tuple(
            (who, via, money_text(words.language, minor, currency)) for who, via, minor in lines
        ),
        sheet_rows=tuple((who, via, format_minor(minor, currency)) for who, via, minor in lines),
        csv_url=url_for("member.behind_me_csv", community_id=community.public_id),
    )


def _loan(session: Session, loan: Loan, on: date) -> LoanView:
    file = loans.get_loan_file(session, loan, on)
    currency = loan_service.currency_of(loan)
    is_live = file.owed.total_minor > 0 and loan.ended_on is None
    return LoanView(
        loan=loan,
        currency=currency,
        owed_minor=file.owed.total_minor,
        days_overdue=file.owed.days_overdue,
        dues=tuple(
            DueView(loan, currency, row.due_on, row.due_minor - row.paid_minor, row.due_on < on)
            for row in file.instalments
            if is_live and row.paid_minor < row.due_minor
        ),
    )
