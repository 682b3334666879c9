"""Groups meet, and in the end the platform looks for what is wrong, as it does at night."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.businessday.running import PORTION
from app.demo.cast import Place, Play
from app.demo.stories import DAYS_PLAYED
from community.businessday.steps import STEPS, Task
from community.groups.models import Group, GroupStatus
from community.groups.queries import living_members
from community.monitoring import meetings
from community.monitoring.meetings import Present
from community.monitoring.models import AttendanceKind

# The last meetings of every group, so that the next one is today.
MEETING_DAYS = (59, 29)
_EVERY = 30
_PLACES = ("村委会", "晒谷场", "老祠堂", "小学操场")
_MINUTES = ("收齐本月应还款，说好下月互相走访。", "讨论种子和化肥怎么一起买。")
# What the night does after interest, calls and expiries, which `do_the_day` has done.
_LOOKED_AT = ("classify", "provide", "watch", "search circles", "watch desk")


def meet(play: Play) -> None:
    """Every group that is active meets; those in trouble stay away, and at times somebody else."""
    for place in play.lenders():
        for group_id in play.do(_active_groups, place=place):
            play.do(_meet, play=play, group_id=group_id)


def _active_groups(session: Session, place: Place) -> list[int]:
    return list(
        session.scalars(
            select(Group.id)
            .where(Group.community_id == place.community_id, Group.status == GroupStatus.ACTIVE)
            .order_by(Group.id)
        )
    )


def _meet(session: Session, play: Play, group_id: int) -> None:
    group = session.get_one(Group, group_id)
    leader_id = group.leader_id or 0
    where = _PLACES[group_id % len(_PLACES)]
    if meetings.find_plan(session, group_id) is None:
        meetings.set_plan(
            session,
            group_id=group_id,
            first_on=play.on,
            every_days=_EVERY,
            place=where,
            now=play.life.now,
            actor_id=leader_id,
        )
    lines = [
        Present(
            member.member_id,
            AttendanceKind.PRESENT
            if member.member_id == leader_id or play.draw.random() < 0.9
            else AttendanceKind.ABSENT,
        )
        for member in sorted(living_members(session, group_id), key=lambda one: one.member_id)
    ]
    held = meetings.enter(
        session,
        group_id=group_id,
        held_on=play.on,
        lines=lines,
        place=where,
        minutes=_MINUTES[play.draw.randrange(len(_MINUTES))],
        actor_id=leader_id,
        **play.today(),
    )
    meetings.close(session, meeting_id=held.id, actor_id=leader_id, **play.today())


def look_around(play: Play) -> None:
    """Classes and provisions, cases from the rules, guarantee circles: the last night's work."""
    steps = [step for step in STEPS if step.name in _LOOKED_AT]
    for place in play.lenders():
        for step in steps:
            after_id: int | None = 0
            while after_id is not None:
                facts: dict[str, Any] = {"community_id": place.community_id, **play.today()}
                task = Task(**facts, after_id=after_id, limit=PORTION)
                after_id = play.do(step.work, task=task).last_id


def plan(play: Play) -> None:
    """Say when all this happens."""
    for back in MEETING_DAYS:
        play.life.at(play.first + timedelta(days=DAYS_PLAYED - back), lambda: meet(play))
    play.on_day(DAYS_PLAYED, lambda: look_around(play))
