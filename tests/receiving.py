"""A hamlet with a group whose members owe, for tests of money coming in."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.loans.models import Loan
from community.receiving.collecting import Entry
from community.receiving.matching import Line
from tests.hamlet import FAR, Hamlet, yuan


@dataclass
class Circle:
    """Three members of an active group, each with a loan; the first leads."""

    hamlet: Hamlet
    group: Group
    loans: dict[str, Loan]

    def id(self, name: str) -> int:
        return self.hamlet.people[name].id

    def entry(self, name: str, amount: int, **more: Any) -> Entry:
        """A line on the member's loan."""
        loan = self.loans[name]
        return Entry(self.id(name), yuan(amount), loan_id=loan.id, **more)

    def deposit(self, name: str, amount: int) -> Entry:
        return Entry(self.id(name), yuan(amount))

    @property
    def meeting(self) -> dict[str, Any]:
        """What every sheet of today says."""
        return {
            "group_id": self.group.id,
            "collected_on": self.hamlet.day,
            "actor_id": self.id("ann"),
            **self.hamlet.when,
        }


def make_circle(session: Session, *names: str, principal: int = 300_00) -> Circle:
    """The group of ann, bo and cai (or others), with loans of 300.00 in three instalments."""
    hamlet = Hamlet(session)
    people = names or ("ann", "bo", "cai")
    for name in people:
        hamlet.person(name, stake=principal)
    hamlet.fund(principal * len(people), 10_00)
    leader = hamlet.people[people[0]]
    group = Group(
        community_id=hamlet.community.id,
        name="East bank",
        status=GroupStatus.ACTIVE,
        pair_cap_minor=100_00,
        vouch_expires_on=FAR,
        founder_id=leader.id,
        leader_id=leader.id,
        leader_until_on=FAR,
        created_at=hamlet.now,
    )
    session.add(group)
    session.flush()
    for name in people:
        session.add(
            GroupMember(
                group_id=group.id,
                community_id=hamlet.community.id,
                member_id=hamlet.people[name].id,
                status=GroupMemberStatus.SIGNED,
                understood_at=hamlet.now,
                signed_at=hamlet.now,
                invited_by_id=leader.id,
                invited_at=hamlet.now,
            )
        )
    session.commit()
    return Circle(hamlet, group, {name: hamlet.lend(name, principal, 3) for name in people})


def bank_line(reference: str, amount: int, text: str = "", **more: Any) -> Line:
    """A credit of the bank."""
    day: date = more.pop("booked_on", date(2026, 3, 2))
    currency: str = more.pop("currency", "CNY")
    return Line(reference, day, amount, currency, text=text, **more)
