"""A hamlet with a group whose leader looks after it, and its evenings."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from community.businessday.service import Worker, take_turn, work_on
from community.groups.models import Group, GroupMember, GroupMemberStatus, GroupStatus
from community.members.models import Member
from community.monitoring.checks import check_monitoring
from community.monitoring.models import CaseAction, RiskCase, RiskEvent
from tests.hamlet import FAR, Hamlet

WORKER = Worker("evening", timedelta(minutes=5), lambda name: False)


class Watched(Hamlet):
    """A hamlet that is watched."""

    def group(self, *names: str) -> Group:
        """An active group of these people, the first one leading."""
        people = [self.people[name] for name in names]
        group = Group(
            community_id=self.community.id,
            name=f"Group of {names[0]}",
            status=GroupStatus.ACTIVE,
            pair_cap_minor=100_00,
            vouch_expires_on=FAR,
            founder_id=people[0].id,
            leader_id=people[0].id,
            leader_until_on=FAR,
            created_at=self.now,
        )
        self.session.add(group)
        self.session.flush()
        self.session.add_all(self._place(group, person) for person in people)
        self.session.commit()
        return group

    def evening(self, days: int = 0, portion: int = 100) -> dict[str, int]:
        """Days go by, each closed; what the last one's watch counted."""
        for _ in range(max(days, 1)):
            self.day += timedelta(days=1 if days else 0)
            turn = self.do(
                take_turn,
                community_id=self.community.id,
                on=self.day,
                worker=WORKER,
                now=self.now,
            )
            counted: dict[str, int] = {}
            while turn is not None:
                unit = self.do(work_on, turn=turn, worker=WORKER, now=self.now, limit=portion)
                for done in unit.portions:
                    if done.step == "watch":
                        for name, count in done.counts.items():
                            counted[name] = counted.get(name, 0) + count
                if unit.is_finished:
                    break
        return counted

    def check_own(self) -> None:
        """What this room proves; a life of its own proves the rest, at a tenth of the time."""
        self.session.commit()
        self.session.expire_all()
        assert list(check_monitoring(self.session)) == []

    def cases(self) -> list[RiskCase]:
        self.session.expire_all()
        return list(self.session.scalars(select(RiskCase).order_by(RiskCase.id)))

    def events(self) -> list[tuple[str, str, int]]:
        """Rule, severity and day since the hamlet's first, oldest first."""
        rows = self.session.scalars(select(RiskEvent).order_by(RiskEvent.id))
        return [
            (row.rule.value, row.severity.value, (row.found_on - Hamlet.day).days) for row in rows
        ]

    def actions(self, case: RiskCase) -> list[str]:
        rows = self.session.scalars(
            select(CaseAction).where(CaseAction.case_id == case.id).order_by(CaseAction.number)
        )
        return [row.kind.value for row in rows]

    def _place(self, group: Group, person: Member) -> GroupMember:
        return GroupMember(
            group_id=group.id,
            community_id=self.community.id,
            member_id=person.id,
            household_id=person.household_id,
            status=GroupMemberStatus.SIGNED,
            understood_at=self.now,
            signed_at=self.now,
            invited_by_id=group.founder_id,
            invited_at=self.now,
        )


def watched(session: Session, rules: dict[str, Any] | None = None, **facts: Any) -> Watched:
    """Ada leads Ben and Cai; everybody has standing of their own; nothing is lent yet."""
    place = Watched(session, rules=rules or {}, **facts)
    place.fund(10_000_00)
    for name in ("ada", "ben", "cai"):
        place.person(name, assessed=1_000_00)
    return place
