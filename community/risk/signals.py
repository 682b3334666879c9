"""What the desk finds, as signals of the charter's rules: reads only, for today and for the past.

Each is about several people, or about a whole community, under a subject of its own: events of one
circle, ring or pyramid are one case, and nobody who is in it sees it.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import or_, select

from community.communities.charter import RiskRule
from community.members.models import Member
from community.monitoring.signals import FINDERS, Finder, Looking, Signal, fund_minor
from community.risk.alarms import Alarm, inflows, invented_rings, self_dealing
from community.risk.concentration import concentration
from community.risk.models import CircleName, RiskCircle, RiskCircleMember
from community.risk.service import last_run
from community.trust.models import Vouch

_WHOLE = 10_000


def _costly_circles(at: Looking) -> Iterator[Signal]:
    """Circles of the last search that may lose more than the charter's steps of the fund.

    A circle keeps its name, so a step is told once; a higher one is a further event of its case.
    """
    run = last_run(at.session, at.community.id, until=at.on)
    if run is None or not run.outstanding_minor:
        return
    # Of all that there is to lend: in a small book a few loans are always a large part of it.
    whole = fund_minor(at)
    worst = RiskCircle.worst_pool_minor + RiskCircle.worst_members_minor
    expected = RiskCircle.expected_pool_minor + RiskCircle.expected_members_minor
    steps = [(worst, at.rules.risk_circle_worst_bps), (expected, at.rules.risk_circle_expected_bps)]
    reached = [loss >= -(-listed[0] * whole // _WHOLE) for loss, listed in steps if listed]
    if not reached:
        return
    rows = at.session.execute(
        select(RiskCircle, CircleName.number, CircleName.public_id, worst, expected)
        .join(CircleName, CircleName.id == RiskCircle.name_id)
        .where(RiskCircle.run_id == run.id, or_(*reached))
        .order_by(RiskCircle.rank)
    ).all()
    people = _members_of(at, [row[0].id for row in rows])
    for circle, number, name, worst_minor, expected_minor in rows:
        level = max(
            _level(worst_minor, whole, at.rules.risk_circle_worst_bps),
            _level(expected_minor, whole, at.rules.risk_circle_expected_bps),
        )
        yield Signal(
            RiskRule.CLUSTER_ALERT,
            at.on,
            f"{name}/{level}",
            worse=level - 1,
            facts={
                "circle": number,
                "circle_id": name,
                "kind": circle.kind.value,
                "members": circle.size,
                "borrowers": circle.borrowers,
                "owed_minor": circle.exposure_minor,
                "worst_minor": worst_minor,
                "worst_bps": worst_minor * _WHOLE // whole,
                "expected_minor": expected_minor,
                "expected_bps": expected_minor * _WHOLE // whole,
                "level": level,
                "run": run.public_id,
            },
            subject=f"circle/{name}",
            people=people[circle.id],
        )


def _level(loss: int, whole: int, steps: Sequence[int]) -> int:
    """How many of the charter's steps a loss has reached."""
    return sum(loss * _WHOLE >= step * whole for step in steps)


def _members_of(at: Looking, circle_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, list[int]] = {circle_id: [] for circle_id in circle_ids}
    for start in range(0, len(circle_ids), _WHOLE):
        rows = at.session.execute(
            select(RiskCircleMember.circle_id, RiskCircleMember.member_id)
            .where(RiskCircleMember.circle_id.in_(circle_ids[start : start + _WHOLE]))
            .order_by(RiskCircleMember.member_id)
        )
        for circle_id, member_id in rows:
            found[circle_id].append(member_id)
    return {circle_id: tuple(members) for circle_id, members in found.items()}


def _self_dealing(at: Looking) -> Iterator[Signal]:
    """Those who cover themselves join the case of the circle that they are in, told once."""
    for alarm in self_dealing(at.session, community_id=at.community.id, on=at.on, rules=at.rules):
        first = at.session.get_one(Member, alarm.member_ids[0]).public_id
        yield Signal(
            RiskRule.SELF_DEALING,
            at.on,
            first,
            facts=alarm.facts,
            subject=f"circle/{alarm.facts['circle_id']}"
            if "circle_id" in alarm.facts
            else f"closed/{first}",
            people=alarm.member_ids,
        )


def _invented_rings(at: Looking) -> Iterator[Signal]:
    """Newcomers whom nobody knows and who know each other."""
    if not _has_promises(at):
        return
    for alarm in invented_rings(
        at.session,
        community_id=at.community.id,
        on=at.on,
        rules=at.rules,
        past=not at.today,
    ):
        yield _named_by_first(at, RiskRule.INVENTED_RING, "ring", alarm)


def _pyramids(at: Looking) -> Iterator[Signal]:
    """Deposits of newcomers below one introducer, paid out above."""
    if not _has_promises(at):
        return
    for alarm in inflows(at.session, community_id=at.community.id, on=at.on, rules=at.rules):
        yield _named_by_first(at, RiskRule.UNUSUAL_PATTERN, "pyramid", alarm)


def _named_by_first(at: Looking, rule: RiskRule, what: str, alarm: Alarm) -> Signal:
    """Named by the first member of the alarm: who was there first, or stands at the top."""
    first = at.session.get_one(Member, alarm.member_ids[0]).public_id
    facts = {name: fact for name, fact in alarm.facts.items() if name != "member_id"}
    subject = f"{what}/{first}"
    return Signal(
        rule,
        at.on,
        subject,
        facts=facts | {"first": first, "size": len(alarm.member_ids)},
        subject=subject,
        people=alarm.member_ids,
    )


def _has_promises(at: Looking) -> bool:
    """Without any promise nobody is tied to anybody, nor brought in by anybody."""
    one = select(Vouch.id).where(Vouch.community_id == at.community.id).limit(1)
    return at.session.scalar(one) is not None


def _together(at: Looking) -> Iterator[Signal]:
    """Too much of what is lent lies in one industry, region or crop; told once a year and step."""
    for by in at.rules.risk_hhi_by:
        report = concentration(
            at.session, community=at.community, on=at.on, by=by, past=not at.today
        )
        level = sum(step <= report.hhi for step in at.rules.risk_hhi_bps)
        if not level:
            continue
        largest = report.rows[0]
        yield Signal(
            RiskRule.CONCENTRATION,
            at.on,
            f"hhi/{by.value}/{at.on.year}/{level}",
            worse=level - 1,
            facts={
                "by": by.value,
                "hhi": report.hhi,
                "limit": at.rules.risk_hhi_bps[level - 1],
                "parts": len(report.rows),
                "largest": largest.name,
                "largest_bps": largest.share_bps,
                "of_minor": report.outstanding_minor,
            },
            subject=f"concentration/{by.value}",
        )


DESK_FINDERS: dict[RiskRule, Finder] = {
    RiskRule.CLUSTER_ALERT: _costly_circles,
    RiskRule.SELF_DEALING: _self_dealing,
    RiskRule.INVENTED_RING: _invented_rings,
    RiskRule.UNUSUAL_PATTERN: _pyramids,
    RiskRule.CONCENTRATION: _together,
}


def _concentration(at: Looking) -> Iterator[Signal]:
    """Of households, and of parts."""
    yield from FINDERS[RiskRule.CONCENTRATION](at)
    yield from _together(at)


# Every rule that can be looked for on a day: what is replayed on the past.
ALL_FINDERS: dict[RiskRule, Finder] = {
    **FINDERS,
    **DESK_FINDERS,
    RiskRule.CONCENTRATION: _concentration,
}
