"""The collection sheet of a group as it is handed out: everybody, what they owe, what they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.groups import queries as groups
from community.groups.models import Group
from community.loans import queries as loans
from community.loans.models import Loan
from community.loans.queries import LoanDues
from community.members import queries as members
from community.members.queries import Named
from community.savings import queries as savings
from community.savings.queries import Balances


@dataclass(frozen=True, slots=True)
class SheetLoan:
    """One live loan; `suggested_minor` is what is due by the end of the day, else the next due."""

    loan: Loan
    dues: LoanDues

    @property
    def suggested_minor(self) -> int:
        return self.dues.due_minor or self.dues.next_due_minor


@dataclass(frozen=True, slots=True)
class SheetMember:
    """One member of the group."""

    who: Named
    savings: Balances
    loans: tuple[SheetLoan, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A group's page for one meeting."""

    group: Group
    on: date
    currency: str
    members: tuple[SheetMember, ...]


def sheet_of(
    session: Session, *, group: Group, on: date, only: Sequence[int] | None = None
) -> Sheet:
    """The group's sheet for a day; `only` leaves out everybody but these members.

    The number of statements does not grow with the group or its loans.
    """
    community = communities.get_community_by_id(session, group.community_id)
    ids = [
        place.member_id
        for place in groups.living_members(session, group.id)
        if only is None or place.member_id in only
    ]
    names = members.names_of(session, ids)
    owing = loans.live_loans(session, community_id=community.id, borrower_ids=ids)
    dues = loans.dues_of(session, [loan for own in owing.values() for loan in own], on)
    held = savings.balances_of_many(session, community_id=community.id, member_ids=ids)
    return Sheet(
        group=group,
        on=on,
        currency=community.currency,
        members=tuple(
            SheetMember(
                who=names[member_id],
                savings=held[member_id],
                loans=tuple(SheetLoan(loan, dues[loan.id]) for loan in owing.get(member_id, ())),
            )
            for member_id in ids
        ),
    )
