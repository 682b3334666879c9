"""What a leader sees of a group: read by the queries that the API uses, as the API permits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.auth import caller
from app.clock import today
from app.groups.facts import group_facts
from app.loans.facts import group_facts as loan_group_facts
from app.monitoring.views import case_views
from app.permissions import Facts, may, permit
from community.communities import queries as communities
from community.communities.models import Community
from community.groups import queries as groups
from community.groups.models import Group, GroupMember, GroupStatus
from community.members import queries as members
from community.members.models import Member
from community.monitoring import meetings
from community.monitoring import queries as monitoring
from community.monitoring.models import CaseStatus, Meeting, MeetingPlan, RiskCase
from community.receiving.sheet import SheetMember, sheet_of

# What a phone shows at once; the API pages through the rest.
GROUPS_SHOWN = 20
CASES_SHOWN = 12
MEETINGS_SHOWN = 6
# Attendance is told of so many meetings.
MEETINGS_COUNTED = 10


@dataclass(frozen=True, slots=True)
class PersonView:
    """A member as their leader sees them."""

    place: GroupMember
    who: Member
    sheet: SheetMember | None
    attendance: tuple[int, int] | None

    @property
    def past_due_minor(self) -> int:
        """What is late."""
        return sum(loan.dues.past_due_minor for loan in self.sheet.loans) if self.sheet else 0

    @property
    def due_today_minor(self) -> int:
        """What is to be paid today."""
        return sum(loan.dues.due_today_minor for loan in self.sheet.loans) if self.sheet else 0

    @property
    def owed_minor(self) -> int:
        """All that is owed on loans."""
        return sum(loan.dues.owed_minor for loan in self.sheet.loans) if self.sheet else 0

    @property
    def next_due(self) -> tuple[date, int] | None:
        """What comes next after today."""
        coming = [
            (loan.dues.next_due_on, loan.dues.next_due_minor)
            for loan in (self.sheet.loans if self.sheet else ())
            if loan.dues.next_due_on is not None
        ]
        return min(coming) if coming else None


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A group at a glance."""

    group: Group
    community: Community
    leader: str
    people: tuple[PersonView, ...]
    plan: MeetingPlan | None
    meets_on: date | None
    meetings: Sequence[Meeting]
    cases: Sequence[Mapping[str, Any]]
    may_see_loans: bool
    # Whether the caller may write sheets and meetings, and not only look.
    leads: bool

    @property
    def currency(self) -> str:
        return self.community.currency

    @property
    def due_minor(self) -> int:
        """What everybody is to pay by the end of the day."""
        return sum(one.past_due_minor + one.due_today_minor for one in self.people)

    @property
    def late(self) -> int:
        """How many are late."""
        return sum(one.past_due_minor > 0 for one in self.people)


def led_group(session: Session, public_id: str, action: str) -> tuple[Group, Facts]:
    """A group on which the caller may do this."""
    group = groups.get_group(session, public_id)
    facts = group_facts(session, group)
    permit(action, facts)
    return group, facts


def led_groups(session: Session) -> Sequence[Group]:
    """The groups that the caller leads and that are not over."""
    return session.scalars(
        select(Group)
        .where(Group.leader_id == caller().member_id, Group.status != GroupStatus.DISSOLVED)
        .order_by(Group.id)
        .limit(GROUPS_SHOWN)
    ).all()


def group_page(session: Session, group: Group, facts: Facts) -> GroupPage:
    """Everything of a group; a fixed number of statements."""
    on = today()
    community = communities.get_community_by_id(session, group.community_id)
    sheet = sheet_of(session, group=group, on=on)
    found = {one.who.member_id: one for one in sheet.members}
    counts = meetings.attendance_counts(session, group_id=group.id, latest=MEETINGS_COUNTED)
    plan = meetings.find_plan(session, group.id)
    cases: Sequence[RiskCase] = ()
    if may("group-case:read", facts):
        query = monitoring.list_group_cases(
            group.id, reader_id=caller().member_id, status=CaseStatus.OPEN
        )
        cases = session.scalars(query.order_by(RiskCase.id.desc()).limit(CASES_SHOWN)).all()
    rules = monitoring.rules_in(session, [case.id for case in cases])
    listed = [
        (place, who)
        for place, who in groups.members_of(session, group.id)
        if place.status in groups.LISTED
    ]
    names = members.names_of(session, [group.leader_id])
    return GroupPage(
        group=group,
        community=community,
        leader=names[group.leader_id].name if group.leader_id in names else "",
        people=tuple(
            PersonView(place, who, found.get(who.id), counts.get(who.id)) for place, who in listed
        ),
        plan=plan,
        meets_on=meetings.planned(plan, on=on, count=1)[0] if plan is not None else None,
        meetings=session.scalars(
            meetings.list_meetings(group.id)
            .order_by(Meeting.held_on.desc(), Meeting.id.desc())
            .limit(MEETINGS_SHOWN)
        ).all(),
        cases=[
            view | {"rules": rules[case.id]}
            for view, case in zip(case_views(session, cases), cases, strict=True)
        ],
        may_see_loans=may("group-loan:read", loan_group_facts(session, group)),
        leads=may("collection:post", facts),
    )
