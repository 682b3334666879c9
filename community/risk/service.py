"""Running the desk: a search for circles, stored with what it read and by which rules."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.models import Community
from community.ledger.events import record_event
from community.locks import lock_one
from community.risk.book import read_desk
from community.risk.finding import CircleKind
from community.risk.models import CircleName, RiskCircle, RiskCircleMember, RiskRun
from community.risk.naming import match_names
from community.risk.scan import Ranked, actions_as_rows, scan
from community.trust.models import Vouch
from community.trust.snapshot import parts

_ROWS = 5_000


def find_circles(
    session: Session,
    *,
    community_id: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> RiskRun:
    """Look for guarantee circles in a community as its rows are now, and keep what was found.

    Names go on from the last run. Runs of one community come one after another: its row is locked.
    Raises CommunityNotFound, NoCharter.
    """
    community = lock_one(session, Community, community_id)
    charter = communities.charter_on(session, community_id, on)
    desk = read_desk(session, community=community, on=on)
    found = scan(desk, charter.rules)
    last = last_run(session, community_id)
    run = RiskRun(
        community_id=community_id,
        number=1 if last is None else last.number + 1,
        on_day=on,
        charter_id=charter.charter_id,
        network_version=desk.digest,
        members=found.members,
        vouches=found.vouches,
        outstanding_minor=desk.outstanding_minor,
        largest_component=found.largest_component,
        is_complete=found.is_complete,
        circles=len(found.found),
        asked_by_id=actor_id,
        created_at=now,
    )
    session.add(run)
    session.flush()  # circles name it
    _store(session, run, found.found, _named(session, run, last, found.found))
    record_event(
        session,
        community_id=community_id,
        kind="risk.circles_searched",
        subject=run.public_id,
        actor_id=actor_id,
        now=now,
        facts={
            "circles": run.circles,
            "network_version": run.network_version,
            "charter_version": charter.version,
        },
    )
    return run


def last_run(session: Session, community_id: int, *, until: date | None = None) -> RiskRun | None:
    """The community's latest search; up to a day, if one is given."""
    runs = select(RiskRun).where(RiskRun.community_id == community_id)
    if until is not None:
        runs = runs.where(RiskRun.on_day <= until)
    return session.scalar(runs.order_by(RiskRun.number.desc()).limit(1))


def _named(
    session: Session, run: RiskRun, last: RiskRun | None, found: Sequence[Ranked]
) -> list[int]:
    """The name's id of each circle: kept from the last run, or new.

    Hubs are known by who holds them together, all others by their members.
    """
    before: dict[int, list[int]] = {}
    hubs: dict[int, int] = {}
    if last is not None:
        rows = session.execute(
            select(RiskCircle.name_id, RiskCircle.hub_id, RiskCircleMember.member_id)
            .join(RiskCircleMember, RiskCircleMember.circle_id == RiskCircle.id)
            .where(RiskCircle.run_id == last.id)
        )
        for name_id, hub_id, member_id in rows:
            if hub_id is None:
                before.setdefault(name_id, []).append(member_id)
            else:
                hubs[hub_id] = name_id
    plain = [at for at, ranked in enumerate(found) if ranked.circle.kind is not CircleKind.HUB]
    names: list[int | None] = [
        None if ranked.circle.hub is None else hubs.get(ranked.circle.hub) for ranked in found
    ]
    kept = match_names(before, [found[at].circle.members for at in plain])
    for at, name in zip(plain, kept, strict=True):
        names[at] = name
    highest = session.scalar(
        select(func.max(CircleName.number)).where(CircleName.community_id == run.community_id)
    )
    new = []
    for name in names:
        if name is None:
            highest = (highest or 0) + 1
            new.append(
                CircleName(community_id=run.community_id, number=highest, first_run_id=run.id)
            )
    session.add_all(new)
    session.flush()  # for their ids
    fresh = iter(new)
    return [next(fresh).id if name is None else name for name in names]


def _store(session: Session, run: RiskRun, found: Sequence[Ranked], names: Sequence[int]) -> None:
    wanted = {a.vouch_id for ranked in found for a in ranked.actions if a.vouch_id is not None}
    public: dict[int, str] = {}
    for part in parts(wanted):
        rows = session.execute(select(Vouch.id, Vouch.public_id).where(Vouch.id.in_(part)))
        public |= {row.id: row.public_id for row in rows}
    circles = [
        RiskCircle(
            run_id=run.id,
            name_id=name,
            kind=ranked.circle.kind,
            hub_id=ranked.circle.hub,
            rank=rank,
            size=len(ranked.members),
            borrowers=ranked.borrowers,
            exposure_minor=ranked.exposure_minor,
            expected_pool_minor=ranked.cost.expected_pool_minor,
            expected_members_minor=ranked.cost.expected_members_minor,
            worst_pool_minor=ranked.cost.worst_pool_minor,
            worst_members_minor=ranked.cost.worst_members_minor,
            reasons=list(ranked.reasons),
            actions=actions_as_rows(ranked.actions, public),
        )
        for rank, (ranked, name) in enumerate(zip(found, names, strict=True), 1)
    ]
    session.add_all(circles)
    session.flush()  # their members name them
    rows_of_members = (
        {
            "circle_id": circle.id,
            "member_id": member.member_id,
            "owed_minor": member.owed_minor,
            "guaranteed_minor": member.guaranteed_minor,
            "contingent_bps": member.contingent_bps,
            "core": member.core,
            "is_articulation": member.is_articulation,
            "worst_paid_minor": member.worst_paid_minor,
        }
        for circle, ranked in zip(circles, found, strict=True)
        for member in ranked.members
    )
    for batch in _batches(rows_of_members):
        session.execute(insert(RiskCircleMember), batch)


def _batches(rows: Iterable[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS:
            yield batch
            batch = []
    if batch:
        yield batch
