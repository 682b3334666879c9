"""Stress tests as jobs: asked for, taken by a worker, worked off in portions, summed up.

A worker holds a lease that every portion renews. When it is gone another begins the test anew:
draws are worked out from the seed, so nothing is lost but time. What was read is noted with the
test, so that the same seed on the same rows can be seen to say the same.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from community.communities import queries as communities
from community.communities.charter import LiabilityMode, read_rules
from community.communities.models import Charter, Community, Membership, MembershipStatus
from community.ledger.events import record_event
from community.members.models import Member
from community.risk.ahead import BPS, Outcome
from community.risk.book import Desk, read_desk
from community.risk.errors import BadShock, StressNotFound, StressUnderWay
from community.risk.models import (
    ShockKind,
    StressCall,
    StressDraw,
    StressMember,
    StressStatus,
    StressTest,
)
from community.risk.stress import DrawRow, Shock, Stress, Tally, summed_up

_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stress test supposes, as it is asked for: public ids and plain values."""

    kind: ShockKind
    members: tuple[str, ...] = ()
    village: str | None = None
    crop: str | None = None
    fall_bps: int | None = None
    severity_bps: int = BPS
    background: bool = False
    mode: LiabilityMode | None = None
    spread: bool = False


@dataclass(frozen=True, slots=True)
class Worker:
    """Who works, and how long they may be silent before another takes over."""

    name: str
    lease: timedelta
    is_gone: Callable[[str], bool] = lambda name: False


@dataclass(frozen=True, slots=True)
class Begun:
    """A test that a worker has taken: everything it needs, read at one moment."""

    test_id: int
    draws: int
    stress: Stress
    tail_bps: int


def ask_stress(
    session: Session,
    *,
    community_id: int,
    asked: Asked,
    draws: int,
    seed: int,
    on: date,
    now: datetime,
    actor_id: int | None,
) -> StressTest:
    """Put a stress test into the queue. Raises BadShock, NoCharter."""
    charter = communities.charter_on(session, community_id, on)
    test = StressTest(
        community_id=community_id,
        shock=asked.kind,
        spec=_spec(session, community_id, asked),
        draws=draws,
        seed=seed,
        on_day=on,
        status=StressStatus.QUEUED,
        done_draws=0,
        restarts=0,
        charter_id=charter.charter_id,
        asked_by_id=actor_id,
        created_at=now,
    )
    session.add(test)
    session.flush()  # its public id goes into the event
    record_event(
        session,
        community_id=community_id,
        kind="risk.stress_asked",
        subject=test.public_id,
        actor_id=actor_id,
        now=now,
        facts={"shock": asked.kind.value, "draws": draws, "seed": seed},
    )
    return test


def begin(
    session: Session, *, worker: Worker, now: datetime, test_id: int | None = None
) -> Begun | None:
    """Take a test: the given one, else the first that waits; None: there is nothing to do.

    One whose worker is gone is begun anew. Raises StressNotFound, StressUnderWay for a given one.
    """
    test = _next(session, worker, now, test_id)
    if test is None:
        return None
    community = session.get_one(Community, test.community_id)
    desk = read_desk(session, community=community, on=test.on_day)
    rules = read_rules(session.get_one(Charter, test.charter_id).rules)
    if test.status is StressStatus.RUNNING:
        test.restarts += 1
    for table in (StressDraw, StressMember, StressCall):
        session.execute(delete(table).where(table.test_id == test.id))
    test.status = StressStatus.RUNNING
    test.done_draws = 0
    test.worker = worker.name
    test.lease_until = now + worker.lease
    test.network_version = desk.digest
    shock = _shock(test, desk)
    return Begun(
        test.id, test.draws, Stress(desk, rules, shock, test.seed), rules.shortfall_tail_bps
    )


