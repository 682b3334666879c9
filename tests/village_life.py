"""A small village for tests: a community with a charter, members, a group on its way.

Every step commits, as requests do: locks are taken in one order within a unit of work.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy.orm import Session

from community.communities import service as communities
from community.communities import templates
from community.communities.models import Community, CommunityKind
from community.groups import service as groups
from community.groups.models import Group
from community.groups.understanding import Question
from community.members import service as members
from community.members.models import Member, MemberKind
from community.money import Money

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ON = date(2026, 11, 23)
PROMISE_END = date(2027, 11, 23)


def yuan(amount: int) -> Money:
    """Whole yuan."""
    return Money(amount * 100, "CNY")


def rules(template: str = "village-cooperative", **changes: Any) -> dict[str, Any]:
    """A charter document: a template with some rules changed."""
    document: dict[str, Any] = templates.load(template)["rules"]
    for name, value in changes.items():
        document[name] = {"value": value, "source": "this test"}
    return document


def found_village(
    session: Session, name: str = "Nanhu", *, parent: Community | None = None, **changes: Any
) -> Community:
    """A community in force with the village charter; `changes` are rules."""
    session.commit()
    village = communities.create_community(
        session,
        kind=CommunityKind.REGION,
        name=name,
        reference=f"{name}-{uuid.uuid4().hex[:8]}",
        currency="CNY",
        parent_id=parent.id if parent else None,
        now=NOW,
        actor_id=None,
    )
    communities.adopt_charter(
        session,
        community_id=village.id,
        rules_document=rules(**changes),
        valid_from=date(2026, 1, 1),
        source="assembly",
        now=NOW,
        actor_id=None,
    )
    session.commit()
    return village


def settle(session: Session, village: Community, name: str = "Wang Fang", **facts: Any) -> Member:
    """A person who is an active member of the village."""
    member = members.register_member(session, kind=MemberKind.PERSON, name=name, now=NOW, **facts)
    take_in(session, village, member)
    return member


def take_in(session: Session, village: Community, member: Member) -> None:
    """Make a member active in a village."""
    place = {"community_id": village.id, "member_id": member.id, "on": ON, "now": NOW}
    communities.apply_for_membership(session, **place, actor_id=None)
    session.commit()
    communities.activate_membership(session, **place, actor_id=None)
    session.commit()


def gather(
    session: Session, village: Community, size: int = 5, *, cap: Money | None = None
) -> tuple[Group, list[Member]]:
    """A forming group with so many members in it, led by the first."""
    people = [settle(session, village, f"Member {number}") for number in range(size)]
    session.commit()
    group = groups.form_group(
        session,
        community_id=village.id,
        founder_id=people[0].id,
        name="Third brigade",
        pair_cap=yuan(2000) if cap is None else cap,
        vouch_expires_on=PROMISE_END,
        on=ON,
        now=NOW,
        actor_id=people[0].id,
    )
    step = {"group_id": group.id, "on": ON, "now": NOW, "actor_id": None}
    for person in people[1:]:
        groups.invite(session, member_id=person.id, inviter_id=people[0].id, **step)
        session.commit()
        groups.accept_invitation(session, member_id=person.id, **step)
        session.commit()
    for person in people:
        groups.vote_leader(session, voter_id=person.id, candidate_id=people[0].id, **step)
        session.commit()
    return group, people


def right_answers(questions: tuple[Question, ...]) -> dict[str, Any]:
    """What somebody answers who has understood."""
    return {question.id: question.expected for question in questions}


def understand_and_sign(session: Session, group: Group, person: Member) -> None:
    """A member answers everything rightly and signs."""
    asked = groups.questionnaire(session, group_id=group.id, member_id=person.id)
    step: Mapping[str, Any] = {
        "group_id": group.id,
        "member_id": person.id,
        "agreement_hash": asked.agreement_hash,
        "now": NOW,
        "actor_id": person.id,
    }
    groups.answer_questions(session, **step, answers=right_answers(asked.questions))
    session.commit()
    groups.sign(session, **step, on=ON)
    session.commit()


def sign_all(session: Session, village: Community, size: int = 5) -> tuple[Group, list[Member]]:
    """A group whose members have all signed: it is cooling off."""
    group, people = gather(session, village, size)
    groups.fix_agreement(session, group_id=group.id, on=ON, now=NOW, actor_id=people[0].id)
    session.commit()
    for person in people:
        understand_and_sign(session, group, person)
    return group, people