def note_draws(
    session: Session, *, test_id: int, worker: Worker, rows: Sequence[DrawRow], now: datetime
) -> int:
    """Write a portion down and renew the lease; how many draws are done.

    Raises StressUnderWay when another has taken the test over.
    """
    test = _mine(session, test_id, worker)
    if rows:
        session.execute(
            insert(StressDraw),
            [
                {
                    "test_id": test.id,
                    "number": row.number,
                    "failed": row.failed,
                    "calls": row.calls,
                    "ruined": row.ruined,
                    "pool_minor": row.pool_minor,
                    "reserve_minor": row.reserve_minor,
                    "members_minor": row.members_minor,
                }
                for row in rows
            ],
        )
    test.done_draws += len(rows)
    test.lease_until = now + worker.lease
    return test.done_draws


def finish(
    session: Session,
    *,
    test_id: int,
    worker: Worker,
    summary: dict[str, Any],
    tally: Tally,
    worst: Outcome,
    now: datetime,
) -> StressTest:
    """Sum a test up: members, the calls of the worst draw, the distribution."""
    test = _mine(session, test_id, worker)
    _insert(
        session,
        StressMember,
        [
            {
                "test_id": test.id,
                "member_id": member,
                "failed_draws": row[0],
                "called_draws": row[1],
                "ruined_draws": row[2],
                "paid_sum_minor": row[3],
                "paid_worst_minor": row[4],
            }
            for member, row in sorted(tally.rows.items())
        ],
    )
    _insert(
        session,
        StressCall,
        [
            {
                "test_id": test.id,
                "number": number,
                "loan_id": call.loan_id,
                "guarantor_id": call.guarantor_id,
                "for_guarantor_id": call.for_guarantor_id,
                "ground": call.ground,
                "amount_minor": call.amount_minor,
                "paid_minor": call.paid_minor,
            }
            for number, call in enumerate(worst.calls, 1)
        ],
    )
    test.status = StressStatus.DONE
    test.result = summary
    test.worker = test.lease_until = None
    test.finished_at = now
    record_event(
        session,
        community_id=test.community_id,
        kind="risk.stress_done",
        subject=test.public_id,
        actor_id=None,
        now=now,
        facts={
            "network_version": test.network_version,
            "worst_minor": summary["lost"]["worst_minor"],
            "shortfall_minor": summary["lost"]["shortfall_minor"],
        },
    )
    return test


def give_up(
    session: Session, *, test_id: int, worker: Worker, reason: str, now: datetime
) -> StressTest:
    """Note that a test could not be worked off."""
    test = _mine(session, test_id, worker)
    test.status = StressStatus.FAILED
    test.failure = reason[:500]
    test.worker = test.lease_until = None
    test.finished_at = now
    return test


def put_back(session: Session, *, test_id: int, worker: Worker) -> StressTest:
    """Leave a test to another, who begins it anew at once."""
    test = _mine(session, test_id, worker)
    test.status, test.done_draws = StressStatus.QUEUED, 0
    test.restarts += 1
    test.worker = test.lease_until = None
    return test


def run_here(
    begun: Begun, numbers: Collection[int] | None = None
) -> tuple[dict[str, Any], Tally, Outcome, list[DrawRow]]:
    """A whole test without a database: what a worker does, in one go."""
    tally = Tally()
    rows = begun.stress.work(list(numbers or range(1, begun.draws + 1)), tally)
    summary = summed_up(rows, tail_bps=begun.tail_bps)
    return summary, tally, begun.stress.calls(summary["worst_draw"]), rows


def _next(
    session: Session, worker: Worker, now: datetime, test_id: int | None
) -> StressTest | None:
    query = select(StressTest).order_by(StressTest.id).with_for_update(skip_locked=test_id is None)
    if test_id is not None:
        test = session.scalar(query.where(StressTest.id == test_id))
        if test is None:
            raise StressNotFound()
        if not _is_free(test, worker, now):
            raise StressUnderWay(
                f"It is {test.status.value}.", status=test.status.value, worker=test.worker
            )
        return test
    query = query.where(StressTest.status.in_([StressStatus.QUEUED, StressStatus.RUNNING]))
    for test in session.scalars(query.execution_options(populate_existing=True)):
        if _is_free(test, worker, now):
            return test
    return None


def _is_free(test: StressTest, worker: Worker, now: datetime) -> bool:
    if test.status is StressStatus.QUEUED:
        return True
    if test.status is not StressStatus.RUNNING or test.worker is None or test.lease_until is None:
        return False
    return test.lease_until < now or worker.is_gone(test.worker)


def _mine(session: Session, test_id: int, worker: Worker) -> StressTest:
    test = session.scalars(
        select(StressTest)
        .where(StressTest.id == test_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if test.worker != worker.name:
        raise StressUnderWay("Another worker has taken it over.", worker=test.worker)
    return test


def _spec(session: Session, community_id: int, asked: Asked) -> dict[str, Any]:
    """What the shock needs, checked, with internal ids."""
    spec: dict[str, Any] = {
        "severity_bps": asked.severity_bps,
        "background": asked.background or asked.kind is ShockKind.COMMON_FACTOR,
        "mode": None if asked.mode is None else asked.mode.value,
        "spread": asked.spread,
    }
    wanted = {
        ShockKind.MEMBER: {"members"},
        ShockKind.VILLAGE: {"village"},
        ShockKind.CROP: {"crop"},
        ShockKind.PRICE: {"crop", "fall_bps"},
        ShockKind.COMMON_FACTOR: set[str](),
    }[asked.kind]
    given = {name for name in ("members", "village", "crop", "fall_bps") if getattr(asked, name)}
    if given != wanted:
        raise BadShock(
            f"A shock of kind {asked.kind.value} takes"
            f" {', '.join(sorted(wanted)) or 'nothing else'}.",
            wanted=sorted(wanted),
            given=sorted(given),
        )
    if asked.kind is ShockKind.MEMBER:
        rows = session.execute(
            select(Member.id, Member.public_id)
            .join(Membership, Membership.member_id == Member.id)
            .where(Membership.community_id == community_id, Member.public_id.in_(asked.members))
        )
        found = {public_id: member_id for member_id, public_id in rows}
        missing = sorted(set(asked.members) - found.keys())
        if missing:
            raise BadShock("Not all of them are members here.", missing=missing)
        spec["member_ids"] = sorted(found.values())
    if asked.village is not None:
        place = session.get_one(Community, community_id)
        village = session.scalar(select(Community).where(Community.public_id == asked.village))
        if village is None or place.id not in village.path_ids:
            raise BadShock("The village is not this community and not inside it.", field="village")
        spec["village_id"] = village.id
        spec["member_ids"] = sorted(
            session.scalars(
                select(Membership.member_id).where(
                    Membership.community_id == village.id,
                    Membership.status == MembershipStatus.ACTIVE,
                )
            )
        )
    if asked.crop is not None:
        spec["crop"] = asked.crop
    if asked.fall_bps is not None:
        spec["fall_bps"] = asked.fall_bps
    return spec


def _shock(test: StressTest, desk: Desk) -> Shock:
    spec = test.spec
    members: set[int] = set(spec.get("member_ids", ()))
    short: dict[int, int] = {}
    if test.shock in (ShockKind.CROP, ShockKind.PRICE):
        for loan in desk.book.loans:
            if desk.traits[loan.loan_id].crop == spec["crop"]:
                members.add(loan.borrower_id)
                if test.shock is ShockKind.PRICE:
                    # What the crop does not bring is missing of what it was to repay.
                    short[loan.loan_id] = -(-loan.owed_minor * spec["fall_bps"] // BPS)
    mode = spec["mode"]
    return Shock(
        frozenset(members),
        short,
        spec["severity_bps"],
        spec["background"],
        None if mode is None else LiabilityMode(mode),
        spec["spread"],
    )


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS):
        session.execute(insert(table), rows[start : start + _ROWS])


def get_stress(session: Session, public_id: str) -> StressTest:
    """The stress test of this public id. Raises StressNotFound."""
    test = session.scalar(select(StressTest).where(StressTest.public_id == public_id))
    if test is None:
        raise StressNotFound()
    return test
